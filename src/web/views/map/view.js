// Documents in the plane, those alike near each other.
import { html, useMemo } from "../../vendor/vendor.js";
import { analyses } from "../../app/analyses.js";
import { useCollection } from "../../app/collections.js";
import { useLoad } from "../../app/load.js";
import { address, go, route, update } from "../../app/router.js";
import { useWork } from "../../app/work.js";
import { confirmed, say } from "../../parts/say.js";
import { count, counted } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Empty, Loaded, ProblemBox, Warnings } from "../../parts/states.js";
import { WorkLine, Worked } from "../../parts/work.js";
import { problemOf } from "../../app/errors.js";
import { Board } from "./board.js";
import { Colour, Marks } from "./controls.js";
import { Make } from "./make.js";
import { readClusters, readIds, readPoints, readValues } from "./read.js";
import { read } from "./state.js";

/** @typedef {import("../../gen/latentdb/v1/map_pb.js").DocumentMap} DocumentMap */
/** @typedef {import("../../app/collections.js").Collection} Collection */
/** @typedef {import("./read.js").Points} Points */
/** @typedef {import("./read.js").Values} Values */

export function View() {
  const { collection } = route.value;
  const record = useCollection(collection).value;
  const listed = useLoad(async (signal) => (await analyses.listMaps({ collection }, { signal })).maps, [collection]);
  const made = (/** @type {DocumentMap} */ map) => {
    listed.reload();
    go(address({ collection, view: "map", rest: map.name, params: route.value.params }));
    say(`The map “${map.name}” is made.`);
  };
  return html`<div class="view map">
    <${Loaded} of=${listed} lines=${10}>${(/** @type {DocumentMap[]} */ maps) => html`<${Maps} collection=${collection} record=${record} maps=${maps} made=${made} reload=${listed.reload} />`}</${Loaded}>
  </div>`;
}

/** @param {{collection: string, record: Collection | undefined, maps: DocumentMap[], made: (map: DocumentMap) => void, reload: () => void}} properties */
function Maps({ collection, record, maps, made, reload }) {
  const state = read(route.value);
  const name = state.name || maps[0]?.name || "";
  const map = maps.find((one) => one.name === name);
  const drop = async () => {
    if (!(await confirmed({ title: `Remove the map “${name}”?`, text: "The documents stay; where they lie is forgotten.", action: "Remove" }))) return;
    analyses.dropMap({ collection, name }).then(() => {
      say("Removed.");
      go(address({ collection, view: "map" }));
      reload();
    }, (error) => say(problemOf(error).message));
  };
  return html`<div class="row map-head"><h1>Map<${Help} page="methods" at="maps" of="a map" /></h1>
      ${maps.length > 0 && html`<select aria-label="Map" value=${name} data-testid="maps" onChange=${(/** @type {Event} */ event) => go(address({ collection, view: "map", rest: /** @type {HTMLSelectElement} */ (event.target).value, params: { colour: state.colour, filter: state.filter } }))}>
        ${map === undefined && html`<option value=${name}>${name}</option>`}${maps.map((one) => html`<option key=${one.name} value=${one.name} selected=${one.name === name}>${one.name}</option>`)}</select>`}
      ${map !== undefined && html`<span class="muted number">${described(map)}</span><${Since} record=${record} map=${map} /><button type="button" class="small" onClick=${drop}>Remove this map</button>`}</div>
    ${maps.length === 0 && html`<${Empty} title="No map yet"><p>A map is laid out once and kept by its name, so that it looks the same for everybody.</p></${Empty}>`}
    ${maps.length > 0 && (map === undefined ? html`<${Empty} title=${`There is no map “${name}”`} />` : html`<${OneMap} key=${`${name} ${map.sequence} ${map.created?.seconds}`} collection=${collection} record=${record} map=${map} />`)}
    <${Make} collection=${collection} record=${record} open=${maps.length === 0} made=${made} />`;
}

/** @param {DocumentMap} map */
function described(map) {
  const by = map.space === 1 ? "latents" : "vectors";
  const how = ["t-SNE of " + count(map.laidOut), "principal components", "along an axis"][map.layout];
  return `${counted(map.documents, "document")} by their ${by}, ${how}${map.leftOut > 0n ? `, ${count(map.leftOut)} left out` : ""}`;
}

/** @param {{collection: string, record: Collection | undefined, map: DocumentMap}} properties */
function OneMap({ collection, record, map }) {
  const points = useWork((signal, report) => readPoints(collection, map.name, signal, report), [collection, map.name]);
  return html`${points.value === undefined && html`<${WorkLine} of=${points} what="Reading points:" again=${points.again} />`}
    <${Worked} of=${points} lines=${12}>${(/** @type {Points} */ of) => html`<${Coloured} collection=${collection} record=${record} points=${of} />`}</${Worked}>`;
}

/** What was written since. @param {{record: Collection | undefined, map: DocumentMap}} properties */
function Since({ record, map }) {
  const newer = record === undefined || record.sequence === map.sequence ? 0n : record.documents - map.documents - map.leftOut;
  return newer > 0n ? html`<span class="small-print">${count(newer)} documents of the collection are not on it.</span>` : null;
}

/** @param {{collection: string, record: Collection | undefined, points: Points}} properties */
function Coloured({ collection, record, points }) {
  const state = read(route.value);
  // Ids are many bytes, so they are read when something needs them, once.
  const ids = useMemo(() => {
    /** @type {Promise<string[]> | undefined} */
    let reading;
    return () => {
      reading ??= readIds(collection, points, new AbortController().signal);
      reading.catch(() => { reading = undefined; });
      return reading;
    };
  }, [collection, points]);
  const values = useWork((signal, report) => valuesOf(collection, points, ids, state, signal, report), [points, state.colour, state.filter]);
  const of = values.value ?? { values: { head: points.head, values: undefined, marked: undefined }, categories: undefined };
  return html`<div class="row map-controls"><${Colour} collection=${collection} record=${record} colour=${state.colour} />
      <${Marks} collection=${collection} record=${record} filter=${state.filter} problem=${values.problem} /></div>
    ${values.problem !== undefined && html`<${ProblemBox} problem=${values.problem} retry=${values.again} />`}
    <${Warnings} of=${of.values.head.warnings} />
    <${Board} collection=${collection} record=${record} points=${points} of=${of.values} categories=${of.categories} state=${state} ids=${ids} put=${update}
      below=${values.running || values.stopped ? html`<${WorkLine} of=${values} what="Reading values:" again=${values.again} />` : undefined} />`;
}

/**
 * What the points are coloured and marked by; clusters are the server's analysis of the whole collection.
 * @param {string} collection
 * @param {Points} points
 * @param {() => Promise<string[]>} ids
 * @param {import("./state.js").MapState} state
 * @param {AbortSignal} signal
 * @param {import("../../app/work.js").Report} report
 * @returns {Promise<{values: Values, categories: string[] | undefined}>}
 */
async function valuesOf(collection, points, ids, state, signal, report) {
  const clusters = state.colour.startsWith("clusters:");
  const values = await readValues(collection, points, { colour: clusters ? "" : state.colour, filter: state.filter }, signal, report);
  if (!clusters) return { values, categories: undefined };
  const found = await readClusters(collection, await ids(), state.colour, signal, report);
  return { values: { ...values, values: found.values }, categories: found.categories };
}
