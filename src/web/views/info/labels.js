// Labels: how many, how good; making and scoring them.
import { html, useState } from "../../vendor/vendor.js";
import { JudgeKind, LabellerKind } from "../../gen/latentdb/v1/latent_pb.js";
import { latentCalls } from "../../app/latents.js";
import { useLoad } from "../../app/load.js";
import { address } from "../../app/router.js";
import { useJob } from "../../app/work.js";
import { Bar } from "../../parts/bars.js";
import { LatentChip } from "../../parts/chip.js";
import { say } from "../../parts/say.js";
import { Check, NumberField, Select, written } from "../../parts/fields.js";
import { Columns, Figures } from "../../parts/figures.js";
import { count, counted, fixed } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Loaded, ProblemBox } from "../../parts/states.js";
import { WorkLine } from "../../parts/work.js";
import { namesChanged } from "../../parts/names.js";

/** @typedef {import("../../app/collections.js").Collection} Collection */
/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").LatentLabel} LatentLabel */
/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").LabelScoreSummary} Summary */

/** New labels shown while they come. */
const SHOWN = 12;

/** @param {{collection: string, of: Collection}} properties */
export function Labels({ collection, of }) {
  const all = useLoad(async (signal) => {
    /** @type {LatentLabel[]} */
    const labels = [];
    for await (const message of latentCalls.listLabels({ collection }, { signal })) labels.push(...message.labels);
    return labels;
  }, [collection]);
  const changed = () => { namesChanged(collection); all.reload(); };
  return html`<section class="panel" data-testid="labels"><h2>Labels<${Help} page="labels" at="make-labels" of="a label" /></h2>
    <${Loaded} of=${all} lines=${6}>${(/** @type {LatentLabel[]} */ labels) => html`<${Standing} collection=${collection} labels=${labels} latents=${of.nLatents} />`}</${Loaded}>
    <${Make} collection=${collection} of=${of} changed=${changed} /><${Score} collection=${collection} changed=${changed} />
  </section>`;
}

/** @param {{collection: string, labels: LatentLabel[], latents: number}} properties */
function Standing({ collection, labels, latents }) {
  const scores = labels.flatMap(({ label }) => label?.score === undefined ? [] : [label.score]);
  const low = labels.filter(({ label }) => label?.lowConfidence === true).length;
  const sources = Map.groupBy(labels, ({ label }) => label?.source ?? "");
  const sorted = [...scores].sort((x, y) => x - y);
  const bins = Array.from({ length: 11 }, (_, at) => ({ name: at === 0 ? "<0" : fixed((at - 1) / 10, 1), value: 0 }));
  for (const score of scores) {
    const bin = bins[score < 0 ? 0 : Math.min(10, 1 + Math.floor(score * 10))];
    if (bin !== undefined) bin.value += 1;
  }
  return html`<${Figures} of=${[
      { name: "Labelled", value: html`<span class="share"><${Bar} share=${labels.length / Math.max(latents, 1)} /><span>${count(labels.length)} of ${count(latents)}</span></span>` },
      { name: "By", value: [...sources].map(([source, list]) => `${source} ${count(list.length)}`).join(", ") || "nobody" },
      { name: "Scored", value: scores.length === 0 ? "none yet" : `${count(scores.length)}, median ${fixed(sorted[Math.floor(sorted.length / 2)] ?? 0)}`, help: html`<${Help} page="labels" at="score-labels" of="a label's score" />` },
      { name: "Below 0.3, shown with ?", value: html`${count(low)} ${low > 0 && html`<a href=${address({ collection, view: "latents", params: { order: "score" } })}>look at them</a>`}` },
    ]} />
    ${scores.length > 0 && html`<h3>Labels by score</h3><${Columns} of=${bins} label="Labels by score" />`}`;
}

