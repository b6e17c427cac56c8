// Where a filter is wrong.
import { tokens } from "./filter-text.js";

/**
 * Where the server points: its column counts characters from 1, the span is the token there.
 * @param {string} text
 * @param {string} message  As "column 8: expected a value, found the end".
 */
export function faultOf(text, message) {
  const found = /column (\d+): ([^]*)$/.exec(message);
  if (!found) return undefined;
  const start = [...text].slice(0, Number(found[1]) - 1).join("").length;
  const token = tokens(text).find(({ start: begins, end }) => begins <= start && start < end);
  return { start, end: token?.end ?? Math.max(start + 1, text.length), message: found[2] ?? "", column: Number(found[1]) };
}
