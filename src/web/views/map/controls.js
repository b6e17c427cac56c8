// What the map is coloured by, and which documents are marked.
import { html } from "../../vendor/vendor.js";
import { at } from "../../app/errors.js";
import { address, update } from "../../app/router.js";
import { LatentChip } from "../../parts/chip.js";
import { Select, typedIn } from "../../parts/fields.js";
import { FilterBox } from "../../parts/filter-box.js";
import { Help } from "../../parts/help.js";
import { LabelPicker } from "../../parts/label-picker.js";
import { useNames } from "../../parts/names.js";
import { useTyped } from "../../parts/typed.js";

/** @typedef {import("../../app/collections.js").Collection} Collection */

/** @param {{collection: string, record: Collection | undefined, colour: string}} properties */
export function Colour({ collection, record, colour }) {
  const kind = colour === "" ? "" : colour.startsWith("attribute:") ? colour : colour.slice(0, colour.indexOf(":") + 1);
  const [wanted, setWanted] = useTyped(kind);
  const of = Object.fromEntries([["", "nothing"], ...(record?.attributes ?? []).map(({ name }) => [`attribute:${name}`, name]), ...((record?.nLatents ?? 0) > 0 ? [["latent:", "a latent"], ["clusters:", "clusters along an axis"]] : [])]);
  const put = (/** @type {string} */ value) => update({ colour: value }, { step: "colour" });
  const choose = (/** @type {string} */ value) => {
    setWanted(value);
    if (!value.endsWith(":")) put(value);
  };
  return html`<${Select} label="Coloured by" value=${wanted} of=${of} set=${choose} />
    ${wanted === "latent:" && html`<div class="control"><div class="labelled"><span>Latent</span><${LabelPicker} collection=${collection} label="Find a latent" pick=${(/** @type {number} */ latent) => put(`latent:${latent}`)} /></div></div>
      ${colour.startsWith("latent:") && html`<${Named} collection=${collection} record=${record} latent=${Number(colour.slice(7))} />`}`}
    ${wanted === "clusters:" && html`<${Axis} texts=${colour.startsWith("clusters:") ? colour.slice(9) : ""} put=${(/** @type {string} */ texts) => put(`clusters:${texts}`)} />`}`;
}

/** @param {{collection: string, record: Collection | undefined, latent: number}} properties */
function Named({ collection, record, latent }) {
  const names = useNames(collection, [latent], record?.nLatents ?? 0);
  return html`<span class="map-latent"><${LatentChip} collection=${collection} latent=${latent} ...${names(latent)} /></span>`;
}

/** @param {{texts: string, put: (texts: string) => void}} properties */
function Axis({ texts, put }) {
  const [text, setText] = useTyped(texts);
  return html`<form class="control" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); put(typedIn(event)); }}>
    <label><span>The axis, texts separated by semicolons</span><input type="text" required dir="auto" class="long" placeholder="price; sound quality; delivery" value=${text} data-testid="axis"
      onInput=${(/** @type {Event} */ event) => setText(/** @type {HTMLInputElement} */ (event.target).value)} /></label>
    <button>Cluster</button><${Help} page="methods" at="clustering-along-an-axis" of="a cluster" /></form>`;
}

/** @param {{collection: string, record: Collection | undefined, filter: string, problem: import("../../app/errors.js").Problem | undefined}} properties */
export function Marks({ collection, record, filter, problem }) {
  const [text, setText] = useTyped(filter);
  return html`<div class="map-marks"><${FilterBox} collection=${collection} record=${record} text=${text} onText=${setText} onEnter=${() => update({ filter: text.trim() }, { step: "marks" })} problem=${at(problem, /^filter/)} />
    <span class="row"><button type="button" disabled=${text.trim() === filter} onClick=${() => update({ filter: text.trim() }, { step: "marks" })} data-testid="mark">Mark</button>
      ${filter !== "" && html`<button type="button" class="small" onClick=${() => update({ filter: "" }, { step: "marks" })}>No marks</button>
        <a href=${address({ collection, params: { kind: "matching", filter } })}>Search these</a><a href=${address({ collection, view: "compare", params: { a: filter } })}>Compare with all others</a>`}</span></div>`;
}
