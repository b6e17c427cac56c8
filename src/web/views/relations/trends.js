// What rises, falls or breaks along an attribute.
import { html } from "../../vendor/vendor.js";
import { TrendBuckets, TrendDirection } from "../../gen/latentdb/v1/trends_pb.js";
import { analyses, expression } from "../../app/analyses.js";
import { useCollection } from "../../app/collections.js";
import { at } from "../../app/errors.js";
import { route, update } from "../../app/router.js";
import { useWork } from "../../app/work.js";
import { LatentChip } from "../../parts/chip.js";
import { csv, download } from "../../parts/download.js";
import { Check, NumberField, Select, SortHeading, written } from "../../parts/fields.js";
import { FilterBox } from "../../parts/filter-box.js";
import { count, counted, pValue, percent, signed } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Empty, Warnings } from "../../parts/states.js";
import { useTyped } from "../../parts/typed.js";
import { WorkLine, Worked } from "../../parts/work.js";
import { Lines, Spark, bucketName } from "./lines.js";

/** @typedef {import("../../gen/latentdb/v1/trends_pb.js").TrendRow} TrendRow */
/** @typedef {import("../../gen/latentdb/v1/trends_pb.js").TrendsSummary} Summary */
/** @typedef {import("../../app/collections.js").Collection} Collection */
/** @typedef {{summary: Summary | undefined, rows: TrendRow[]}} Answer */

/** Lines that are drawn together; as many as there are colours. */
export const DRAWN = 8;
/** Lines drawn before one is chosen. */
const FIRST = 5;

/** @type {Record<string, TrendBuckets>} */
const EVERY = {
  bins: TrendBuckets.BINS, values: TrendBuckets.VALUES, hour: TrendBuckets.HOUR, day: TrendBuckets.DAY, week: TrendBuckets.WEEK,
  month: TrendBuckets.MONTH, quarter: TrendBuckets.QUARTER, year: TrendBuckets.YEAR,
};
const TITLES = { bins: "bins of equal width", values: "each value", hour: "hours", day: "days", week: "weeks", month: "months", quarter: "quarters", year: "years" };

/** @param {{collection: string}} properties */
export function Trends({ collection }) {
  const { params } = route.value;
  const record = useCollection(collection);
  const by = params.get("by") || ordered(record.value)[0] || "";
  const kinds = record.value?.attributes.find(({ name }) => name === by)?.kinds ?? [];
  const every = params.get("every") || usual(kinds);
  const text = (/** @type {string} */ name) => name === "by" ? by : name === "every" ? every : params.get(name) ?? "";
  const asked = ["filter", "by", "every", "bins", "way", "p", "change", "support", "monotone"].map(text);
  const work = useWork((signal, report) => trends(collection, text, signal, report), [collection, ...asked], by !== "");
  if (record.value !== undefined && by === "") return html`<${Empty} title="Nothing to order documents by"><p>No document has an attribute.</p></${Empty}>`;
  return html`<${Form} collection=${collection} record=${record.value} kinds=${kinds} text=${text} problem=${work.problem} />
    <${WorkLine} of=${work} what="Following latents" again=${work.again}>
      <button type="button" class="small" disabled=${work.value === undefined} onClick=${() => download("trends.csv", table(work.value), "text/csv")}>Download CSV</button></${WorkLine}>
    <${Worked} of=${work}>${(/** @type {Answer} */ answer) => html`<${Answered} collection=${collection} answer=${answer} by=${by} text=${text} />`}</${Worked}>`;
}

/** Attributes with an order, times first. @param {Collection | undefined} record */
function ordered(record) {
  const rank = (/** @type {string[]} */ kinds) => kinds.includes("timestamp") ? 0 : kinds.includes("float") || kinds.includes("integer") ? 1 : 2;
  return [...(record?.attributes ?? [])].sort((x, y) => rank(x.kinds) - rank(y.kinds)).map(({ name }) => name);
}

/** @param {string[]} kinds */
function usual(kinds) {
  return kinds.includes("timestamp") ? "month" : kinds.includes("float") || kinds.includes("integer") ? "bins" : "values";
}

/**
 * @param {string} collection
 * @param {(name: string) => string} text
 * @param {AbortSignal} signal
 * @param {import("../../app/work.js").Report} report
 * @returns {Promise<Answer>}
 */
