// A latent's label: its score, its versions, a new one.
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";
import { at, isCancelled, problemOf } from "../../app/errors.js";
import { latentCalls } from "../../app/latents.js";
import { listAddress, listsOf } from "../../app/lists.js";
import { address } from "../../app/router.js";
import { timestampDate } from "../../wire/messages.js";
import { say } from "../../parts/say.js";
import { date, fixed } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { ListDialog } from "../../parts/list-dialog.js";
import { namesChanged } from "../../parts/names.js";

/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").Label} Label */

/** What a label of this page says of who made it. */
const SOURCE = "person";

/**
 * @param {{collection: string, latent: number, found: import("../../gen/latentdb/v1/latent_pb.js").Latent, reload: () => void}} properties
 */
export function Labels({ collection, latent, found, reload }) {
  const label = found.summary?.label;
  const [editing, setEditing] = useState(false);
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState(/** @type {string | undefined} */ (undefined));
  const scoring = useRef(/** @type {AbortController | undefined} */ (undefined));
  useEffect(() => () => scoring.current?.abort(), []);
  /** @param {string} what @param {() => Promise<unknown>} work @param {string} done */
  const change = async (what, work, done) => {
    setBusy(what);
    try {
      await work();
      setProblem(undefined);
      setEditing(false);
      namesChanged(collection);
      reload();
      say(done);
    } catch (error) {
      const said = problemOf(error);
      if (isCancelled(error)) say("Stopped.");
      else setProblem(at(said, /./) ?? `${said.title}. ${said.message}`);
    }
    setBusy("");
  };
  const save = (/** @type {string} */ text) => change("save", () => latentCalls.setLabels({ collection, labels: [{ latent, text, source: SOURCE }] }), "The label is set.");
  const score = () => change("score", async () => {
    scoring.current = new AbortController();
    const { signal } = scoring.current;
    for await (const progress of latentCalls.scoreLabels({ collection, latents: [latent] }, { signal })) void progress;
  }, "Scored.");
  const use = (/** @type {number} */ version) => change("use", () => latentCalls.useLabel({ collection, latent, version }), `Version ${version} is in use.`);
  const to = (/** @type {Record<string, string>} */ params) => address({ collection, view: "search", params });
  return html`<header class="latent-head">
    <p class="small-print"><a href=${address({ collection, view: "latents" })}>Latents</a> / ${latent}</p>
    <div class="row"><h1><span class="latent-number">${latent}</span> ${label === undefined ? html`<i class="muted">no label</i>` : html`<span
      dir="auto" data-testid="label">${label.text}</span>`}</h1>
      ${label?.lowConfidence && html`<abbr class="doubt" title="The score is below 0.3: the label tells little about the latent">?</abbr>`}
      <button type="button" class="small" aria-expanded=${editing} onClick=${() => setEditing(!editing)}>Edit the label</button></div>
    ${editing && html`<${Edit} text=${label?.text ?? ""} busy=${busy === "save"} save=${save} cancel=${() => setEditing(false)} />`}
    ${problem !== undefined && html`<p class="field-error" role="alert" dir="auto">${problem}</p>`}
    <div class="row label-facts">
      <${Score} label=${label} />
      ${label !== undefined && html`<button type="button" class="small" disabled=${busy !== ""}
        onClick=${score}>${busy === "score" ? "Scoring…" : label.scores.length === 0 ? "Score it" : "Score again"}</button>`}
      ${busy === "score" && html`<button type="button" class="small" onClick=${() => scoring.current?.abort()}>Stop</button>`}
      ${label !== undefined && html`<span
        class="muted">by ${label.source}${label.created !== undefined && `, ${date(timestampDate(label.created))}`}</span>`}
      <${OnLists} collection=${collection} latent=${latent} />
      <span class="spacer"></span>
      <a class="button" href=${to({ kind: "latents", q: `${latent}=1` })}>Search by it</a>
      <a class="button" href=${to({ kind: "matching", filter: `latent(${latent})` })}>Its documents</a>
    </div>
    ${found.labels.length > 1 && html`<details class="versions"><summary>${found.labels.length} versions of the label</summary>
      <ul>${found.labels.map((version) => html`<li key=${version.version} class="row"><span class="number muted">${version.version}</span> <span
        dir="auto">${version.text}</span>
        <span class="small-print">by ${version.source}${version.score !== undefined && `, score ${fixed(version.score)}`}</span>
        ${version.version === label?.version ? html`<span class="small-print">in use</span>` : html`<button type="button" class="small"
          disabled=${busy !== ""} onClick=${() => use(version.version)}>Use</button>`}</li>`)}</ul></details>`}
  </header>`;
}

/** The person's lists that it is on, and a way onto others. @param {{collection: string, latent: number}} properties */
function OnLists({ collection, latent }) {
  const [open, setOpen] = useState(false);
  const on = listsOf(collection).filter(({ latents }) => latents.includes(latent));
  return html`<span class="row on-lists" data-testid="on-lists">${on.length > 0 && html`<span class="muted">on</span>`}${on.map((list) => html`<a key=${list.name} class="chip"
      href=${listAddress(collection, list)}><span class="chip-text" dir="auto">${list.name}</span></a>`)}
    <button type="button" class="small" onClick=${() => setOpen(true)}>${on.length === 0 ? "Put it on a list" : "Lists"}</button></span>
    ${open && html`<${ListDialog} title=${`Lists of latent ${latent}`} collection=${collection} latents=${[latent]} onClose=${() => setOpen(false)} />`}`;
}

/** @param {{text: string, busy: boolean, save: (text: string) => void, cancel: () => void}} properties */
function Edit({ text, busy, save, cancel }) {
  const [typed, setTyped] = useState(text);
  const send = (/** @type {Event} */ event) => {
    event.preventDefault();
    save(typed.trim());
  };
  return html`<form class="row label-edit" onSubmit=${send}><input type="text" class="grow" dir="auto" aria-label="Label" data-testid="label-text"
    value=${typed} autofocus
      placeholder="One to eight words" onInput=${(/** @type {Event} */ event) => setTyped(/** @type {HTMLInputElement} */ (event.target).value)}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") cancel(); }} />
    <button type="submit" class="primary" disabled=${busy || typed.trim() === "" || typed.trim() === text}>Save</button>
    <button type="button" onClick=${cancel}>Cancel</button></form>`;
}

/** The score of each judge's latest judgement, with its interval. @param {{label: Label | undefined}} properties */
function Score({ label }) {
  if (label === undefined) return null;
  const help = html`<${Help} page="labels" at="score-labels" of="a label's score" />`;
  const latest = new Map(label.scores.map((score) => [score.judge, score]));
  if (latest.size === 0) return html`<span class="score-fact">Score ${label.score === undefined ? "not measured" : fixed(label.score)}${help}</span>`;
  return html`${[...latest.values()].map((score) => {
    const { low, high, sameEncoder } = score;
    const about = `F1 ${fixed(score.f1)}; ${score.positives} active and ${score.negatives} inactive documents${sameEncoder ? "; the judge compares with the vectors that the SAE reads" : ""}`;
    return html`<span key=${score.judge} class="score-fact" title=${about}>
      Score <b class="number">${fixed(score.pearson)}</b>${low !== undefined && high !== undefined && html` <span class="number muted"
        data-testid="interval">(${fixed(low)} to ${fixed(high)})</span>`} <span class="muted">by ${score.judge}</span>${help}</span>`;
  })}`;
}
