// Whether the server answers. When it comes back, everything on the page is read again.
import { signal } from "../vendor/vendor.js";

/** Seconds between attempts; the last holds on. */
const PAUSES = [1, 1, 2, 3, 5];

/** True while the server does not answer. */
export const lost = signal(false);
/** Counts up when the server has come back; what was loaded before is loaded again. */
export const epoch = signal(0);

let attempts = 0;
let timer = 0;

/** Called for each call that did not reach the server. */
export function noteLost() {
  if (lost.value) return;
  lost.value = true;
  attempts = 0;
  wait();
}

function wait() {
  clearTimeout(timer);
  timer = setTimeout(tryAgain, 1000 * (PAUSES[Math.min(attempts, PAUSES.length - 1)] ?? 5));
}

/** Asks for the page itself, which needs no key. */
export async function tryAgain() {
  attempts += 1;
  try {
    await fetch("/", { method: "HEAD", cache: "no-store" });
  } catch {
    wait();
    return;
  }
  clearTimeout(timer);
  lost.value = false;
  epoch.value += 1;
}
