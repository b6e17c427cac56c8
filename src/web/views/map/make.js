// Making a map, and removing one.
import { html, useState } from "../../vendor/vendor.js";
import { MapLayout, MapSpace } from "../../gen/latentdb/v1/map_pb.js";
import { analyses, expression } from "../../app/analyses.js";
import { at } from "../../app/errors.js";
import { useJob } from "../../app/work.js";
import { NumberField, Select, written } from "../../parts/fields.js";
import { FilterBox } from "../../parts/filter-box.js";
import { Help } from "../../parts/help.js";
import { ProblemBox } from "../../parts/states.js";
import { WorkLine } from "../../parts/work.js";
import { textsOf } from "./read.js";

/** @typedef {import("../../gen/latentdb/v1/map_pb.js").DocumentMap} DocumentMap */

const LAYOUTS = /** @type {Record<string, MapLayout>} */ ({ tsne: MapLayout.TSNE, pca: MapLayout.PCA, axis: MapLayout.AXIS });
const HELP = { page: "methods", at: "maps" };

/**
 * @param {object} properties
 * @param {string} properties.collection
 * @param {import("../../app/collections.js").Collection | undefined} properties.record
 * @param {boolean} properties.open
 * @param {(map: DocumentMap) => void} properties.made
 */
export function Make({ collection, record, open, made }) {
  const job = useJob();
  const [name, setName] = useState("all");
  const [filter, setFilter] = useState("");
  const [space, setSpace] = useState("vectors");
  const [layout, setLayout] = useState("tsne");
  const [axis, setAxis] = useState("");
  const [numbers, setNumbers] = useState({ sample: "", perplexity: "", seed: "" });
  const spaces = Object.fromEntries([...(record?.dimension === 0 ? [] : [["vectors", "their vectors"]]), ...(record?.nLatents === 0 ? [] : [["latents", "their latents"]])]);
  const chosen = space in spaces ? space : Object.keys(spaces)[0] ?? "vectors";
  const number = (/** @type {"sample" | "perplexity" | "seed"} */ of) => ({ value: numbers[of], set: (/** @type {string} */ value) => setNumbers({ ...numbers, [of]: value }) });
  const make = () => job.start(async (signal, report) => {
    for await (const { part } of analyses.makeMap({
      collection, name: name.trim(), filter: expression(filter), space: chosen === "latents" ? MapSpace.LATENTS : MapSpace.VECTORS,
      layout: LAYOUTS[layout], axis: layout === "axis" ? { texts: textsOf(axis) } : undefined, sample: written(numbers.sample) ?? 0, perplexity: written(numbers.perplexity) ?? 0, seed: BigInt(written(numbers.seed) ?? 0),
    }, { signal })) {
      if (part.case === "progress") report(part.value.done, part.value.total);
      else if (part.case === "map") made(part.value);
    }
  });
  const fault = at(job.problem, /^name/);
  return html`<details class="panel settings map-make" open=${open}><summary>Make a map</summary>
    <form onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); make(); }}>
      <${FilterBox} collection=${collection} record=${record} text=${filter} onText=${setFilter} onEnter=${make} problem=${at(job.problem, /^filter/)} />
      <div class="controls">
        <div class="control"><label><span>Name; one of that name is replaced</span><input type="text" value=${name} aria-invalid=${fault !== undefined} data-testid="map-name"
          onInput=${(/** @type {Event} */ event) => setName(/** @type {HTMLInputElement} */ (event.target).value)} /></label></div>
        <${Select} label="Laid out by" value=${layout} of=${{ tsne: "t-SNE of a sample, others beside", pca: "two principal components", ...("latents" in spaces && { axis: "the latents of an axis" }) }} set=${setLayout} help=${HELP} />
        ${layout === "axis"
          ? html`<div class="control"><label><span>The axis, texts separated by semicolons</span><input type="text" dir="auto" class="long" placeholder="price; sound quality; delivery" value=${axis} data-testid="map-axis"
            onInput=${(/** @type {Event} */ event) => setAxis(/** @type {HTMLInputElement} */ (event.target).value)} /></label></div>`
          : html`<${Select} label="Documents alike by" value=${chosen} of=${spaces} set=${setSpace} help=${HELP} />`}
        ${layout === "tsne" && html`<${NumberField} label="Sample" hint="10,000" least=${2} most=${50_000} whole ...${number("sample")} help=${HELP} />
          <${NumberField} label="Perplexity" hint="30" least=${1} most=${100} ...${number("perplexity")} help=${HELP} />`}
        <${NumberField} label="Seed" hint="0" whole ...${number("seed")} />
        <button class="primary" disabled=${job.running || name.trim() === "" || (layout === "axis" && textsOf(axis).length === 0)} data-testid="make-map">Make the map</button>
        <${WorkLine} of=${job} what="Laying out" again=${make} />
      </div>
      ${job.problem !== undefined && html`<${ProblemBox} problem=${job.problem} />`}
      <p class="small-print">Documents with like ${layout === "axis" ? "latents of the axis" : chosen} lie near each other; how far apart others lie says little<${Help} ...${HELP} of="a map" /></p>
    </form></details>`;
}
