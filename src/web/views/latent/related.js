// What a latent goes with: its neighbours, what is active beside it, its families, values of attributes.
import { html } from "../../vendor/vendor.js";
import { Code, StatusError } from "../../wire/grpc-web.js";
import { useLoad } from "../../app/load.js";
import { latentCalls } from "../../app/latents.js";
import { address } from "../../app/router.js";
import { LatentChip } from "../../parts/chip.js";
import { withCondition } from "../../parts/filter-text.js";
import { count, counted, fixed, nameLiteral, valueLiteral, valueText } from "../../parts/format.js";
import { Help } from "../../parts/help.js";

/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").Latent} Latent */
/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").RelatedLatent} RelatedLatent */
/** @typedef {import("../../gen/latentdb/v1/latent_pb.js").Family} Family */

const MEMBERS = 12;

/** @param {{collection: string, latent: number, found: Latent}} properties */
export function Related({ collection, latent, found }) {
  return html`
    <${Chips} collection=${collection} title="Nearest by direction" help=${["concepts", "latents"]} list=${found.nearest} digits=${2}
      none="The collection has no SAE of its own, so that directions are not known." />
    <${Chips} collection=${collection} title="Active in the same documents" help=${["methods", "correlations"]} list=${found.coOccurring} digits=${2}
      none="No latent is active with it more often than chance." />
    <${Families} collection=${collection} latent=${latent} />
    <${Attributes} collection=${collection} latent=${latent} found=${found} />`;
}

/** @param {{collection: string, title: string, help: [string, string], list: RelatedLatent[], digits: number, none: string}} properties */
function Chips({ collection, title, help: [page, at], list, digits, none }) {
  const most = Math.max(...list.map(({ score }) => Math.abs(score)), 1e-9);
  return html`<section class="panel"><h2>${title}<${Help} page=${page} at=${at} of=${title.toLowerCase()} /></h2>
    ${list.length === 0 ? html`<p class="muted">${none}</p>` : html`<div class="row">${list.map(({ latent, label, score }) => html`<${LatentChip}
      key=${latent} collection=${collection} latent=${latent}
      label=${label?.text ?? ""} low=${label?.lowConfidence ?? false} note=${fixed(score, digits)} share=${Math.abs(score) / most}
        negative=${score < 0} />`)}</div>`}</section>`;
}

/** The families that were found last; none before. @param {string} collection @param {AbortSignal} signal */
async function familiesOf(collection, signal) {
  try {
    return (await latentCalls.listFamilies({ collection }, { signal })).families;
  } catch (error) {
    if (StatusError.from(error).code === Code.FailedPrecondition) return [];
    throw error;
  }
}

/** @param {{collection: string, latent: number}} properties */
function Families({ collection, latent }) {
  const loaded = useLoad(async (signal) => {
    const families = await familiesOf(collection, signal);
    return { any: families.length > 0, of: families.filter((family) => family.root === latent || family.members.some((member) => member.latent === latent)) };
  }, [collection, latent]);
  if (loaded.value === undefined) return null;
  const { any, of } = loaded.value;
  return html`<section class="panel"><h2>Families<${Help} page="methods" at="feature-families" of="a family" /></h2>
    ${of.length === 0 ? html`<p class="muted">${any ? "It is in no family." : "Families were not looked for yet."}</p>`
      : of.map((family) => html`<${FamilyOf} key=${family.root} collection=${collection} latent=${latent} family=${family} />`)}</section>`;
}

/** @param {{collection: string, latent: number, family: Family}} properties */
function FamilyOf({ collection, latent, family }) {
  const others = family.members.filter((member) => member.latent !== latent && member.latent !== family.root);
  return html`<div class="family"><p class="small-print">${family.root === latent ? "Root of " : html`Below <a
    href=${address({ collection, view: "latent", rest: family.root })}>${family.root} ${family.label}</a>, among `}${counted(family.members.length, "latent")}, ${counted(family.documents, "document")}</p>
    <div class="row">${others.slice(0, MEMBERS).map((member) => html`<${LatentChip} key=${member.latent} collection=${collection}
      latent=${member.latent} label=${member.label} />`)}
      ${others.length > MEMBERS && html`<span class="small-print">and ${others.length - MEMBERS} more</span>`}</div></div>`;
}

/** @param {{collection: string, latent: number, found: Latent}} properties */
function Attributes({ collection, latent, found }) {
  return html`<section class="panel"><h2>Values it goes with<${Help} page="methods" at="correlations" of="lift" /></h2>
    ${found.attributes.length === 0 ? html`<p class="muted">No value of an attribute is more frequent in its documents.</p>`
      : html`<div class="scroll-x"><table><thead><tr><th>Value</th><th class="number">Lift</th><th
        class="number">Documents</th></tr></thead><tbody>${found.attributes.map(({ name, value, lift, documents, total }) => {
        const filter = withCondition(`latent(${latent})`, `${nameLiteral(name)} = ${valueLiteral(value)}`);
        return html`<tr key=${name + valueText(value)}><td><a
          href=${address({ collection, view: "search", params: { kind: "matching", filter } })}><span class="attribute-name">${name}</span> <span
            dir="auto">${valueText(value)}</span></a></td>
          <td class="number">${fixed(lift, 1)}×</td><td class="number">${count(documents)} of ${count(total)}</td></tr>`;
      })}</tbody></table></div>`}</section>`;
}
