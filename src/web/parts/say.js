// Questions before and words after what a person does. Their place is the shell.
import { html, signal } from "../vendor/vendor.js";

/**
 * The question that is open.
 * @type {import("../vendor/vendor.js").Signal<{title: string, text: string, action: string, answer: (yes: boolean) => void} | undefined>}
 */
export const question = signal(undefined);

/**
 * Asks before something that cannot be taken back.
 * @param {{title: string, text: string, action: string}} of  `action`: the button that does it, as "Drop".
 * @returns {Promise<boolean>}
 */
export function confirmed(of) {
  return new Promise((resolve) => {
    question.value = { ...of, answer: (yes) => { question.value = undefined; resolve(yes); } };
  });
}

/**
 * A line that says what was done, read out and gone after a while.
 * @type {import("../vendor/vendor.js").Signal<string>}
 */
const notice = signal("");
let timer = 0;

/** @param {string} text */
export function say(text) {
  notice.value = text;
  clearTimeout(timer);
  timer = setTimeout(() => { notice.value = ""; }, 4000);
}

/** Stands once in the shell. */
export function Notice() {
  return html`<div class=${notice.value === "" ? "notice" : "notice shown"} role="status" aria-live="polite">${notice.value}</div>`;
}
