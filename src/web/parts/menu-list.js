// The list under a menu's button. Arrow keys walk it, Escape closes it.
import { html, useLayoutEffect } from "../vendor/vendor.js";

/** @typedef {import("./menu.js").Action} Action */

/**
 * @param {object} properties
 * @param {import("../vendor/vendor.js").RefObject<HTMLElement | null>} properties.root  The menu, with its button.
 * @param {string} properties.label
 * @param {Action[]} properties.actions
 * @param {() => void} properties.close
 */
export function MenuList({ root, label, actions, close }) {
  // Before it is seen: a key that is pressed then is the list's.
  useLayoutEffect(() => {
    items(root.current)[0]?.focus();
    const outside = (/** @type {Event} */ event) => {
      if (!root.current?.contains(/** @type {Node} */ (event.target))) close();
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, []);

  const leave = () => {
    close();
    root.current?.querySelector("button")?.focus();
  };
  /** @param {KeyboardEvent} event */
  const walk = (event) => {
    const list = items(root.current);
    const at = list.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) list[(at + step + list.length) % list.length]?.focus();
    else if (event.key === "Escape") leave();
    else if (event.key === "Tab") close();
    if (step !== 0 || event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  const item = (/** @type {Action} */ action) => action.href === undefined
    ? html`<button key=${action.label} type="button" role="menuitem" tabindex="-1"
      onClick=${() => { leave(); action.run?.(); }}>${action.label}</button>`
    : html`<a key=${action.label} role="menuitem" tabindex="-1" href=${action.href} onClick=${close}>${action.label}</a>`;
  return html`<span class="menu-list" role="menu" aria-label=${label} onKeyDown=${walk}>${actions.map(item)}</span>`;
}

/** @param {HTMLElement | null} root @returns {HTMLElement[]} */
function items(root) {
  return [...(root?.querySelectorAll("[role=menuitem]") ?? [])].map((item) => /** @type {HTMLElement} */ (item));
}
