// Dialogs: the browser's own, which keep the focus and close with Escape.
import { html, useEffect, useRef } from "../vendor/vendor.js";

/** @typedef {import("../vendor/vendor.js").ComponentChildren} ComponentChildren */

/**
 * @param {{title: string, onClose: () => void, wide?: boolean, children: ComponentChildren}} properties
 */
export function Dialog({ title, onClose, wide = false, children }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  /** A click on the backdrop is a click on the dialog itself. @param {MouseEvent} event */
  const outside = (event) => {
    if (event.target === dialog.current) onClose();
  };
  return html`<dialog ref=${dialog} class=${wide ? "wide" : ""} aria-label=${title} onClose=${onClose} onClick=${outside}>
    <div class="dialog-body">
      <header><h2>${title}</h2>
        <button type="button" class="quiet" aria-label="Close" onClick=${onClose}>✕</button></header>
      ${children}
    </div>
  </dialog>`;
}