async function trends(collection, text, signal, report) {
  /** @type {Answer} */
  const answer = { summary: undefined, rows: [] };
  const way = text("way");
  for await (const { part } of analyses.trends({
    collection,
    filter: expression(text("filter")),
    attribute: text("by"),
    buckets: EVERY[text("every")] ?? TrendBuckets.VALUES,
    bins: text("every") === "bins" ? written(text("bins")) ?? 10 : 0,
    direction: way === "rising" ? TrendDirection.RISING : way === "falling" ? TrendDirection.FALLING : TrendDirection.BOTH,
    maxPAdjusted: written(text("p")),
    minChange: (written(text("change")) ?? 0) / 100,
    minSupport: BigInt(written(text("support")) ?? 0),
    onlyMonotone: text("monotone") === "1",
    limit: 200,
  }, { signal })) {
    if (part.case === "progress") report(part.value.done, part.value.total);
    else if (part.case === "summary") answer.summary = part.value;
    else if (part.case === "rows") answer.rows.push(...part.value.rows);
  }
  return answer;
}

/** @param {Answer | undefined} answer */
function table(answer) {
  return csv([["latent", "label", "slope", "change", "z", "p_value", "p_adjusted", ...(answer?.summary?.buckets ?? []).map(({ name }) => name)],
    ...(answer?.rows ?? []).map((row) => [row.latent, row.label, row.slope, row.change, row.z, row.pValue, row.pAdjusted, ...row.counts])]);
}

/** @param {{collection: string, record: Collection | undefined, kinds: string[], text: (name: string) => string, problem: import("../../app/errors.js").Problem | undefined}} properties */
function Form({ collection, record, kinds, text, problem }) {
  const [filter, setFilter] = useTyped(text("filter"));
  const put = (/** @type {string} */ name) => (/** @type {string} */ value) => update({ [name]: value, show: "" }, { step: "trends" });
  const time = kinds.includes("timestamp");
  const number = kinds.includes("float") || kinds.includes("integer");
  const of = Object.fromEntries(Object.entries(TITLES).filter(([every]) => every === "values" || (every === "bins" ? time || number : time)));
  const methods = { page: "methods", at: "trends" };
  return html`<form class="panel" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); put("filter")(filter); }}>
    <${FilterBox} collection=${collection} record=${record} text=${filter} onText=${setFilter} onEnter=${() => put("filter")(filter)} problem=${at(problem, /^filter/)} />
    <div class="controls">
      <${Select} label="Along" value=${text("by")} of=${Object.fromEntries(ordered(record).map((name) => [name, name]))} set=${(/** @type {string} */ by) => update({ by, every: "", show: "" }, { step: "trends" })} help=${methods} />
      <${Select} label="By" value=${text("every")} of=${of} set=${put("every")} help=${methods} />
      ${text("every") === "bins" && html`<${NumberField} label="Bins" value=${text("bins")} hint="10" least=${2} most=${1000} whole set=${put("bins")} />`}
      <${Select} label="Which" value=${text("way")} of=${{ "": "rising and falling", rising: "rising", falling: "falling" }} set=${put("way")} />
      <${Check} label="Never turning back" on=${text("monotone") === "1"} set=${(/** @type {boolean} */ on) => put("monotone")(on ? "1" : "")} /></div>
    <details class="settings" open=${["change", "p", "support"].some((name) => text(name) !== "")}><summary>Options</summary><div class="controls">
      <${NumberField} label="Change above, points" value=${text("change")} hint="0" most=${100} set=${put("change")} help=${methods} />
      <${NumberField} label="Adjusted p up to" value=${text("p")} hint="0.05" most=${1} set=${put("p")} help=${{ page: "methods", at: "tests-and-intervals" }} />
      <${NumberField} label="Documents at least" value=${text("support")} hint="5" whole set=${put("support")} help=${methods} />
    </div></details></form>`;
}

/** @type {Record<string, (x: TrendRow, y: TrendRow) => number>} */
const ORDERS = {
  size: (x, y) => Math.abs(y.change) - Math.abs(x.change),
  change: (x, y) => y.change - x.change,
  p: (x, y) => x.pAdjusted - y.pAdjusted,
  label: (x, y) => x.label.localeCompare(y.label) || x.latent - y.latent,
};

