// The latest searches that took long: when, over what, by which plan.
import { html } from "../../vendor/vendor.js";
import { timestampDate } from "../../wire/messages.js";
import { count, date } from "../../parts/format.js";
import { Help } from "../../parts/help.js";

/** @typedef {import("../../gen/latentdb/v1/admin_pb.js").SlowSearch} SlowSearch */
/** @typedef {import("../../gen/latentdb/v1/search_pb.js").PlanNode} PlanNode */

/** @param {{of: SlowSearch[]}} properties */
export function SlowSearches({ of }) {
  return html`<div data-testid="slow-searches"><h3>Slow searches<${Help} page="operations" at="serve" of="a slow search" /></h3>
    ${of.length === 0 ? html`<p class="muted">None took as long as <code>serve --slow-search</code> says since the server started.</p>` : html`
    <div class="scroll-x"><table class="slow"><thead><tr><th>Ended</th><th class="number">Total</th><th>Collection</th><th>Plan<${Help} page="search" at="plans-and-timings" of="a plan" /></th>
      <th class="number">Encoding</th><th class="number">Running</th><th class="number">Reading</th></tr></thead>
      <tbody>${of.toReversed().map((one, at) => html`<${Row} key=${at} one=${one} />`)}</tbody></table></div>`}</div>`;
}

/** @param {{one: SlowSearch}} properties */
function Row({ one }) {
  const { explanation } = one;
  return html`<tr><td>${one.ended === undefined ? "" : date(timestampDate(one.ended))}</td><td class="number">${milliseconds(explanation?.totalUs)}</td><td dir="auto">${one.collection}</td>
    <td class="plan">${explanation?.plan === undefined ? "" : written(explanation.plan)}</td>
    ${[explanation?.encodeUs, explanation?.executeUs, explanation?.fetchUs].map((time, at) => html`
      <td key=${at} class="number">${milliseconds(time)}</td>`)}</tr>`;
}

/** @param {bigint | undefined} microseconds */
function milliseconds(microseconds) {
  return microseconds === undefined ? "" : `${count(Number(microseconds) / 1000)} ms`;
}

/** A plan on a line: how each node was answered. @param {PlanNode} plan @returns {string} */
function written(plan) {
  const below = plan.children.map(written).join(", ");
  return below === "" ? plan.access : `${plan.access} (${below})`;
}
