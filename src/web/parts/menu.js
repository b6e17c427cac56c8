// A button with a list of things to do. Arrow keys walk the list, Escape closes it.
import { html, useEffect, useRef, useState } from "../vendor/vendor.js";

/** @typedef {import("../vendor/vendor.js").ComponentChildren} ComponentChildren */
/** @typedef {{label: string, run?: () => void, href?: string}} Action */

/**
 * @param {{label: string, class?: string, title?: string, actions: Action[], children: ComponentChildren}} properties
 */
export function Menu({ label, class: name = "", title, actions, children }) {
  const [open, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLSpanElement | null} */ (null));
  useEffect(() => {
    if (!open) return undefined;
    items(root.current)[0]?.focus();
    const outside = (/** @type {Event} */ event) => {
      if (!root.current?.contains(/** @type {Node} */ (event.target))) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);

  const close = () => {
    setOpen(false);
    root.current?.querySelector("button")?.focus();
  };
  /** @param {KeyboardEvent} event */
  const walk = (event) => {
    if (!open) return;
    const list = items(root.current);
    const at = list.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) list[(at + step + list.length) % list.length]?.focus();
    else if (event.key === "Escape") close();
    else if (event.key === "Tab") setOpen(false);
    if (step !== 0 || event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  const item = (/** @type {Action} */ action) => action.href === undefined
    ? html`<button key=${action.label} type="button" role="menuitem" tabindex="-1"
      onClick=${() => { close(); action.run?.(); }}>${action.label}</button>`
    : html`<a key=${action.label} role="menuitem" tabindex="-1" href=${action.href} onClick=${() => setOpen(false)}>${action.label}</a>`;
  return html`<span class="menu" ref=${root} onKeyDown=${walk}>
    <button type="button" class=${name} title=${title} aria-label=${label} aria-haspopup="menu" aria-expanded=${open}
      onClick=${() => setOpen(!open)}>${children}</button>
    ${open && html`<span class="menu-list" role="menu" aria-label=${label}>${actions.map(item)}</span>`}
  </span>`;
}

/** @param {HTMLElement | null} root @returns {HTMLElement[]} */
function items(root) {
  return [...(root?.querySelectorAll("[role=menuitem]") ?? [])].map((item) => /** @type {HTMLElement} */ (item));
}
