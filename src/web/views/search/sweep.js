// The same edits at several strengths, side by side.
import { html, useState } from "../../vendor/vendor.js";
import { useLoad } from "../../app/load.js";
import { DocumentService } from "../../gen/latentdb/v1/document_pb.js";
import { client } from "../../app/transport.js";
import { Dialog } from "../../parts/dialog.js";
import { fixed, percent } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Loaded, Warnings } from "../../parts/states.js";
import { nearestOf } from "./request.js";
import { searchCalls } from "../../app/searches.js";

/** @typedef {import("../../gen/latentdb/v1/search_pb.js").SweepStep} SweepStep */
/** @typedef {import("../../gen/latentdb/v1/search_pb.js").SteerSweepResponse} SteerSweepResponse */
/** @typedef {{answer: SteerSweepResponse, texts: Map<string, string>}} Swept */

const STRENGTHS = [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3];
/** Hits that are shown at each strength. */
const HITS = 6;

const documents = client(DocumentService);

/** @param {{collection: string, state: import("./state.js").SearchState, onClose: () => void}} properties */
export function Sweep({ collection, state, onClose }) {
  const [strengths] = useState(STRENGTHS);
  const swept = useLoad(async (signal) => {
    const nearest = nearestOf(state) ?? {};
    const filter = state.filter.trim() === "" ? {} : { filter: { kind: { case: /** @type {const} */ ("expression"), value: state.filter } } };
    const answer = await searchCalls.steerSweep({ collection, nearest, ...filter, strengths, limit: state.limit }, { signal });
    const ids = [...new Set(answer.steps.flatMap(({ hits }) => hits.slice(0, HITS).map(({ id }) => id)))];
    const got = await documents.get({ collection, ids, projection: { text: true } }, { signal });
    return { answer, texts: new Map(got.documents.map((document) => [document.id, document.text ?? ""])) };
  }, [collection, JSON.stringify(state.parts), JSON.stringify([...state.edits]), state.how, state.filter]);
  return html`<${Dialog} wide title="Sweep: the sliders at several strengths" onClose=${onClose}>
    <${Loaded} of=${swept} lines=${10}>${(/** @type {Swept} */ { answer, texts }) => html`
      <${Warnings} of=${answer.warnings} />
      <div class="row sweep-lines">
        <${Line} steps=${answer.steps} of=${(/** @type {SweepStep} */ step) => step.targetShare} name="Hits with the concept" />
        <${Line} steps=${answer.steps} of=${(/** @type {SweepStep} */ step) => step.relevanceKept ?? 0} name="Relevance kept" />
        <${Line} steps=${answer.steps} of=${(/** @type {SweepStep} */ step) => step.overlap} name="Hits kept" />
        <${Line} steps=${answer.steps} of=${(/** @type {SweepStep} */ step) => step.steering?.cosine ?? 1} name="Cosine to the original" />
      </div>
      <div class="sweep" tabindex="0" role="region" aria-label="Hits at each strength">${answer.steps.map((step) => html`<${Step}
        key=${step.strength} step=${step} texts=${texts} />`)}</div>`}
    </${Loaded}>
  </${Dialog}>`;
}

/** @param {{steps: SweepStep[], of: (step: SweepStep) => number, name: string}} properties */
function Line({ steps, of, name }) {
  const most = Math.max(...steps.map(({ strength }) => strength), 1);
  const places = steps.map((step) => [4 + 152 * step.strength / most, 44 - 38 * Math.max(0, Math.min(1, of(step)))]);
  const told = steps.map((step) => `at ${step.strength}: ${percent(of(step), 0)}`).join(", ");
  return html`<figure class="sweep-line"><figcaption>${name}<${Help} page="methods" at="steering" of=${name} /></figcaption>
    <svg viewBox="0 0 160 48" role="img" aria-label=${`${name}: ${told}`}><line class="axis" x1="4" x2="156" y1="44" y2="44" /><line
      class="axis faint" x1="4" x2="156" y1="6" y2="6" />
      <polyline points=${places.map((place) => place.join(",")).join(" ")} />${places.map(([x, y], at) => html`<circle key=${at} cx=${x} cy=${y}
        r="2.5"><title>${
        `strength ${steps[at]?.strength}: ${percent(of(/** @type {SweepStep} */ (steps[at])), 0)}`}</title></circle>`)}</svg></figure>`;
}

/** @param {{step: SweepStep, texts: Map<string, string>}} properties */
function Step({ step, texts }) {
  return html`<section class="sweep-step"><h3>× ${fixed(step.strength, 2)}</h3>
    <ol>${step.hits.slice(0, HITS).map(({ id, unsteeredRank }, at) => {
      const moved = unsteeredRank === 0 ? "new" : unsteeredRank === at + 1 ? "same" : unsteeredRank > at + 1 ? "rose" : "fell";
      return html`<li key=${id} class=${moved} title=${id}><span
        class=${`moved ${moved}`}>${unsteeredRank === 0 ? "new" : unsteeredRank === at + 1 ? "=" : unsteeredRank > at + 1 ? `▲${unsteeredRank - at - 1}` : `▼${at + 1 - unsteeredRank}`}</span>
        <span dir="auto">${texts.get(id) ?? id}</span></li>`;
    })}</ol></section>`;
}
