// A button with a list of things to do, which is fetched when one is first opened.
import { html, useRef, useState } from "../vendor/vendor.js";
import { useLazy } from "./lazy.js";

/** @typedef {import("../vendor/vendor.js").ComponentChildren} ComponentChildren */
/** @typedef {{label: string, run?: () => void, href?: string}} Action */

/**
 * @param {{label: string, class?: string, title?: string, actions: Action[], children: ComponentChildren}} properties
 */
export function Menu({ label, class: name = "", title, actions, children }) {
  const [open, setOpen] = useState(false);
  const root = useRef(/** @type {HTMLSpanElement | null} */ (null));
  const list = useLazy(() => import("./menu-list.js"), open);
  return html`<span class="menu" ref=${root}>
    <button type="button" class=${name} title=${title} aria-label=${label} aria-haspopup="menu" aria-expanded=${open}
      onClick=${() => setOpen(!open)}>${children}</button>
    ${list !== undefined && html`<${list.MenuList} root=${root} label=${label} actions=${actions} close=${() => setOpen(false)} />`}
  </span>`;
}
