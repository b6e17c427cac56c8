// Differences as a forest plot: a row for each latent, with its interval.
import { html } from "../../vendor/vendor.js";
import { linear, ticks } from "../../parts/chart.js";
import { LatentName } from "../../parts/chip.js";
import { SortHeading } from "../../parts/fields.js";
import { count, fixed, pValue, percent, signed } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { useWide } from "../../parts/wide.js";

/** @typedef {import("./state.js").Comparison} Comparison */
/** @typedef {import("./request.js").DiffRow} DiffRow */

/** Width of the plot in its own units. */
const WIDE = 240;
const HIGH = 22;

/** @type {Record<string, (x: DiffRow, y: DiffRow) => number>} */
const ORDERS = {
  size: (x, y) => Math.abs(y.delta) - Math.abs(x.delta),
  delta: (x, y) => y.delta - x.delta,
  p: (x, y) => x.pAdjusted - y.pAdjusted || Math.abs(y.delta) - Math.abs(x.delta),
  a: (x, y) => y.a - x.a,
  b: (x, y) => y.b - x.b,
  label: (x, y) => x.label.localeCompare(y.label) || x.latent - y.latent,
};

/** @type {string[]} */
const TESTS = ["not tested", "Fisher's exact test", "two-proportion test", "Welch's t test", "McNemar's exact test", "McNemar's test",
  "Cochran-Mantel-Haenszel test", "exact test over strata", "cluster-robust t test"];

/** @param {DiffRow[]} rows @param {string} sort */
export function sorted(rows, sort) {
  return [...rows].sort(ORDERS[sort] ?? ORDERS.size);
}

/** A figure of a set, as it is read. @param {number} value @param {boolean} means */
export function figure(value, means) {
  return means ? fixed(value, 3) : percent(value);
}

/** A difference of two; of shares in points. @param {number} value @param {boolean} means */
export function difference(value, means) {
  return means ? signed(value, 3) : signed(value * 100, 1);
}

/** What the plot spans: every interval and 0. @param {DiffRow[]} rows @returns {[number, number]} */
export function span(rows) {
  const ends = rows.flatMap(({ low, high, delta }) => [low, high, delta]).filter(Number.isFinite);
  const low = Math.min(0, ...ends);
  const high = Math.max(0, ...ends);
  const room = (high - low || 1) * 0.04;
  return [low - room, high + room];
}

/**
 * @param {object} properties
 * @param {DiffRow[]} properties.rows
 * @param {Comparison} properties.state
 * @param {(changes: Partial<Comparison>) => void} properties.change
 * @param {number | undefined} properties.hovered
 * @param {(latent: number | undefined) => void} properties.hover
 */
export function Forest({ rows, state, change, hovered, hover }) {
  const [low, high] = span(rows);
  const x = linear(low, high, 0, WIDE);
  const sort = (/** @type {string} */ by) => change({ sort: by });
  const set = { sort: state.sort, set: sort };
  const paired = state.how === "pair";
  return html`<div class="scroll-x forest-scroll"><table class="forest" data-testid="forest">
    <thead><tr>
      <${SortHeading} title="Latent" by="label" down=${false} ...${set} />
      <${SortHeading} title="A" by="a" name="roomy" number ...${set} />
      <${SortHeading} title="B" by="b" name="roomy" number ...${set} />
      <${SortHeading} title=${state.sort === "size" ? "|A − B|" : "A − B"} by=${state.sort === "size" ? "size" : "delta"} number sort=${state.sort}
        set=${() => sort(state.sort === "size" ? "delta" : "size")} />
      <th class="forest-plot" scope="col"><${Axis} low=${low} high=${high} means=${state.means} /></th>
      <th class="number roomy" scope="col">Interval<${Help} page="methods" at="set-difference" of="the difference and its interval" /></th>
      ${paired && html`<th class="number" scope="col">Only A</th><th class="number" scope="col">Only B</th>`}
      <${SortHeading} title="p" by="p" number down=${false} ...${set}><${Help} page="methods" at="tests-and-intervals" of="the adjusted p-value" /></${SortHeading}>
    </tr></thead>
    <tbody>${sorted(rows, state.sort).map((row) => html`<${Row} key=${row.latent} row=${row} state=${state} change=${change} x=${x} paired=${paired}
      lit=${hovered === row.latent} hover=${hover} />`)}</tbody>
  </table></div>`;
}

