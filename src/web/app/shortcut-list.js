// The list of shortcuts.
import { html } from "../vendor/vendor.js";
import { Dialog } from "../parts/dialog.js";
import { shortcuts } from "./keyboard.js";

/** @param {{onClose: () => void}} properties */
export function ShortcutList({ onClose }) {
  return html`<${Dialog} title="Keyboard" onClose=${onClose}>
    <dl class="shortcuts">${shortcuts().map(({ keys, does }) => html`<div key=${keys}>
      <dt>${keys.split(" ").map((key) => html`<kbd key=${key}>${key}</kbd>`)}</dt><dd>${does}</dd></div>`)}
      <div><dt><kbd>Tab</kbd></dt><dd>The next control; arrow keys move sliders and walk lists</dd></div>
      <div><dt><kbd>Esc</kbd></dt><dd>Leave a box, close a dialog</dd></div>
    </dl>
  </${Dialog}>`;
}
