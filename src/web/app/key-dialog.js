// Asks for a key.
import { html, useState } from "../vendor/vendor.js";
import { Dialog } from "../parts/dialog.js";
import { key, question } from "./access.js";

export function KeyDialog() {
  const [given, setGiven] = useState(key.value);
  const asked = question.value;
  if (asked === undefined) return null;
  /** @param {Event} event */
  const send = (event) => {
    event.preventDefault();
    asked.answer(given.trim());
  };
  return html`<${Dialog} title="This server asks for a key" onClose=${() => asked.answer(undefined)}>
    <form onSubmit=${send}>
      ${asked.why !== "" && html`<p class="field-error" role="alert">${asked.why}</p>`}
      <label class="field"><span>Key</span>
        <input type="password" autocomplete="off" data-testid="key" value=${given} autofocus
          onInput=${(/** @type {Event} */ event) => setGiven(/** @type {HTMLInputElement} */ (event.target).value)} /></label>
      <p class="muted">Made with <code>latentdb key create NAME --role read</code>. It is kept until this tab is closed.</p>
      <footer><button type="button" onClick=${() => asked.answer(undefined)}>Cancel</button>
        <button type="submit" class="primary">Use it</button></footer>
    </form>
  </${Dialog}>`;
}
