// The collections of this server, and how the server is.
import { html, useEffect, useState } from "../../vendor/vendor.js";
import { timestampDate } from "../../wire/messages.js";
import { admin } from "../../app/admin.js";
import { useCollections } from "../../app/collections.js";
import { useLoad } from "../../app/load.js";
import { address } from "../../app/router.js";
import { Figures } from "../../parts/figures.js";
import { bytes, count, counted, date } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Empty, Loaded } from "../../parts/states.js";
import { SlowSearches } from "./slow.js";

/** @typedef {import("../../app/collections.js").Collection} Collection */
/** @typedef {import("../../gen/latentdb/v1/admin_pb.js").ServerInfo} ServerInfo */

/** Milliseconds between readings of the server's figures. */
const PAUSE = 10_000;

export function View() {
  const listed = useCollections();
  return html`<div class="view"><h1>Collections</h1>
    <${Loaded} of=${listed}>${(/** @type {Collection[]} */ all) => all.length === 0 ? html`<${Nothing} />`
      : html`<ul class="collection-list">${all.map((one) => html`<${One} key=${one.name} one=${one} />`)}</ul>`}</${Loaded}>
    <${Server} /></div>`;
}

/** @param {{one: Collection}} properties */
function One({ one }) {
  const views = [["Search", "search"], ["Latents", "latents"], ["Compare", "compare"], ["Relations", "relations"], ["Map", "map"], ["Info", "info"]];
  return html`<li class="panel"><div class="row spread"><a href=${address({ collection: one.name })} dir="auto">${one.name}</a>
      <span class="row small-print">${views.map(([title, view]) => html`<a key=${view} class="plain-link" href=${address({ collection: one.name, view })}>${title}</a>`)}</span></div>
    <div class="muted">${[counted(one.documents, "document"), ...(one.nLatents > 0 ? [counted(one.nLatents, "latent")] : []), one.encoder?.model ?? (one.dimension > 0 ? `vectors of ${one.dimension} values` : "no vectors"),
      ...(one.saes.length > 1 ? [counted(one.saes.length, "SAE")] : []), bytes(one.diskBytes), ...(one.created === undefined ? [] : [`created ${date(timestampDate(one.created)).slice(0, 10)}`])].join(" · ")}</div>
    ${one.damage !== "" && html`<p class="field-error">${one.damage}</p>`}</li>`;
}

function Nothing() {
  return html`<${Empty} title="No collection yet"><p>Make one with <code>latentdb collection create NAME --encoder all-MiniLM-L6-v2</code>,
    or the demonstration with <code>latentdb demo</code>.</p></${Empty}>`;
}

function Server() {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) setTurn((before) => before + 1); }, PAUSE);
    return () => clearInterval(timer);
  }, []);
  const info = useLoad((signal) => admin.getServerInfo({}, { signal }), [turn]);
  return html`<section class="panel server" data-testid="server"><h2>Server<${Help} page="operations" at="limits" of="a limit of the server" /></h2>
    <${Loaded} of=${info} lines=${3}>${(/** @type {ServerInfo} */ server) => html`<${Figures} of=${[
      { name: "Version", value: server.version },
      { name: "Up for", value: duration(Number(server.uptimeSeconds)) },
      { name: "Resident memory", value: server.residentBytes === 0n ? "not known" : bytes(server.residentBytes), help: html`<${Help} page="operations" at="memory" of="the server's memory" />` },
      ...(server.limits === undefined ? [] : [
        { name: "Maximum documents per write", value: count(server.limits.maxBatchDocuments) },
        { name: "Maximum size of a message", value: bytes(server.limits.maxMessageBytes) },
        { name: "Maximum size of a text", value: bytes(server.limits.maxTextBytes) },
        { name: "Maximum hits per page", value: count(server.limits.maxPage) },
      ]),
    ]} /><${SlowSearches} of=${server.slowSearches} />`}</${Loaded}></section>`;
}

/** @param {number} seconds */
function duration(seconds) {
  const units = /** @type {[number, string][]} */ ([[86_400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]]);
  const [size, name] = units.find(([unit]) => seconds >= unit) ?? [1, "second"];
  return counted(Math.floor(seconds / size), name);
}
