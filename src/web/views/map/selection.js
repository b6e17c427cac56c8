// The documents inside of a lasso: how many, which, kept as a set.
import { html, useState } from "../../vendor/vendor.js";
import { DocumentService } from "../../gen/latentdb/v1/document_pb.js";
import { collections } from "../../app/collections.js";
import { at, problemOf } from "../../app/errors.js";
import { useLoad } from "../../app/load.js";
import { address } from "../../app/router.js";
import { client } from "../../app/transport.js";
import { say } from "../../parts/say.js";
import { DocumentCard } from "../../parts/document.js";
import { typedIn } from "../../parts/fields.js";
import { count, counted, quoted } from "../../parts/format.js";
import { Loaded, ProblemBox } from "../../parts/states.js";

/** @typedef {import("../../gen/latentdb/v1/types_pb.js").Document} Document */

export const documentCalls = client(DocumentService);

/** Documents listed; ids in one list of a filter. */
const LISTED = 20;
const IDS = 100_000;

/**
 * @param {object} properties
 * @param {string} properties.collection
 * @param {Uint32Array} properties.points
 * @param {number} properties.size            Points of the map.
 * @param {() => Promise<string[]>} properties.ids  Of all points.
 * @param {() => void} properties.clear
 */
export function Selection({ collection, points, size, ids, clear }) {
  const listed = useLoad(async (signal) => {
    if (points.length === 0) return [];
    const all = await ids();
    const chosen = Array.from(points.subarray(0, LISTED), (point) => all[point] ?? "");
    return (await documentCalls.get({ collection, ids: chosen, projection: { text: true, attributes: true } }, { signal })).documents;
  }, [collection, points]);
  return html`<section data-testid="selection"><h2>${counted(points.length, "document")} selected</h2>
    <p class="muted">${(100 * points.length / Math.max(size, 1)).toFixed(1)}% of the map <button type="button" class="small" onClick=${clear}>Clear</button></p>
    ${points.length > 0 && html`<${Save} collection=${collection} points=${points} ids=${ids} />
      <${Loaded} of=${listed} lines=${6}>${(/** @type {Document[]} */ documents) => html`${documents.map((document) => html`<${DocumentCard} key=${document.id} collection=${collection} document=${document} />`)}
        ${points.length > LISTED && html`<p class="muted">${count(points.length - LISTED)} more. Save them as a set to search them.</p>`}`}</${Loaded}>`}
  </section>`;
}

/** @param {{collection: string, points: Uint32Array, ids: () => Promise<string[]>}} properties */
function Save({ collection, points, ids }) {
  const [name, setName] = useState("");
  const [saved, setSaved] = useState("");
  const [problem, setProblem] = useState(/** @type {import("../../app/errors.js").Problem | undefined} */ (undefined));
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const called = typedIn(event);
    setProblem(undefined);
    try {
      const all = await ids();
      const chosen = Array.from(points, (point) => all[point] ?? "");
      const lists = Array.from({ length: Math.ceil(chosen.length / IDS) }, (_, part) => ({ kind: { case: /** @type {const} */ ("ids"), value: { ids: chosen.slice(part * IDS, (part + 1) * IDS) } } }));
      const filter = lists.length === 1 ? lists[0] : { kind: { case: /** @type {const} */ ("anyOf"), value: { filters: lists } } };
      await collections.saveSet({ collection, name: called, frozen: true, filter });
      setSaved(called);
      say(`Saved as “${called}”.`);
    } catch (error) {
      setProblem(problemOf(error));
    }
  };
  const set = `set(${quoted(saved)})`;
  return html`<form class="row" onSubmit=${save}><input type="text" required aria-label="Name of the set" placeholder="Name of a set" value=${name} aria-invalid=${at(problem, /^name/) !== undefined} data-testid="set-name"
      onInput=${(/** @type {Event} */ event) => { setName(/** @type {HTMLInputElement} */ (event.target).value); setSaved(""); }} />
      <button data-testid="save-set">Save as a set</button></form>
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} />`}
    ${saved !== "" && html`<p class="row" role="status">Saved: <a href=${address({ collection, params: { kind: "matching", filter: set } })}>search it</a>
      <a href=${address({ collection, view: "compare", params: { a: set } })}>compare it with all others</a></p>`}`;
}
