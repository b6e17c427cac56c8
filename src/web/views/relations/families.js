// Families: a general latent and special ones below it.
import { html, useState } from "../../vendor/vendor.js";
import { Code, StatusError } from "../../wire/grpc-web.js";
import { latentCalls } from "../../app/latents.js";
import { useLoad } from "../../app/load.js";
import { address, route, update } from "../../app/router.js";
import { useJob } from "../../app/work.js";
import { LatentChip } from "../../parts/chip.js";
import { confirmed, say } from "../../parts/say.js";
import { NumberField, written } from "../../parts/fields.js";
import { counted, fixed } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Empty, Loaded, ProblemBox } from "../../parts/states.js";
import { WorkLine } from "../../parts/work.js";

/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").Family} Family */
/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").FamilyMember} FamilyMember */

/** @param {{collection: string}} properties */
export function Families({ collection }) {
  const { params } = route.value;
  const wanted = params.get("q") ?? "";
  const found = useLoad((signal) => list(collection, signal), [collection]);
  return html`<${Find} collection=${collection} some=${(found.value?.length ?? 0) > 0} done=${found.reload} />
    <${Loaded} of=${found} lines=${10}>${(/** @type {Family[]} */ families) => families.length === 0
      ? html`<${Empty} title="No families yet"><p>They are found by which latents occur in the same documents.</p></${Empty}>`
      : html`<label class="field"><span>Families about<${Help} page="labels" at="families" of="a family" /></span><input type="search" dir="auto" value=${wanted} placeholder="Words of any label"
          onInput=${(/** @type {Event} */ event) => update({ q: /** @type {HTMLInputElement} */ (event.target).value })} /></label>
        <${List} collection=${collection} families=${families} wanted=${wanted.toLowerCase()} />`}</${Loaded}>`;
}

/** Where none were looked for yet, there are none. @param {string} collection @param {AbortSignal} signal */
async function list(collection, signal) {
  try {
    return (await latentCalls.listFamilies({ collection }, { signal })).families;
  } catch (error) {
    if (StatusError.from(error).code === Code.FailedPrecondition) return [];
    throw error;
  }
}

/** @param {{collection: string, families: Family[], wanted: string}} properties */
function List({ collection, families, wanted }) {
  const shown = wanted.trim() === "" ? families : families.filter(({ label, members }) => [label, ...members.map((member) => member.label)].some((text) => text.toLowerCase().includes(wanted.trim())));
  const open = new Set((route.value.params.get("open") ?? "").split(",").filter((root) => root !== "").map(Number));
  const toggle = (/** @type {number} */ root, /** @type {boolean} */ now) => {
    if (open.has(root) === now) return;
    const roots = now ? [...open, root] : [...open].filter((other) => other !== root);
    update({ open: roots.join(",") }, { step: "open" });
  };
  return html`<p class="muted">${counted(shown.length, "family", "families")}${shown.length < families.length && ` of ${families.length}`}</p>
    <div class="families" data-testid="families">${shown.map((family) => html`<details key=${family.root} class="panel" open=${open.has(family.root)}
      onToggle=${(/** @type {Event} */ event) => toggle(family.root, /** @type {HTMLDetailsElement} */ (event.currentTarget).open)}>
      <summary><span class="latent-number">${family.root}</span> <strong dir="auto">${family.label || "no label"}</strong>${" "}
        <span class="muted number">${counted(family.members.length, "latent")} · ${counted(family.documents, "document")}${family.score !== undefined && ` · score ${fixed(family.score)}`}</span></summary>
      ${open.has(family.root) && html`<p class="row small-print"><a href=${address({ collection, params: { kind: "matching", filter: `family(${family.root})` } })}>Its documents</a>
        <a href=${address({ collection, view: "compare", params: { a: `family(${family.root})` } })}>Compare with all others</a>
        <span>Score: how much more the root shares with its members than they among themselves<${Help} page="methods" at="feature-families" of="a family's score" /></span></p>
        <${Branch} collection=${collection} family=${family} of=${family.members.find(({ depth }) => depth === 0)} />`}</details>`)}</div>`;
}

/** A latent and those below it. @param {{collection: string, family: Family, of: FamilyMember | undefined}} properties @returns {import("../../vendor/vendor.js").VNode | null} */
function Branch({ collection, family, of }) {
  if (of === undefined) return null;
  const below = family.members.filter((member) => member.depth === of.depth + 1 && member.below === of.latent);
  return html`<ul class="tree"><li><${LatentChip} collection=${collection} latent=${of.latent} label=${of.label} />
    ${below.map((member) => html`<${Branch} key=${member.latent} collection=${collection} family=${family} of=${member} />`)}</li></ul>`;
}

/** @param {{collection: string, some: boolean, done: () => void}} properties */
function Find({ collection, some, done }) {
  const job = useJob();
  const [given, setGiven] = useState(/** @type {Record<string, string>} */ ({}));
  const field = (/** @type {string} */ name) => ({ value: given[name] ?? "", set: (/** @type {string} */ value) => setGiven({ ...given, [name]: value }), help: { page: "methods", at: "feature-families" } });
  const find = async () => {
    if (some && !(await confirmed({ title: "Find families again?", text: "The families found before are replaced; filters by family mean the new ones.", action: "Find them" }))) return;
    job.start(async (signal) => {
      const { families } = await latentCalls.findFamilies({
        collection, maxDensity: written(given.density ?? ""), minSimilarity: written(given.similarity ?? ""), minMembers: written(given.members ?? "") ?? 0,
        rounds: written(given.rounds ?? "") ?? 0, maxOverlap: written(given.overlap ?? ""), minLabelScore: written(given.score ?? ""),
      }, { signal });
      say(`${counted(families.length, "family", "families")} found.`);
      done();
    });
  };
  return html`<details class="panel settings" open=${!some}><summary>Find families</summary><div class="controls">
    <${NumberField} label="Latents in at most" hint="0.2" most=${1} ...${field("density")} />
    <${NumberField} label="Similarity at least" hint="0.1" most=${1} ...${field("similarity")} />
    <${NumberField} label="Members at least" hint="4" whole ...${field("members")} />
    <${NumberField} label="Rounds" hint="3" least=${1} most=${20} whole ...${field("rounds")} />
    <${NumberField} label="Overlap up to" hint="0.6" most=${1} ...${field("overlap")} />
    <${NumberField} label="Label scores from" hint="any" least=${-1} most=${1} ...${field("score")} />
    <button type="button" disabled=${job.running} onClick=${find} data-testid="find-families">Find families</button></div>
    <${WorkLine} of=${job} what="Finding families" />${job.problem !== undefined && html`<${ProblemBox} problem=${job.problem} />`}</details>`;
}
