// Small controls of forms.
import { html } from "../vendor/vendor.js";
import { Help } from "./help.js";
import { useTyped } from "./typed.js";

/** @typedef {import("../vendor/vendor.js").ComponentChildren} ComponentChildren */

/** A number that was written; undefined: as the server has it. @param {string} text */
export function written(text) {
  return text.trim() === "" || !Number.isFinite(Number(text)) ? undefined : Number(text);
}

/**
 * @param {{label: string, value: string, of: Record<string, string>, set: (value: string) => void, help?: {page: string, at?: string}, disabled?: boolean}} properties
 *   `of`: what each value is called.
 */
export function Select({ label, value, of, set, help, disabled = false }) {
  const known = value in of ? of : { ...of, [value]: value };
  return html`<div class="control"><label><span>${label}</span>
    <select value=${value} disabled=${disabled} onChange=${(/** @type {Event} */ event) => set(/** @type {HTMLSelectElement} */ (event.target).value)}>
      ${Object.entries(known).map(([key, title]) => html`<option key=${key} value=${key} selected=${key === value}>${title}</option>`)}
    </select></label>${help !== undefined && html`<${Help} ...${help} of=${`“${label}”`} />`}</div>`;
}

/**
 * A number as it is written, given on Enter or when the field is left.
 * @param {{label: string, value: string, hint: string, set: (value: string) => void, help?: {page: string, at?: string}, least?: number, most?: number, whole?: boolean, disabled?: boolean}} properties
 *   `hint`: what holds while it is empty.
 */
export function NumberField({ label, value, hint, set, help, least = 0, most = Infinity, whole = false, disabled = false }) {
  const [text, setText] = useTyped(value);
  const number = Number(text);
  const bad = text.trim() !== "" && (!Number.isFinite(number) || number < least || number > most || (whole && !Number.isInteger(number)));
  const give = () => { if (!bad && text.trim() !== value) set(text.trim()); };
  return html`<div class="control"><label><span>${label}</span>
    <input type="text" inputmode="decimal" size="7" placeholder=${hint} value=${text} disabled=${disabled} aria-invalid=${bad}
      title=${bad ? `A ${whole ? "whole " : ""}number from ${least}${most === Infinity ? "" : ` to ${most}`}` : ""}
      onInput=${(/** @type {Event} */ event) => setText(/** @type {HTMLInputElement} */ (event.target).value)}
      onBlur=${give} onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter") give(); }} /></label>${
    help !== undefined && html`<${Help} ...${help} of=${`“${label}”`} />`}</div>`;
}

/** @param {{label: string, on: boolean, set: (on: boolean) => void, disabled?: boolean}} properties */
export function Check({ label, on, set, disabled = false }) {
  return html`<label class="check"><input type="checkbox" checked=${on} disabled=${disabled}
    onChange=${(/** @type {Event} */ event) => set(/** @type {HTMLInputElement} */ (event.target).checked)} /> ${label}</label>`;
}

/**
 * A column's heading that orders the table.
 * @param {{title: string, by: string, sort: string, set: (by: string) => void, number?: boolean, down?: boolean, name?: string, children?: ComponentChildren}} properties
 */
export function SortHeading({ title, by, sort, set, number = false, down = true, name = "", children }) {
  const on = sort === by;
  return html`<th scope="col" class=${`${number ? "number" : ""} ${name}`} aria-sort=${on ? (down ? "descending" : "ascending") : undefined}>
    <button type="button" class="heading" onClick=${() => set(by)}>${title}<span aria-hidden="true">${on ? (down ? " ↓" : " ↑") : ""}</span></button>${children}</th>`;
}

/**
 * The text of a form's first field, without spaces around it. The field is `required`, and no button is disabled for
 * want of a text: an Enter right after the last key would meet a button that is drawn as it was before.
 * @param {Event} event
 */
export const typedIn = (event) => /** @type {HTMLFormElement} */ (event.currentTarget).querySelector("input")?.value.trim() ?? "";
