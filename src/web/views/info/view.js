// A collection: what it is made of, how good it is, what is kept with it.
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";
import { timestampDate } from "../../wire/messages.js";
import { admin } from "../../app/admin.js";
import { collections, collectionsChanged } from "../../app/collections.js";
import { useLoad } from "../../app/load.js";
import { address, go, route } from "../../app/router.js";
import { useJob } from "../../app/work.js";
import { confirmed, say } from "../../parts/say.js";
import { Figures, Share } from "../../parts/figures.js";
import { bytes, count, counted, date } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Loaded, ProblemBox } from "../../parts/states.js";
import { WorkLine } from "../../parts/work.js";
import { Kept } from "./kept.js";
import { Labels } from "./labels.js";
import { Quality } from "./quality.js";
import { Saes } from "./saes.js";

/** @typedef {import("../../app/collections.js").Collection} Collection */

/** Milliseconds between readings of the record, so that an ingest is seen. */
const PAUSE = 3000;

export function View() {
  const { collection } = route.value;
  const name = collection.split(":", 1)[0] ?? "";
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) setTurn((before) => before + 1); }, PAUSE);
    return () => clearInterval(timer);
  }, []);
  const record = useLoad((signal) => collections.getCollection({ name }, { signal }), [name, turn]);
  return html`<div class="view info"><h1 dir="auto">${collection}</h1>
    <${Loaded} of=${{ ...record, loading: false }} lines=${12}>${(/** @type {Collection} */ of) => html`
      ${of.damage !== "" && html`<div class="problem" role="alert"><p><strong>Files are damaged.</strong> ${of.damage}</p></div>`}
      <${Record} of=${of} />
      <${Saes} of=${of} changed=${() => { record.reload(); collectionsChanged(); }} />
      ${of.nLatents > 0 && html`<${Labels} collection=${collection} of=${of} /><${Quality} collection=${collection} of=${of} />`}
      <${Kept} collection=${collection} />
      <${Actions} of=${of} changed=${record.reload} />`}</${Loaded}>
  </div>`;
}

/** @param {{of: Collection}} properties */
function Record({ of }) {
  const { encoder, analyzer } = of;
  const words = [analyzer?.stemming ? `stemming: ${analyzer.stemming}` : "as they stand", ...(analyzer?.stopWords ? [`without stop words: ${analyzer.stopWords}`] : []), ...(analyzer?.foldDiacritics ? ["without diacritics"] : [])];
  return html`<section class="panel"><${Figures} of=${[
      { name: "Documents", value: html`${count(of.documents)} <${Growth} of=${of} />` },
      { name: "Latents", value: of.nLatents === 0 ? "no SAE yet" : count(of.nLatents), help: html`<${Help} page="concepts" at="latents" of="a latent" />` },
      { name: "Encoder", value: encoder === undefined ? "none: clients bring vectors" : `${encoder.model}, ${encoder.dimension} values, ${encoder.maxTokens} tokens`, title: encoder?.sha256 },
      of.cutTexts > 0n && { name: "Longer than it reads", value: html`${count(of.cutTexts)} texts<${Help} page="ingest" at="long-texts" of="texts that are cut" />` },
      { name: "Vectors in the graph", value: of.vectors === 0n ? "no vectors" : html`<${Share} share=${Number(of.vectorsInGraph) / Number(of.vectors)} label="In the graph" />`, help: html`<${Help} page="operations" at="data" of="the graph" />` },
      of.graphFailure !== "" && { name: "Graph", value: html`<span class="field-error" role="alert">not built: ${of.graphFailure}</span>` },
      { name: "Segments", value: count(of.segments), help: html`<${Help} page="operations" at="data" of="a segment" />` },
      { name: "On disk", value: bytes(of.diskBytes) },
      { name: "Last commit", value: count(of.sequence), help: html`<${Help} page="concepts" at="snapshots" of="a commit" />` },
      { name: "Words of the text", value: words.join(", "), help: html`<${Help} page="concepts" at="words" of="a word" />` },
      of.created !== undefined && { name: "Created", value: date(timestampDate(of.created)) },
    ]} />
    <h3>Attributes</h3>
    ${of.attributes.length === 0 ? html`<p class="muted">No document has one.</p>` : html`<p class="row">${of.attributes.map(({ name, kinds }) => html`
      <span key=${name} class="attribute-kind"><span dir="auto">${name}</span> <span class="muted">${kinds.join(", ")}</span></span>`)}</p>`}
  </section>`;
}

/** How many documents came since the view was opened. @param {{of: Collection}} properties */
function Growth({ of }) {
  const first = useRef({ documents: of.documents, at: Date.now() });
  const more = Number(of.documents - first.current.documents);
  if (more === 0) return null;
  const seconds = Math.max(1, (Date.now() - first.current.at) / 1000);
  return html`<span class="muted" role="status">${more > 0 ? "+" : "−"}${count(Math.abs(more))} since this was opened, ${count(Math.abs(more) / seconds)}/s</span>`;
}

/** @param {{of: Collection, changed: () => void}} properties */
function Actions({ of, changed }) {
  const job = useJob();
  const optimize = () => job.start(async (signal) => {
    const { segments } = await admin.optimize({ collection: of.name }, { signal });
    say(`Merged into ${counted(segments, "segment")}.`);
    changed();
  });
  const drop = async () => {
    const sure = await confirmed({ title: `Drop “${of.name}”?`, text: `Its ${counted(of.documents, "document")}, saved sets and labels are gone with it.`, action: "Drop the collection" });
    if (!sure) return;
    job.start(async (signal) => {
      await collections.dropCollection({ name: of.name }, { signal });
      collectionsChanged();
      say("Dropped.");
      go(address({}));
    });
  };
  return html`<section class="panel"><h2>Actions</h2><div class="row">
      <button type="button" disabled=${job.running} onClick=${optimize}>Merge the segments</button><${Help} page="operations" at="data" of="merging" />
      <button type="button" class="danger" disabled=${job.running} onClick=${drop}>Drop the collection</button>
      <${WorkLine} of=${job} what="Working" /></div>${job.problem !== undefined && html`<${ProblemBox} problem=${job.problem} />`}</section>`;
}
