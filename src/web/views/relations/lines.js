// Shares along an order, as lines: large for a few, small for each row.
import { html, useEffect, useRef } from "../../vendor/vendor.js";
import { loadStyle } from "../../app/views.js";
import { colour, useDark, useWidth } from "../../parts/chart.js";
import { LatentName } from "../../parts/chip.js";
import { counted, percent, short } from "../../parts/format.js";

/** @typedef {import("../../gen/latentdb/v1/trends_pb.js").TrendRow} TrendRow */
/** @typedef {import("../../gen/latentdb/v1/trends_pb.js").TrendBucket} TrendBucket */

const HIGH = 280;
/** A break with a larger p is not drawn. */
const BREAK = 0.05;

/** What a bucket is called; bounds of bins with the digits that count. @param {TrendBucket | undefined} bucket */
export function bucketName(bucket) {
  return bucket?.start?.kind.case === "float" ? short(bucket.start.kind.value) : bucket?.name ?? "";
}

/** @param {TrendRow} row @param {TrendBucket[]} buckets @returns {(number | null)[]} Of buckets without documents null. */
function shares(row, buckets) {
  return buckets.map(({ documents }, at) => documents === 0n ? null : (row.counts[at] ?? 0) / Number(documents));
}

/** @param {{row: TrendRow, buckets: TrendBucket[]}} properties */
export function Spark({ row, buckets }) {
  const values = shares(row, buckets);
  const most = Math.max(...values.map((value) => value ?? 0), 1e-9);
  const x = (/** @type {number} */ at) => 2 + (at / Math.max(values.length - 1, 1)) * 116;
  const y = (/** @type {number} */ value) => 20 - (value / most) * 17;
  const points = values.flatMap((value, at) => value === null ? [] : [`${x(at).toFixed(1)},${y(value).toFixed(1)}`]);
  const first = values.find((value) => value !== null) ?? 0;
  const last = values.findLast((value) => value !== null) ?? 0;
  return html`<svg class="spark" viewBox="0 0 120 22" role="img" aria-label=${`from ${percent(first)} to ${percent(last)}, at most ${percent(most)}`}>
    ${row.changePoint !== undefined && row.changePoint.pAdjusted <= BREAK && html`<line class="break" x1=${x(row.changePoint.bucket - 0.5)} x2=${x(row.changePoint.bucket - 0.5)} y1="0" y2="22" />`}
    <polyline points=${points.join(" ")} /></svg>`;
}

/** @param {{collection: string, rows: TrendRow[], buckets: TrendBucket[], by: string, drop: (latent: number) => void}} properties */
export function Lines({ rows, buckets, by, drop }) {
  const [box, width] = useWidth();
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const said = useRef(/** @type {HTMLElement | null} */ (null));
  const dark = useDark();
  useEffect(() => {
    if (width === 0 || place.current === null || buckets.length === 0) return undefined;
    let gone = false;
    /** @type {{destroy: () => void} | undefined} */
    let chart;
    const into = place.current;
    const say = (/** @type {number | null | undefined} */ at) => { if (said.current !== null) said.current.textContent = told(rows, buckets, at); };
    Promise.all([import("../../vendor/charts.js"), loadStyle("/vendor/charts.css")]).then(([{ uPlot }]) => {
      if (!gone) chart = draw(uPlot, into, width, rows, buckets, by, say);
    });
    return () => { gone = true; chart?.destroy(); };
  }, [rows, buckets, width, dark, rows.map(({ latent }) => latent).join(",")]);
  return html`<figure class="lines panel"><div ref=${box}><div ref=${place} data-testid="lines" role="img" style=${{ minHeight: `${HIGH}px` }}
      aria-label=${`Shares of documents along ${by}; the table has the same figures`}></div></div>
    <p class="small-print lines-said" ref=${said}>Point at the lines to read them.</p>
    <figcaption class="row">${rows.map((row, at) => html`<button key=${row.latent} type="button" class="chip" title="Take the line away" onClick=${() => drop(row.latent)}>
      <span class=${`swatch series-${at}`}></span><span class="chip-text"><${LatentName} latent=${row.latent} label=${row.label} low=${row.lowConfidence} recurrence=${row.recurrence} /></span><span aria-hidden="true">✕</span></button>`)}</figcaption>
  </figure>`;
}

/** What the pointer is over. @param {TrendRow[]} rows @param {TrendBucket[]} buckets @param {number | null | undefined} at */
function told(rows, buckets, at) {
  const bucket = at === null || at === undefined ? undefined : buckets[at];
  if (bucket === undefined || at === null || at === undefined) return "Point at the lines to read them.";
  const values = rows.map((row) => `${row.label || row.latent} ${bucket.documents === 0n ? "–" : percent((row.counts[at] ?? 0) / Number(bucket.documents))}`);
  return `${bucketName(bucket)}, ${counted(bucket.documents, "document")}: ${values.join(" · ")}`;
}

/**
 * @param {typeof import("../../vendor/charts.js").uPlot} uPlot
 * @param {HTMLElement} into
 * @param {number} width
 * @param {TrendRow[]} rows
 * @param {TrendBucket[]} buckets
 * @param {string} by
 * @param {(at: number | null | undefined) => void} say
 */
function draw(uPlot, into, width, rows, buckets, by, say) {
  const [muted, grid] = [colour("--muted"), colour("--line")];
  const lines = rows.map((_, at) => colour(`--series-${at}`, into));
  const axis = { stroke: muted, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid }, font: "12px system-ui" };
  const name = (/** @type {number} */ at) => Number.isInteger(at) ? bucketName(buckets[at]) : "";
  return new uPlot({
    width,
    height: HIGH,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    scales: { x: { time: false }, y: { range: (_, __, most) => [0, Math.max(most, 1e-6) * 1.08] } },
    axes: [
      { ...axis, label: by, labelSize: 18, size: 34, labelFont: "12px system-ui", space: 90, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500], values: (_, splits) => splits.map(name) },
      { ...axis, size: 56, values: (_, splits) => splits.map((value) => percent(value)) },
    ],
    series: [{}, ...rows.map((row, at) => ({ label: row.label, stroke: lines[at] ?? muted, width: 2, points: { show: buckets.length <= 60, size: 5 }, spanGaps: true }))],
    hooks: {
      setCursor: [(chart) => say(chart.cursor.idx)],
      drawAxes: [(chart) => breaks(chart, rows, lines)],
    },
  }, /** @type {import("../../vendor/charts.js").uPlot.AlignedData} */ ([buckets.map((_, at) => at), ...rows.map((row) => shares(row, buckets))]), into);
}

/** Where shares break, as dashed lines. @param {import("../../vendor/charts.js").uPlot} chart @param {TrendRow[]} rows @param {string[]} lines */
function breaks(chart, rows, lines) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  rows.forEach(({ changePoint }, at) => {
    if (changePoint === undefined || changePoint.pAdjusted > BREAK) return;
    // Lines of breaks at one place stand beside each other.
    const x = chart.valToPos(changePoint.bucket - 0.5, "x", true) + at * 2 * devicePixelRatio;
    ctx.strokeStyle = lines[at] ?? "";
    ctx.globalAlpha = 0.7;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  });
  ctx.restore();
}
