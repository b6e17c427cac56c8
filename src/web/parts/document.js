// A document as lists show it, without a ranking's parts.
import { html } from "../vendor/vendor.js";
import { address } from "../app/router.js";
import { AttributeChip } from "./chip.js";
import { valueText } from "./format.js";
import { DocumentText } from "./text.js";

/** Attributes shown. */
const ATTRIBUTES = 6;

/**
 * @param {{collection: string, document: import("../gen/latentdb/v1/types_pb.js").Document | undefined, marks?: import("./text.js").Mark[], note?: string}} properties
 *   `note`: a figure beside the id.
 */
export function DocumentCard({ collection, document, marks = [], note }) {
  const id = document?.id ?? "";
  return html`<article class="document-card" data-id=${id}>
    <header class="row small-print">${note !== undefined && html`<span class="number">${note}</span>`}
      <a dir="auto" href=${address({ collection, view: "search", params: { kind: "like", q: id } })} title="More like this">${id}</a>
      ${Object.entries(document?.attributes ?? {}).sort(([a], [b]) => a < b ? -1 : 1).slice(0, ATTRIBUTES).map(([name, value]) => html`<${AttributeChip} key=${name} name=${name} value=${valueText(value)} />`)}</header>
    ${document?.text === undefined ? html`<p class="muted">No text is stored.</p>` : html`<${DocumentText} text=${document.text} marks=${marks} />`}
  </article>`;
}