/**
 * @param {object} properties
 * @param {DiffRow} properties.row
 * @param {Comparison} properties.state
 * @param {(changes: Partial<Comparison>) => void} properties.change
 * @param {(value: number) => number} properties.x
 * @param {boolean} properties.paired
 * @param {boolean} properties.lit
 * @param {(latent: number | undefined) => void} properties.hover
 */
function Row({ row, state, change, x, paired, lit, hover }) {
  const chosen = state.latent === row.latent;
  const { means } = state;
  const choose = () => change({ latent: chosen ? undefined : row.latent, tab: "documents" });
  const unit = paired ? "pairs" : "documents";
  return html`<tr class=${`${chosen ? "chosen" : ""} ${lit ? "lit" : ""}`} data-latent=${row.latent} onMouseEnter=${() => hover(row.latent)} onMouseLeave=${() => hover(undefined)} onClick=${choose}>
    <td class="forest-name"><button type="button" class="plain" aria-pressed=${chosen} title="Its documents on both sides"
      onClick=${(/** @type {Event} */ event) => { event.stopPropagation(); choose(); }}><${LatentName} latent=${row.latent} label=${row.label} low=${row.lowConfidence} recurrence=${row.recurrence} /></button></td>
    <td class="number roomy" title=${`${count(row.aCount)} ${unit}`}>${figure(row.a, means)}</td>
    <td class="number roomy" title=${`${count(row.bCount)} ${unit}`}>${figure(row.b, means)}</td>
    <td class="number">${difference(row.delta, means)}</td>
    <td class="forest-plot"><${Interval} row=${row} x=${x} means=${means} /></td>
    <td class="number muted interval roomy">${difference(row.low, means)} to ${difference(row.high, means)}</td>
    ${paired && html`<td class="number">${count(row.onlyA ?? 0n)}</td><td class="number">${count(row.onlyB ?? 0n)}</td>`}
    <td class="number" title=${TESTS[row.test] ?? ""}>${row.test === 0 ? "not tested" : pValue(row.pAdjusted)}</td>
  </tr>`;
}

/** @param {{row: DiffRow, x: (value: number) => number, means: boolean}} properties */
function Interval({ row, x, means }) {
  const middle = HIGH / 2;
  const known = Number.isFinite(row.low) && Number.isFinite(row.high);
  const side = row.delta >= 0 ? "a" : "b";
  return html`<svg viewBox=${`0 0 ${WIDE} ${HIGH}`} preserveAspectRatio="none" role="img"
    aria-label=${`${difference(row.delta, means)}, ${known ? `${difference(row.low, means)} to ${difference(row.high, means)}` : "without interval"}`}>
    <line class="zero" x1=${x(0)} x2=${x(0)} y1="0" y2=${HIGH} />
    ${known && html`<line class=${`whisker ${side}`} x1=${x(row.low)} x2=${x(row.high)} y1=${middle} y2=${middle} />`}
    <rect class=${`point ${side}`} x=${x(row.delta) - 3} y=${middle - 4} width="6" height="8" />
  </svg>`;
}

/** @param {{low: number, high: number, means: boolean}} properties */
function Axis({ low, high, means }) {
  const x = linear(low, high, 0, 100);
  const scale = means ? 1 : 100;
  return html`<div class="forest-axis"><span class="visually-hidden">Difference with its interval</span>${ticks(low * scale, high * scale, useWide() ? 5 : 2).map((value) => html`
    <span key=${value} aria-hidden="true" style=${{ left: `${x(value / scale)}%` }}>${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value)}</span>`)}</div>`;
}
