// The SAEs of a collection, how they fit, attaching and detaching.
import { html, useState } from "../../vendor/vendor.js";
import { at } from "../../app/errors.js";
import { collections } from "../../app/collections.js";
import { useJob } from "../../app/work.js";
import { confirmed, say } from "../../parts/say.js";
import { Check, NumberField, written } from "../../parts/fields.js";
import { bytes, count, fixed } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Empty, ProblemBox } from "../../parts/states.js";
import { WorkLine } from "../../parts/work.js";
import { Train } from "./train.js";

/** @typedef {import("../../app/collections.js").Collection} Collection */
/** @typedef {import("../../gen/latentdb/v1/collection_pb.js").AttachedSae} AttachedSae */
/** @typedef {import("../../gen/latentdb/v1/collection_pb.js").Fit} Fit */
/** @typedef {AsyncIterable<import("../../gen/latentdb/v1/collection_pb.js").AttachSaeProgress>} Stream */

/** @param {{of: Collection, changed: () => void}} properties */
export function Saes({ of, changed }) {
  const job = useJob();
  const [hash, setHash] = useState("");
  const [refused, setRefused] = useState(false);
  const follow = (/** @type {(signal: AbortSignal) => Stream} */ call, /** @type {string} */ done) => job.start(async (signal, report) => {
    for await (const { done: documents, total } of call(signal)) report(documents, total);
    say(done);
    changed();
  });
  const detach = async (/** @type {AttachedSae} */ sae) => {
    setRefused(sae.name === "");
    if (sae.name === "") return;
    if (!(await confirmed({ title: `Detach ${sae.name}?`, text: "Its latents leave all documents. Its labels are kept for when it comes back.", action: "Detach" }))) return;
    follow((signal) => collections.detachSae({ collection: of.name, name: sae.name }, { signal }), "Detached.");
  };
  return html`<section class="panel" data-testid="saes"><header class="row"><h2>SAEs<${Help} page="concepts" at="one-list-of-saes" of="the list of SAEs" /></h2>
      <${WorkLine} of=${job} what="Documents coded:" /></header>
    ${of.saes.length === 0 ? html`<${Empty} title="No SAE yet"><p>Train one with <code>latentdb sae train --collection ${of.name} --out DIR</code>, then attach it here.</p></${Empty}>`
      : html`<div class="scroll-x"><table class="saes"><thead><tr><th>Name</th><th>Kind</th><th class="number">Latents</th>
          <th>Fit<${Help} page="training" at="does-it-fit" of="the fit" /></th><th class="number">L0<${Help} page="methods" at="quality" of="L0" /></th>
          <th class="number">On disk</th><th class="number">Weights</th><th><span class="visually-hidden">Detach</span></th></tr></thead>
        <tbody>${of.saes.map((sae, place) => html`<tr key=${sae.name} title=${sae.sae?.sha256}><td dir="auto">${sae.name || html`<i>default</i>`}</td>
          <td>${sae.sae?.architecture ?? ""}${sae.sae !== undefined && sae.sae.k > 0 && `, k ${sae.sae.k}`}, ${sae.reader === undefined ? "of vectors" : `of ${sae.reader.model} layer ${sae.reader.layer}`}</td>
          <td class="number">${count(sae.sae?.nLatents ?? 0)}</td><td><${Fitting} fit=${sae.fit ?? (place === 0 ? of.fit : undefined)} /></td>
          <td class="number">${l0(sae.fit ?? (place === 0 ? of.fit : undefined))}</td>
          <td class="number">${bytes(sae.latentsBytes)}</td><td class="number">${sae.weightsBytes === 0n ? "not open" : bytes(sae.weightsBytes)}</td>
          <td class="number"><button type="button" class="small" disabled=${job.running} aria-label=${`Detach ${sae.name || "the default SAE"}`} onClick=${() => detach(sae)}>Detach</button></td></tr>`)}</tbody></table></div>`}
    ${refused && html`<p class="field-error" role="alert">The default SAE cannot be detached, only replaced: attach another without a name, and it takes its place.</p>`}
    ${of.vectors > 0n && html`<${Train} of=${of} trained=${setHash} />`}
    <${Attach} key=${hash} hash=${hash} of=${of} busy=${job.running} problem=${job.problem} attach=${(/** @type {Parameters<typeof collections.attachSae>[0]} */ request) =>
      follow((signal) => collections.attachSae(request, { signal }), "Attached.")} />
    ${job.problem !== undefined && html`<${ProblemBox} problem=${job.problem} />`}
  </section>`;
}

