// Texts of documents: highlighted words, long ones folded, any script.
import { html, useState } from "../vendor/vendor.js";

/**
 * A span of a text that means something.
 * @typedef {object} Mark
 * @property {number} start  In Unicode code points, as the API counts.
 * @property {number} end
 * @property {string} kind   "word" (asked for) or "latent" (it fires there).
 * @property {string} [title]
 */

/** Characters after which a text is folded. */
const LONG = 420;

/**
 * The places of code points in a string of JavaScript, which counts UTF-16 units.
 * @param {string} text
 * @param {number[]} points  Ascending.
 */
function unitsOf(text, points) {
  /** @type {number[]} */
  const units = [];
  let unit = 0;
  let point = 0;
  for (const wanted of points) {
    while (point < wanted && unit < text.length) {
      unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
      point += 1;
    }
    units.push(unit);
  }
  return units;
}

/**
 * A text cut where marks begin and end; of marks that overlap the first stays.
 * @param {string} text
 * @param {Mark[]} marks
 * @returns {{text: string, mark?: Mark}[]}
 */
export function pieces(text, marks) {
  const sorted = marks.filter((mark) => mark.end > mark.start).sort((a, b) => a.start - b.start || b.end - a.end);
  /** @type {Mark[]} */
  const kept = [];
  for (const mark of sorted) {
    if (kept.length === 0 || mark.start >= (kept.at(-1)?.end ?? 0)) kept.push(mark);
  }
  const units = unitsOf(text, kept.flatMap((mark) => [mark.start, mark.end]));
  /** @type {{text: string, mark?: Mark}[]} */
  const found = [];
  let at = 0;
  kept.forEach((mark, number) => {
    const start = units[2 * number] ?? text.length;
    const end = units[2 * number + 1] ?? text.length;
    if (start > at) found.push({ text: text.slice(at, start) });
    if (end > start) found.push({ text: text.slice(start, end), mark });
    at = Math.max(at, end);
  });
  if (at < text.length) found.push({ text: text.slice(at) });
  return found;
}

/** @param {{text: string, marks: Mark[]}} properties */
export function Marked({ text, marks }) {
  if (marks.length === 0) return html`${text}`;
  return pieces(text, marks).map(({ text: piece, mark }, at) => mark === undefined
    ? piece
    : html`<mark key=${at} class=${`mark-${mark.kind}`} title=${mark.title}>${piece}</mark>`);
}

/**
 * A document's text; what is long is folded behind a button.
 * @param {{text: string, marks?: Mark[]}} properties
 */
export function DocumentText({ text, marks = [] }) {
  const [open, setOpen] = useState(false);
  const long = text.length > LONG;
  return html`<div class="document-text">
    <p dir="auto" class=${long && !open ? "folded" : ""}><${Marked} text=${text} marks=${marks} /></p>
    ${long && html`<button type="button" class="link" aria-expanded=${open} onClick=${() => setOpen(!open)}>
      ${open ? "Show less" : "Show all of it"}</button>`}
  </div>`;
}
