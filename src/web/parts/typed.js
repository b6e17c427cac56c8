// What a field holds: as it was typed, which what was last drawn may lag behind.
import { useEffect, useRef, useState } from "../vendor/vendor.js";

/**
 * A text that is typed, and taken anew from `given` where that changes. Not at the first drawing: what was typed before
 * its effects ran would be lost.
 * @param {string} given
 * @returns {[string, (text: string) => void]}
 */
export function useTyped(given) {
  const [text, setText] = useState(given);
  const before = useRef(given);
  useEffect(() => {
    if (before.current !== given) {
      before.current = given;
      setText(given);
    }
  }, [given]);
  return [text, setText];
}

/**
 * The text of a form's first field, without spaces around it. The field is `required`, and no button is disabled for
 * want of a text: an Enter right after the last key would meet a button that is drawn as it was before.
 * @param {Event} event
 */
export const typedIn = (event) => /** @type {HTMLFormElement} */ (event.currentTarget).querySelector("input")?.value.trim() ?? "";
