// The question that is open, as a dialog.
import { html } from "../vendor/vendor.js";
import { Dialog } from "./dialog.js";
import { question } from "./say.js";

/** Stands once in the shell. */
export function Confirmation() {
  const asked = question.value;
  if (asked === undefined) return null;
  return html`<${Dialog} title=${asked.title} onClose=${() => asked.answer(false)}>
    <p dir="auto">${asked.text}</p>
    <footer>
      <button type="button" onClick=${() => asked.answer(false)}>Cancel</button>
      <button type="button" class="danger" onClick=${() => asked.answer(true)}>${asked.action}</button>
    </footer>
  </${Dialog}>`;
}
