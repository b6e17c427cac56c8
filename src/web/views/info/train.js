// Training an SAE on the collection's vectors, watched while it goes on.
import { html, useState } from "../../vendor/vendor.js";
import { models } from "../../app/admin.js";
import { useJob } from "../../app/work.js";
import { Check, NumberField, written } from "../../parts/fields.js";
import { Figures } from "../../parts/figures.js";
import { count, fixed, percent } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { ProblemBox } from "../../parts/states.js";
import { WorkLine } from "../../parts/work.js";

/** @typedef {import("../../gen/latentdb/v1/model_pb.js").TrainSaeProgress} Step */

const HELP = { page: "training", at: "train-on-a-collection" };
/** Steps that the curve keeps. */
const KEPT = 400;

/**
 * @param {{of: import("../../app/collections.js").Collection, trained: (hash: string) => void}} properties
 *   `trained`: told the hash of the SAE, by which the server keeps it.
 */
export function Train({ of, trained }) {
  const job = /** @type {import("../../app/work.js").Job<Step | undefined>} */ (useJob());
  const [given, setGiven] = useState({ latents: "", k: "", epochs: "", seed: "", seeds: "" });
  const [matryoshka, setMatryoshka] = useState(false);
  const [steps, setSteps] = useState(/** @type {Step[]} */ ([]));
  const number = (/** @type {keyof typeof given} */ name) => ({ value: given[name], set: (/** @type {string} */ value) => setGiven({ ...given, [name]: value }), whole: true, help: HELP });
  const start = (/** @type {Event} */ event) => {
    event.preventDefault();
    setSteps([]);
    job.start(async (signal, report) => {
      /** @type {Step | undefined} */
      let last;
      for await (const step of models.trainSae({
        collection: of.name, nLatents: written(given.latents) ?? 0, k: written(given.k) ?? 0, epochs: written(given.epochs) ?? 0,
        seed: BigInt(written(given.seed) ?? 0), seeds: written(given.seeds) ?? 0, matryoshka,
      }, { signal })) {
        report(step.step, step.steps);
        last = step;
        setSteps((before) => [...before.slice(-KEPT), step]);
      }
      trained(last?.sae?.sha256 ?? "");
      return last;
    });
  };
  const now = steps.at(-1);
  return html`<details class="settings"><summary>Train an SAE</summary><form class="controls" onSubmit=${start}>
      <${NumberField} label="Latents to learn" hint="by size" ...${number("latents")} /><${NumberField} label="Active at once (k)" hint="by size" ...${number("k")} />
      <${NumberField} label="Passes" hint="by size" ...${number("epochs")} /><${NumberField} label="Seed" hint="0" ...${number("seed")} />
      <${NumberField} label="Trainings, each from a seed" hint="1" ...${number("seeds")} least=${1} most=${20} help=${{ page: "training", at: "stability" }} />
      <${Check} label="Matryoshka" on=${matryoshka} set=${setMatryoshka} />
      <button disabled=${job.running}>Train</button><${WorkLine} of=${job} what="Steps:" /></form>
    ${job.problem !== undefined && html`<${ProblemBox} problem=${job.problem} />`}
    ${now !== undefined && html`<div class="training" data-testid="training"><${Curve} steps=${steps} /><${Figures} of=${[
      { name: "FVU of the latest steps", value: fixed(now.fvu, 4), help: html`<${Help} page="methods" at="quality" of="FVU" />` },
      now.heldOutFvu !== undefined && { name: "FVU held out", value: fixed(now.heldOutFvu, 4), help: html`<${Help} page="methods" at="quality" of="FVU on vectors that training did not see" />` },
      { name: "Dead latents", value: percent(now.dead), help: html`<${Help} page="methods" at="quality" of="a dead latent" />` },
      { name: "L0", value: fixed(now.l0, 1), help: html`<${Help} page="methods" at="quality" of="L0" />` },
      { name: "Vectors a second", value: count(Math.round(now.examplesPerSecond)) },
      now.sae?.recurrence !== undefined && { name: "Latents that recur", value: count(now.sae.recurrence.recurring), help: html`<${Help} page="training" at="stability" of="a latent that comes back from other seeds" />` },
      now.quality !== undefined && { name: "Cosine, held out", value: fixed(now.quality.cosine, 3), help: html`<${Help} page="methods" at="quality" of="the cosine with the reconstruction" />` },
    ]} /></div>`}
    ${job.value !== undefined && !job.running && html`<p class="muted">Trained, and kept by the server; its hash stands in the form to attach it.</p>`}</details>`;
}

/** FVU over the steps. @param {{steps: Step[]}} properties */
function Curve({ steps }) {
  const most = Math.max(...steps.map(({ fvu }) => fvu), 0.01);
  const points = steps.map(({ fvu }, place) => `${((place / Math.max(steps.length - 1, 1)) * 240).toFixed(1)},${(60 - (fvu / most) * 56).toFixed(1)}`);
  return html`<svg class="curve" viewBox="0 0 240 62" preserveAspectRatio="none" role="img" aria-label=${`FVU from ${fixed(steps[0]?.fvu ?? 0, 3)} to ${fixed(steps.at(-1)?.fvu ?? 0, 3)}`}><polyline points=${points.join(" ")} /></svg>`;
}