/** @param {Fit | undefined} fit */
function l0(fit) {
  if (fit?.l0 === undefined) return "–";
  return `${fixed(fit.l0, 1)}${fit.ownL0 === undefined ? "" : ` (${fixed(fit.ownL0, 1)})`}`;
}

/** FVU of the last vectors against the limit; the mark is that of its training. @param {{fit: Fit | undefined}} properties */
function Fitting({ fit }) {
  if (fit?.fvu === undefined) return html`<span class="muted">not measured yet</span>`;
  const most = Math.max(fit.limit, fit.fvu, 0.01) * 1.15;
  const x = (/** @type {number} */ value) => (100 * value) / most;
  const bad = fit.fvu > fit.limit;
  const said = `FVU ${fixed(fit.fvu, 3)} of the last ${count(fit.vectors)} vectors, limit ${fixed(fit.limit, 3)}${fit.ownFvu === undefined ? "" : `, in training ${fixed(fit.ownFvu, 3)}`}`;
  return html`<span class="fit" title=${said}><svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=${said}>
      <rect class="bar-track" width="100" height="10" /><rect class=${bad ? "bar-down" : "bar-up"} width=${x(fit.fvu)} height="10" />
      <line class="fit-limit" x1=${x(fit.limit)} x2=${x(fit.limit)} y1="0" y2="10" />${fit.ownFvu !== undefined && html`<line class="fit-own" x1=${x(fit.ownFvu)} x2=${x(fit.ownFvu)} y1="0" y2="10" />`}</svg>
    <span class="number">FVU ${fixed(fit.fvu, 3)}</span> <span class="muted number">limit ${fixed(fit.limit, 3)}${fit.ownFvu !== undefined && `, training ${fixed(fit.ownFvu, 3)}`}</span></span>`;
}

/** @param {{of: Collection, hash: string, busy: boolean, problem: import("../../app/errors.js").Problem | undefined, attach: (request: {collection: string, sae: string, name: string, gate: {fvuLimit: number, warn: boolean} | undefined}) => void}} properties */
function Attach({ of, hash, busy, problem, attach }) {
  const [sae, setSae] = useState(hash);
  const [name, setName] = useState("");
  const [limit, setLimit] = useState("");
  const [warn, setWarn] = useState(false);
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    attach({ collection: of.name, sae: sae.trim(), name: name.trim(), gate: limit === "" && !warn ? undefined : { fvuLimit: written(limit) ?? 0, warn } });
  };
  const field = at(problem, /^sae/);
  return html`<details class="settings" open=${hash !== ""}><summary>Attach an SAE</summary><form class="controls" onSubmit=${send}>
    <div class="control"><label><span>Hash of an SAE that the server keeps, or a folder below its --models</span><input type="text" class="long" value=${sae} aria-invalid=${field !== undefined} data-testid="attach-folder"
      onInput=${(/** @type {Event} */ event) => setSae(/** @type {HTMLInputElement} */ (event.target).value)} /></label></div>
    <div class="control"><label><span>Name; empty: the default</span><input type="text" value=${name} onInput=${(/** @type {Event} */ event) => setName(/** @type {HTMLInputElement} */ (event.target).value)} /></label></div>
    <${NumberField} label="FVU up to" value=${limit} hint="its own" set=${setLimit} help=${{ page: "methods", at: "fit-gate" }} />
    <${Check} label="Only warn of a bad fit" on=${warn} set=${setWarn} />
    <button disabled=${busy || sae.trim() === ""}>Attach</button></form></details>`;
}
