// What a field holds, which may be ahead of what was last drawn.
import { useRef, useState } from "../vendor/vendor.js";

/**
 * What is typed, and taken anew from `given` where `key` changes: while it is drawn, not in an effect, which runs later
 * and would undo what was typed before it.
 * @template T
 * @param {T} given
 * @param {unknown} key
 * @returns {[T, (typed: T) => void]}
 */
export function useTyped(given, key = given) {
  const held = useRef({ key, typed: given });
  const [, draw] = useState(0);
  if (!Object.is(held.current.key, key)) held.current = { key, typed: given };
  return [held.current.typed, (typed) => {
    held.current.typed = typed;
    draw((times) => times + 1);
  }];
}