/** @param {{collection: string, of: Collection, changed: () => void}} properties */
function Make({ collection, of, changed }) {
  const job = useJob();
  const [kind, setKind] = useState("keyphrase");
  const [model, setModel] = useState("");
  const [limit, setLimit] = useState("");
  const [replace, setReplace] = useState(false);
  const [again, setAgain] = useState(false);
  const [fresh, setFresh] = useState(/** @type {LatentLabel[]} */ ([]));
  const labeller = { keyphrase: LabellerKind.KEYPHRASE, chat: LabellerKind.CHAT, local: LabellerKind.LOCAL }[kind] ?? LabellerKind.KEYPHRASE;
  const start = (/** @type {Event} */ event) => {
    event.preventDefault();
    setFresh([]);
    job.start(async (signal, report) => {
      let made = 0n;
      for await (const { done, total, written: so, labels } of latentCalls.labelLatents({ collection, labeller, model: kind === "keyphrase" ? "" : model.trim(), replace, again, limit: written(limit) ?? 0 }, { signal })) {
        report(done, total);
        made = so;
        if (labels.length > 0) setFresh((before) => [...labels, ...before].slice(0, SHOWN));
      }
      say(`${counted(made, "label")} written.`);
      changed();
    });
  };
  return html`<details class="settings"><summary>Make labels</summary><form class="controls" onSubmit=${start}>
      <${Select} label="By" value=${kind} of=${{ keyphrase: "keyphrases", chat: "the server's chat endpoint", local: "a model in the server" }} set=${setKind} help=${{ page: "labels", at: "make-labels" }} />
      ${kind !== "keyphrase" && html`<div class="control"><label><span>Model</span><input type="text" value=${model} placeholder="the server's" onInput=${(/** @type {Event} */ event) => setModel(/** @type {HTMLInputElement} */ (event.target).value)} /></label></div>`}
      <${NumberField} label="Latents at most" value=${limit} hint=${`all ${count(of.nLatents)}`} whole set=${setLimit} />
      <${Check} label="Replace labels of others" on=${replace} set=${setReplace} /><${Check} label="Label again" on=${again} set=${setAgain} />
      <button disabled=${job.running}>Make labels</button><${WorkLine} of=${job} what="Latents labelled:" /></form></details>
    ${job.problem !== undefined && html`<${ProblemBox} problem=${job.problem} />`}
    ${fresh.length > 0 && html`<div class="row" aria-label="New labels">${fresh.map(({ latent, label }) => html`<${LatentChip} key=${latent} collection=${collection} latent=${latent} label=${label?.text ?? ""} />`)}</div>`}`;
}

/** @param {{collection: string, changed: () => void}} properties */
function Score({ collection, changed }) {
  const job = /** @type {import("../../app/work.js").Job<Summary | undefined>} */ (useJob());
  const [judge, setJudge] = useState("similarity");
  const [encoder, setEncoder] = useState("");
  const [sample, setSample] = useState("");
  const kind = { similarity: JudgeKind.SIMILARITY, chat: JudgeKind.CHAT, local: JudgeKind.LOCAL }[judge] ?? JudgeKind.SIMILARITY;
  const start = (/** @type {Event} */ event) => {
    event.preventDefault();
    job.start(async (signal, report) => {
      /** @type {Summary | undefined} */
      let last;
      for await (const { done, total, summary } of latentCalls.scoreLabels({ collection, judge: kind, judgeEncoder: judge === "similarity" ? encoder.trim() : "", sample: written(sample) ?? 0 }, { signal })) {
        report(done, total);
        last = summary ?? last;
      }
      changed();
      return last;
    });
  };
  return html`<details class="settings"><summary>Score labels</summary><form class="controls" onSubmit=${start}>
      <${Select} label="Judged by" value=${judge} of=${{ similarity: "similarity of label and text", chat: "the server's chat endpoint", local: "a model in the server" }} set=${setJudge} help=${{ page: "labels", at: "score-labels" }} />
      ${judge === "similarity" && html`<div class="control"><label><span>Encoder of the judge</span><input type="text" value=${encoder} placeholder="the collection's" onInput=${(/** @type {Event} */ event) => setEncoder(/** @type {HTMLInputElement} */ (event.target).value)} /></label></div>`}
      <${NumberField} label="Drawn at random" value=${sample} hint="all" whole set=${setSample} />
      <button disabled=${job.running}>Score labels</button><${WorkLine} of=${job} what="Labels scored:">${job.value !== undefined && html`<p class="muted">${counted(job.value.scored, "label")} scored, median correlation ${fixed(job.value.medianPearson)}, median F1 ${fixed(job.value.medianF1)};
      a correlation of at least 0.3: ${count(job.value.atLeast03)}, 0.5: ${count(job.value.atLeast05)}, 0.8: ${count(job.value.atLeast08)}.</p>`}</${WorkLine}></form></details>
    ${job.problem !== undefined && html`<${ProblemBox} problem=${job.problem} />`}`;
}
