// Shortcuts: one key, or `g` and another. They rest while something is typed.
import { useEffect } from "../vendor/vendor.js";

/**
 * @typedef {object} Shortcut
 * @property {string} keys         As "j" or "g s".
 * @property {string} does         What the list says of it.
 * @property {() => void} run
 */

/** @type {Shortcut[]} */
const active = [];
/** Milliseconds in which a second key belongs to the first. */
const TOGETHER = 1200;
let before = "";
let at = 0;

/** What the keys do now, for the list. */
export function shortcuts() {
  return [...active];
}

/**
 * Shortcuts that hold while a component is there.
 * @param {Shortcut[]} list
 */
export function useShortcuts(list) {
  useEffect(() => {
    active.push(...list);
    return () => {
      for (const shortcut of list) active.splice(active.indexOf(shortcut), 1);
    };
  });
}

/** @param {EventTarget | null} target */
function takesKeys(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "range", "button"].includes(target.type);
  return target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

export function startKeyboard() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]") !== null) return;
    if (takesKeys(event.target)) {
      if (event.key === "Escape") /** @type {HTMLElement} */ (event.target).blur();
      return;
    }
    const pair = event.timeStamp - at < TOGETHER ? `${before} ${event.key}` : "";
    const found = active.findLast((shortcut) => shortcut.keys === pair)
      ?? active.findLast((shortcut) => shortcut.keys === event.key);
    before = event.key;
    at = event.timeStamp;
    if (found === undefined) return;
    event.preventDefault();
    before = "";
    found.run();
  });
}
