// The key that calls carry once the server asks for one. It lives as long as the tab.
import { signal } from "../vendor/vendor.js";

const STORED = "latentdb.key";

/** @returns {string} */
function stored() {
  try {
    return sessionStorage.getItem(STORED) ?? "";
  } catch {
    return "";
  }
}

/** The key in use; empty: none. */
export const key = signal(stored());

/**
 * The question for a key that is open: why, and what becomes of the answer.
 * @type {import("../vendor/vendor.js").Signal<{why: string, answer: (key: string | undefined) => void} | undefined>}
 */
export const question = signal(undefined);

/** @type {Promise<string | undefined> | undefined} */
let asked;

/** True once the person gave none: calls fail from then on, and do not ask again. */
export const declined = signal(false);

/**
 * Asks for a key; calls that fail meanwhile wait for the same answer. Undefined: the person gave none.
 * @param {string} why
 */
export function askForKey(why) {
  if (declined.value) return undefined;
  asked ??= new Promise((resolve) => {
    question.value = {
      why,
      answer: (given) => {
        question.value = undefined;
        asked = undefined;
        declined.value = given === undefined && key.value === "";
        if (given !== undefined) useKey(given);
        resolve(given);
      },
    };
  });
  return asked;
}

/** Asks because the person wants to give one, and says whether it was given. */
export async function offerKey() {
  declined.value = false;
  return (await askForKey("")) !== undefined;
}

/** @param {string} given */
export function useKey(given) {
  key.value = given;
  try {
    if (given === "") sessionStorage.removeItem(STORED);
    else sessionStorage.setItem(STORED, given);
  } catch {
    // It holds until the page is closed.
  }
}
