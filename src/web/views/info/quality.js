// How the latents of a collection are spread, and how well the SAE reconstructs its vectors.
import { html } from "../../vendor/vendor.js";
import { LatentOrder } from "../../gen/latentdb/v1/latent_pb.js";
import { models } from "../../app/admin.js";
import { latentCalls } from "../../app/latents.js";
import { useLoad } from "../../app/load.js";
import { useJob } from "../../app/work.js";
import { Columns, Figures } from "../../parts/figures.js";
import { count, fixed, percent } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Loaded, ProblemBox } from "../../parts/states.js";
import { WorkLine } from "../../parts/work.js";

/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").LatentSummary} LatentSummary */
/** @typedef {import("../../gen/latentdb/v1/model_pb.js").SaeQuality} SaeQuality */

/** The most latents a list has. */
const ALL = 100_000;
/** Lower bounds of the bins of density. */
const BOUNDS = [0.00001, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3];
const NAMES = [">0", "0.01%", "0.03%", "0.1%", "0.3%", "1%", "3%", "10%", "30%"];

/** @param {{collection: string, of: import("../../app/collections.js").Collection}} properties */
export function Quality({ collection, of }) {
  const listed = useLoad(async (signal) => (await latentCalls.listLatents({ collection, limit: ALL, order: LatentOrder.NUMBER }, { signal })).latents, [collection, of.sequence]);
  const job = /** @type {import("../../app/work.js").Job<SaeQuality | undefined>} */ (useJob());
  const evaluate = () => job.start(async (signal) => (await models.evaluateSae({ collection }, { signal })).quality);
  return html`<section class="panel" data-testid="quality"><h2>Quality<${Help} page="methods" at="quality" of="the quality of an SAE" /></h2>
    <${Loaded} of=${listed} lines=${6}>${(/** @type {LatentSummary[]} */ latents) => html`<${Densities} latents=${latents} />`}</${Loaded}>
    <div class="row below"><button type="button" disabled=${job.running} onClick=${evaluate} data-testid="evaluate">Measure the SAE on the collection's vectors</button>
      <${WorkLine} of=${job} what="Measuring" /></div>${job.problem !== undefined && html`<${ProblemBox} problem=${job.problem} />`}
    ${job.value !== undefined && html`<${Measured} quality=${job.value} />`}
  </section>`;
}

/** @param {{latents: LatentSummary[]}} properties */
function Densities({ latents }) {
  const bins = [{ name: "none", value: 0 }, ...NAMES.map((name) => ({ name, value: 0 }))];
  for (const { density } of latents) {
    const bin = bins[density === 0 ? 0 : 1 + Math.max(0, BOUNDS.findLastIndex((bound) => density >= bound))];
    if (bin !== undefined) bin.value += 1;
  }
  const dead = latents.filter(({ documents }) => documents === 0n).length;
  return html`<h3>Latents by the share of documents in which they are active<${Help} page="concepts" at="latents" of="the density of a latent" /></h3>
    <${Columns} of=${bins} label="Latents by density, from" /><p class="small-print">Bins begin at the share written. ${count(dead)} of ${count(latents.length)} latents are active in no document<${Help} page="methods" at="quality" of="a dead latent" />.</p>`;
}

/** @param {{quality: SaeQuality}} properties */
function Measured({ quality }) {
  const methods = (/** @type {string} */ of) => html`<${Help} page="methods" at="quality" of=${of} />`;
  return html`<${Figures} of=${[
    { name: "Vectors", value: count(quality.rows) },
    { name: "FVU", value: fixed(quality.fvu, 4), help: methods("FVU") },
    { name: "L0", value: fixed(quality.l0, 1), help: methods("L0") },
    { name: "Dead latents", value: percent(quality.dead), help: methods("a dead latent") },
    { name: "Cosine with the reconstruction", value: fixed(quality.cosine, 3), help: methods("the cosine with the reconstruction") },
    quality.encoderDecoderCosine !== undefined && { name: "Encoder and decoder, median cosine", value: fixed(quality.encoderDecoderCosine.p50, 3), help: methods("the cosine of encoder and decoder") },
    quality.recall !== undefined && { name: `Neighbours kept, top ${quality.recall.k}`, value: percent(quality.recall.recall), help: methods("how many neighbours the reconstruction keeps") },
  ]} />`;
}
