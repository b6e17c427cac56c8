// A list of latents: what is on it, its name, whether this browser keeps it, and a search by it.
import { html, useRef, useState } from "../../vendor/vendor.js";
import { LatentOrder } from "../../gen/latentdb/v1/latent_pb.js";
import { Code, StatusError } from "../../wire/grpc-web.js";
import { latentCalls } from "../../app/latents.js";
import { LONGEST, forgetList, keepList, listAddress, listNamed, sameLatents } from "../../app/lists.js";
import { useLoad } from "../../app/load.js";
import { address, go, route } from "../../app/router.js";
import { typedIn } from "../../parts/fields.js";
import { count, counted } from "../../parts/format.js";
import { confirmed, say } from "../../parts/say.js";
import { Empty, Loaded, Warnings } from "../../parts/states.js";
import { COLUMNS, ROWS, Table, orderOf, rowOf } from "./table.js";

/** @typedef {import("../../app/lists.js").LatentList} LatentList */
/** @typedef {import("./table.js").Row} Row */

/** Latents up to this number are read in one call; those beyond one by one. */
const AT_ONCE = 8192;

/** The rows of those of the latents that there are. @param {string} collection @param {number[]} latents @param {AbortSignal} signal */
async function readRows(collection, latents, signal) {
  const last = Math.max(...latents);
  if (last < AT_ONCE) {
    const listed = await latentCalls.listLatents({ collection, order: LatentOrder.NUMBER, limit: last + 1 }, { signal });
    return listed.latents.map(rowOf);
  }
  const found = await Promise.all(latents.map((latent) => latentCalls.getLatent({ collection, latent, documents: 1 }, { signal }).then(
    ({ summary }) => summary === undefined ? [] : [rowOf(summary)],
    (error) => {
      const { code } = StatusError.from(error);
      if (code === Code.NotFound || code === Code.InvalidArgument) return [];
      throw error;
    },
  )));
  return found.flat();
}

/** @param {{collection: string, list: LatentList & {wrong: string[]}, documents: number}} properties */
export function ListView({ collection, list, documents }) {
  const { params } = route.value;
  const order = orderOf(params.get("order"), false);
  // Rows that were read are kept, so that one that is taken off leaves at once.
  const known = useRef(/** @type {Map<number, Row>} */ (new Map())).current;
  const loaded = useLoad(async (signal) => {
    const missing = list.latents.filter((latent) => !known.has(latent));
    if (missing.length > 0) for (const row of await readRows(collection, missing, signal)) known.set(row.latent, row);
    return known;
  }, [collection, list.latents.join(",")]);
  const takeOff = (/** @type {number} */ latent) => {
    const place = places().findIndex((button) => button === document.activeElement);
    const kept = sameLatents(listNamed(collection, list.name), list);
    const after = { name: list.name, latents: list.latents.filter((one) => one !== latent) };
    const problem = kept ? keepList(collection, after) : undefined;
    open(collection, after);
    if (problem !== undefined) say(problem);
    // Whoever removes by the keyboard goes on where they were.
    if (place >= 0) requestAnimationFrame(() => requestAnimationFrame(() => places()[Math.min(place, places().length - 1)]?.focus()));
  };
  return html`<${Head} collection=${collection} list=${list} />
    ${list.latents.length + list.wrong.length === 0 ? html`<${Empty} title="No latent is on this list"><p>The + of a row among <a
      href=${address({ collection, view: "latents" })}>all latents</a> puts it on a list; so does the page of a latent.</p></${Empty}>`
      : html`<${Loaded} of=${loaded} lines=${8}>${(/** @type {Map<number, Row>} */ read) => {
        const rows = list.latents.flatMap((latent) => read.get(latent) ?? []).sort(COLUMNS[order].compare);
        const missing = loaded.loading ? [] : list.latents.filter((latent) => !read.has(latent)).map(String);
        const page = Math.min(Math.max(1, Number(params.get("page")) || 1), Math.max(1, Math.ceil(rows.length / ROWS)));
        return html`<${Warnings} of=${[...list.wrong, ...missing].map((word) => `The list names “${word}”, which is no latent of ${collection}.`)} />
          ${rows.length > 0 && html`<${Table} collection=${collection} rows=${rows.slice((page - 1) * ROWS, page * ROWS)} total=${rows.length}
            order=${order} page=${page} documents=${documents} searched=${false} takeOff=${takeOff} />`}`;
      }}</${Loaded}>`}`;
}

