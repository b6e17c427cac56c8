// One hit: text, why it is here, what to do with it.
import { html, useState } from "../../vendor/vendor.js";
import { address } from "../../app/router.js";
import { SignedBar } from "../../parts/bars.js";
import { AttributeChip, LatentChip } from "../../parts/chip.js";
import { say } from "../../parts/say.js";
import { withCondition } from "../../parts/filter-text.js";
import { fixed, short, signed, valueText } from "../../parts/format.js";
import { styled, useLazy } from "../../parts/lazy.js";
import { Menu } from "../../parts/menu.js";
import { DocumentText } from "../../parts/text.js";
import { turned } from "./sliders.js";
import { steers } from "./state.js";

/** @typedef {import("../../gen/latentdb/v1/search_pb.js").Hit} HitMessage */
/** @typedef {import("../../gen/latentdb/v1/search_pb.js").LatentContribution} LatentContribution */
/** @typedef {import("./state.js").SearchState} SearchState */
/** @typedef {{part: number, score: number, latent: number}} Scale */

/** Attributes shown before the others fold. */
const ATTRIBUTES = 6;

/** @param {import("./view.js").Shared & {hit: HitMessage, rank: number, scale: Scale, moved: ReturnType<typeof import("./run.js").movement>}} properties */
export function Hit({ hit, rank, scale, moved, ...shared }) {
  const { collection, state } = shared;
  const [why, setWhy] = useState(false);
  const parted = useLazy(() => styled(import("./why.js"), "search-more"), why);
  const id = hit.document?.id ?? "";
  const text = hit.document?.text;
  // Of the query that found it, which the form may be ahead of.
  const scored = hit.components.some(({ name }) => name !== "matching");
  const attributes = Object.entries(hit.document?.attributes ?? {}).sort(([a], [b]) => a < b ? -1 : 1);
  const several = state.parts.length > 1 || state.parts[0]?.kind === "hybrid";
  const parts = hit.components.filter(({ name }) => name !== "matching");
  return html`<li class="hit" data-testid="hit" data-id=${id} tabindex="-1">
    <div class="hit-head">
      <span class="rank number">${rank}</span><${Moved} moved=${moved} />
      ${scored && html`<span class="score number" title="Score at the root of the query">${short(hit.score)}</span>`}
      <span class="hit-id" dir="auto">${id}</span>
      ${attributes.slice(0, ATTRIBUTES).map(([name, value]) => html`<${AttributeChip} key=${name} name=${name} value=${valueText(value)} />`)}
      <${Menu} class="quiet small" label=${`More for ${id}`} title="More" actions=${[
        { label: "More like this", href: address({ collection, view: "search", params: { kind: "like", q: id } }) },
        { label: "Copy the id", run: () => navigator.clipboard.writeText(id).then(() => say("Copied."), () => say("The browser forbids copying here.")) },
        { label: why ? "Hide the parts" : "Why is it here?", run: () => setWhy(!why) },
      ]}>⋯</${Menu}>
    </div>
    ${text === undefined ? html`<p class="muted">No text is stored.</p>` : html`<${DocumentText} text=${text} marks=${marksOf(hit)} />`}
    <div class="hit-why">
      ${several && html`<div class="parts">${parts.filter(({ rank: at, contribution }) => at > 0 || contribution !== 0).map((part) =>
        html`<span key=${part.name} class="part" title=${`${part.name}: score ${short(part.score)}, rank ${part.rank}`}>
          <span class="part-name">${part.name}</span><${SignedBar} value=${part.contribution} most=${scale.part}
            label=${`${part.name} ${signed(part.contribution, 3)}`} />
          <span class="number">${signed(part.contribution, 3)}</span></span>`)}</div>`}
      ${hit.latents.map((one, at) => html`<${Contribution} key=${keyOf(hit.latents, at)} ...${shared} one=${one}
        scale=${scale} />`)}
      ${!why && html`<button type="button" class="link" onClick=${() => setWhy(true)}>Why?</button>`}
    </div>
    ${parted !== undefined && html`<${parted.Why} hit=${hit} scale=${scale} rest=${attributes.slice(ATTRIBUTES)} close=${() => setWhy(false)} />`}
  </li>`;
}

/** A boosted latent stands twice: for the query and for the boost. @param {LatentContribution[]} latents @param {number} at */
function keyOf(latents, at) {
  const name = (/** @type {LatentContribution | undefined} */ one) => `${one?.component} ${one?.latent}`;
  const own = name(latents[at]);
  return latents.slice(0, at).some((one) => name(one) === own) ? `${own} again` : own;
}

/** @param {HitMessage} hit */
function marksOf(hit) {
  const words = hit.highlights.flatMap(({ span }) => span === undefined ? [] : [{ start: span.start, end: span.end, kind: "word" }]);
  const latents = hit.latents.flatMap(({ latent, label, span }) => span === undefined ? []
    : [{ start: span.start, end: span.end, kind: "latent", title: `${latent} ${label} is strongest here` }]);
  return [...words, ...latents];
}

/** @param {{moved: ReturnType<typeof import("./run.js").movement>}} properties */
function Moved({ moved }) {
  if (moved === undefined) return null;
  const { text, says } = {
    rose: { text: `▲${moved.by}`, says: `rose by ${moved.by}` },
    fell: { text: `▼${moved.by}`, says: `fell by ${moved.by}` },
    same: { text: "=", says: "where it was" },
    new: { text: "new", says: "not among the first 200 without steering" },
  }[moved.kind];
  return html`<span class=${`moved ${moved.kind}`} title=${says} data-testid="moved"><span aria-hidden="true">${text}</span><span
    class="visually-hidden">${says}</span></span>`;
}

/** A latent of the hit, with what can be done about it. @param {import("./view.js").Shared & {one: LatentContribution, scale: Scale}} properties */
function Contribution({ collection, state, one, scale, change, moveSliders }) {
  const { latent, label, contribution } = one;
  const contributes = one.component !== "";
  /** @type {import("../../parts/menu.js").Action[]} */
  const steering = steers(state) === "nothing" ? [] : [
    { label: "More of it", run: () => moveSliders(turned(state, latent, 1)) },
    { label: "Less of it", run: () => moveSliders(turned(state, latent, -1)) },
  ];
  return html`<${LatentChip} collection=${collection} latent=${latent} label=${label} low=${one.lowConfidence} negative=${contribution < 0}
    note=${contributes ? signed(contribution, 3) : fixed(one.activation)} share=${contributes ? Math.abs(contribution) / scale.latent : 0}
    actions=${[...steering,
      { label: "Only documents with it", run: () => change({ filter: withCondition(state.filter, `latent(${latent})`) }) },
      { label: "Only documents without it", run: () => change({ filter: withCondition(state.filter, `not latent(${latent})`) }) }]} />`;
}
