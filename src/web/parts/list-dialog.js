// Puts latents on lists of the person's, and takes them off.
import { html, useState } from "../vendor/vendor.js";
import { LONGEST, MOST, keepList, listAddress, listNamed, listsOf } from "../app/lists.js";
import { Dialog } from "./dialog.js";
import { typedIn } from "./fields.js";
import { counted } from "./format.js";

/** @typedef {import("../app/lists.js").LatentList} LatentList */

/** @param {{collection: string, title: string, latents: number[], onClose: () => void}} properties */
export function ListDialog({ collection, title, latents, onClose }) {
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState(/** @type {string | undefined} */ (undefined));
  const lists = listsOf(collection);
  const holds = (/** @type {LatentList} */ list) => latents.every((latent) => list.latents.includes(latent));
  const put = (/** @type {LatentList} */ { name, latents: before }) => {
    const after = [...new Set([...before, ...latents])];
    setProblem(after.length > MOST ? `“${name}” would hold ${after.length} latents; a list holds ${MOST}.` : keepList(collection, { name, latents: after }));
    return after.length <= MOST;
  };
  const take = (/** @type {LatentList} */ { name, latents: before }) => {
    setProblem(keepList(collection, { name, latents: before.filter((latent) => !latents.includes(latent)) }));
  };
  const make = (/** @type {Event} */ event) => {
    event.preventDefault();
    const name = typedIn(event);
    if (name !== "" && put(listNamed(collection, name) ?? { name, latents: [] })) setTyped("");
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${lists.length > 0 && html`<ul class="list-choices">${lists.map((list) => html`<li key=${list.name} class="row"><label><input type="checkbox"
        checked=${holds(list)} onChange=${() => holds(list) ? take(list) : put(list)} /> <span dir="auto">${list.name}</span></label>
      <a class="small-print" href=${listAddress(collection, list)} aria-label=${`Open the list ${list.name}`}
        onClick=${onClose}>${counted(list.latents.length, "latent")}</a></li>`)}</ul>`}
    <form class="row" onSubmit=${make}><input type="text" required class="grow" dir="auto" aria-label="Name of a new list" placeholder="A new list, as: delivery"
        maxlength=${LONGEST} data-testid="list-name" value=${typed} autofocus
        onInput=${(/** @type {Event} */ event) => setTyped(/** @type {HTMLInputElement} */ (event.target).value)} />
      <button type="submit" class="primary">Make the list</button></form>
    ${problem !== undefined && html`<p class="field-error" role="alert" dir="auto">${problem}</p>`}
    <p class="small-print list-about">Lists stay in this browser. The link of a list holds its latents and its name, so that it shows the list to others.</p>
    <footer><button type="button" onClick=${onClose}>Done</button></footer>
  </${Dialog}>`;
}