/** @param {{collection: string, answer: Answer, by: string, text: (name: string) => string}} properties */
function Answered({ collection, answer: { summary, rows }, by, text }) {
  const { params } = route.value;
  const sort = params.get("sort") || "size";
  const order = { sort, set: (/** @type {string} */ name) => update({ sort: name === "size" ? "" : name }, { step: "look" }) };
  const sorted = [...rows].sort(ORDERS[sort] ?? ORDERS.size);
  const given = (params.get("show") ?? "").split(",").filter((latent) => latent !== "").map(Number);
  const shown = given.length > 0 ? rows.filter(({ latent }) => given.includes(latent)) : sorted.slice(0, FIRST);
  const numbers = shown.map(({ latent }) => latent);
  const toggle = (/** @type {number} */ latent) => update({ show: (numbers.includes(latent) ? numbers.filter((other) => other !== latent) : [...numbers, latent].slice(-DRAWN)).join(",") }, { step: "look" });
  const buckets = summary?.buckets ?? [];
  const passing = summary?.passing ?? 0n;
  const change = written(text("change")) ?? 0;
  const bounds = `adjusted p ≤ ${written(text("p")) ?? 0.05}${change > 0 ? `, by more than ${change} points` : ""}`;
  if (rows.length === 0) return html`<${Warnings} of=${summary?.warnings ?? []} /><${Empty} title="Nothing rises or falls"><p>${counted(summary?.tested ?? 0n, "latent")} tested over ${counted(buckets.length, "bucket")}, none with ${bounds}. A larger p lists more.</p></${Empty}>`;
  return html`<p class="number" data-testid="summary">${counted(summary?.tested ?? 0n, "latent")} tested over ${counted(buckets.length, "bucket")} · ${count(passing)} ${passing === 1n ? "changes" : "change"} (${bounds})${BigInt(rows.length) < passing ? `, the ${rows.length} largest listed` : ""}<${Help} page="methods" at="tests-and-intervals" of="an adjusted p-value" /></p>
    <${Warnings} of=${summary?.warnings ?? []} />
    <${Lines} collection=${collection} rows=${shown} buckets=${buckets} by=${by} drop=${toggle} />
    <div class="scroll-x"><table class="trends" data-testid="trends"><thead><tr><th scope="col"><span class="visually-hidden">Drawn</span></th>
      <${SortHeading} title="Latent" by="label" down=${false} ...${order} /><th scope="col" class="roomy">Shares</th>
      <${SortHeading} title=${sort === "size" ? "|Change|" : "Change"} by=${sort === "size" ? "size" : "change"} number sort=${sort} set=${() => order.set(sort === "size" ? "change" : "size")}><${Help} page="methods" at="trends" of="the change" /></${SortHeading}>
      <${SortHeading} title="p" by="p" number down=${false} ...${order}><${Help} page="methods" at="tests-and-intervals" of="the adjusted p-value" /></${SortHeading}>
      <th scope="col" class="roomy">Break<${Help} page="methods" at="trends" of="a break" /></th><th scope="col" class="roomy">Turns back</th></tr></thead>
    <tbody>${sorted.map((row) => html`<tr key=${row.latent}>
      <td><input type="checkbox" aria-label=${`Draw ${row.latent} ${row.label}`} checked=${numbers.includes(row.latent)} onChange=${() => toggle(row.latent)} /></td>
      <td><${LatentChip} collection=${collection} latent=${row.latent} label=${row.label} low=${row.lowConfidence} recurrence=${row.recurrence} /></td>
      <td class="roomy"><${Spark} row=${row} buckets=${buckets} /></td>
      <td class="number">${signed(row.change * 100, 1)}</td><td class="number">${pValue(row.pAdjusted)}</td>
      <td class="roomy">${breakOf(row, buckets)}</td><td class="roomy muted">${row.monotone === 0 ? "yes" : "never"}</td></tr>`)}</tbody></table></div>`;
}

/** @param {TrendRow} row @param {import("../../gen/latentdb/v1/trends_pb.js").TrendBucket[]} buckets */
function breakOf({ changePoint }, buckets) {
  if (changePoint === undefined || changePoint.pAdjusted > 0.05) return html`<span class="muted">none</span>`;
  return html`at ${bucketName(buckets[changePoint.bucket])}: ${percent(changePoint.before)} to ${percent(changePoint.after)} <span class="muted">p ${pValue(changePoint.pAdjusted)}</span>`;
}