/** The buttons that take rows off. */
function places() {
  return [...document.querySelectorAll("[data-take-off]")].map((button) => /** @type {HTMLElement} */ (button));
}

/** Shows another list in the order that is chosen. @param {string} collection @param {LatentList} list */
function open(collection, list) {
  const order = route.value.params.get("order");
  go(`${listAddress(collection, list)}${order === null ? "" : `&${new URLSearchParams({ order })}`}`);
}

/** @param {{collection: string, list: LatentList}} properties */
function Head({ collection, list }) {
  const [naming, setNaming] = useState(false);
  const kept = sameLatents(listNamed(collection, list.name), list);
  const keep = async (/** @type {string} */ name) => {
    const there = listNamed(collection, name);
    if (there !== undefined && !(kept && name === list.name) && !sameLatents(there, list)
      && !(await confirmed({ title: `Replace “${name}”?`, text: `This browser keeps a list of that name, of ${counted(there.latents.length, "latent")}.`, action: "Replace" }))) return;
    const problem = keepList(collection, { name, latents: list.latents }, kept ? list.name : name);
    setNaming(false);
    open(collection, { name, latents: list.latents });
    say(problem ?? (kept ? "Renamed." : "Kept in this browser."));
  };
  const forget = () => say(forgetList(collection, list.name) ?? "Forgotten; its link still opens it.");
  const share = () => navigator.clipboard.writeText(location.href).then(() => say("The link is copied."), () => say("The browser forbids copying here; the address bar has the link."));
  const query = list.latents.map((latent) => `${latent}=1`).join(" ");
  return html`<header class="latent-head">
    <p class="small-print"><a href=${address({ collection, view: "latents" })}>Latents</a> / list</p>
    <div class="row"><h1><span dir="auto" data-testid="list-title">${list.name === "" ? "A list of latents" : list.name}</span> <span
      class="muted">${count(list.latents.length)}</span></h1>
      <button type="button" class="small" aria-expanded=${naming} onClick=${() => setNaming(!naming)}>${kept ? "Rename" : "Keep it…"}</button>
      ${kept && html`<button type="button" class="small" onClick=${forget}>Forget it</button>`}
      <span class="small-print">${kept ? "kept in this browser" : "not kept in this browser"}</span>
      <span class="spacer"></span>
      <button type="button" onClick=${share}>Copy the link</button>
      ${list.latents.length > 0 && html`<a class="button" href=${address({ collection, view: "search", params: { kind: "latents", q: query, mode: "p90" } })}
        title="Documents by these latents, each at weight 1 of its p90">Search by it</a>`}</div>
    ${naming && html`<${Naming} name=${list.name} send=${keep} cancel=${() => setNaming(false)} />`}
  </header>`;
}

/** @param {{name: string, send: (name: string) => void, cancel: () => void}} properties */
function Naming({ name, send, cancel }) {
  const [typed, setTyped] = useState(name);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const name = typedIn(event);
    if (name !== "") send(name);
  };
  return html`<form class="row label-edit" onSubmit=${submit}><input type="text" required class="grow" dir="auto" aria-label="Name of the list"
      maxlength=${LONGEST} data-testid="list-rename" value=${typed} autofocus placeholder="As: delivery"
      onInput=${(/** @type {Event} */ event) => setTyped(/** @type {HTMLInputElement} */ (event.target).value)}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Escape") cancel(); }} />
    <button type="submit" class="primary">Keep</button>
    <button type="button" onClick=${cancel}>Cancel</button></form>`;
}
