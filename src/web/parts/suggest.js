// A list of suggestions under a box: arrow keys walk it, Enter takes one, Escape closes it.
import { html, useEffect, useRef } from "../vendor/vendor.js";

/** @typedef {{insert: string, label: string, note?: string}} Suggestion */

/**
 * @param {{id: string, list: Suggestion[], chosen: number, take: (suggestion: Suggestion) => void, label: string}} properties
 */
export function Suggestions({ id, list, chosen, take, label }) {
  const box = useRef(/** @type {HTMLUListElement | null} */ (null));
  useEffect(() => {
    box.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  // Pointer down would take the focus from the box and close the list before the click.
  return html`<ul class="suggestions" role="listbox" id=${id} aria-label=${label} ref=${box}
    onPointerDown=${(/** @type {Event} */ event) => event.preventDefault()}>
    ${list.map((suggestion, at) => html`<li key=${suggestion.insert + at} id=${`${id}-${at}`} role="option" aria-selected=${at === chosen}
      onClick=${() => take(suggestion)}><span dir="auto">${suggestion.label}</span>${suggestion.note !== undefined
        && html`<span class="muted">${suggestion.note}</span>`}</li>`)}
  </ul>`;
}

/**
 * What a key does to a list that is open; true: it was for the list.
 * @param {KeyboardEvent} event
 * @param {number} size
 * @param {number} chosen  −1: none.
 * @param {{choose: (at: number) => void, take: (at: number) => void, close: () => void}} does
 */
export function suggestionKey(event, size, chosen, { choose, take, close }) {
  if (size === 0) return false;
  if (event.key === "ArrowDown") choose((chosen + 1) % size);
  else if (event.key === "ArrowUp") choose((chosen - 1 + size) % size);
  else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) take(chosen);
  else if (event.key === "Escape") close();
  else return false;
  event.preventDefault();
  event.stopPropagation();
  return true;
}
