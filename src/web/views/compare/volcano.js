// Every tested latent: its difference against its adjusted p-value.
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";
import { colour, linear, prepared, ticks, useDark, useWidth } from "../../parts/chart.js";
import { pValue } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { difference } from "./table.js";

/** @typedef {import("./request.js").DiffRow} DiffRow */
/** @typedef {{x: number, y: number, row: DiffRow}} Dot */

const HIGH = 260;
const LEFT = 52;
const BOTTOM = 34;
const TOP = 10;
const RIGHT = 12;
/** p-values below have no more meaning than this. */
const LEAST = 1e-300;
/** Pixels within which the pointer means a point. */
const NEAR = 14;

/** Up the plot: the square root of -log10 p, so that 1e-300 leaves room for .05. @param {number} p */
const height = (p) => Math.sqrt(-Math.log10(Math.max(p, LEAST)));

/**
 * @param {object} properties
 * @param {DiffRow[]} properties.rows      Of every latent.
 * @param {boolean} properties.means
 * @param {number} properties.maxP
 * @param {number} properties.minDelta
 * @param {number | undefined} properties.chosen
 * @param {number | undefined} properties.hovered
 * @param {(latent: number | undefined) => void} properties.hover
 * @param {(latent: number) => void} properties.choose
 */
export function Volcano({ rows, means, maxP, minDelta, chosen, hovered, hover, choose }) {
  const [box, width] = useWidth();
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [at, setAt] = useState(/** @type {Dot | undefined} */ (undefined));
  const dark = useDark();
  const tested = rows.filter(({ test }) => test !== 0);
  const most = Math.max(minDelta * 1.5, ...tested.map(({ delta }) => Math.abs(delta))) * 1.06 || 1;
  const top = Math.max(height(0.001), ...tested.map(({ pAdjusted }) => height(pAdjusted))) * 1.04;
  const x = linear(-most, most, LEFT, width - RIGHT);
  const y = linear(0, top, HIGH - BOTTOM, TOP);
  const dots = tested.map((row) => ({ x: x(row.delta), y: y(height(row.pAdjusted)), row }));
  useEffect(() => {
    if (canvas.current !== null && width > 0) paint(canvas.current, width, { x, y, most, top, dots, maxP, minDelta, means, chosen, hovered });
  }, [rows, width, dark, chosen, hovered, maxP, minDelta, means]);
  /** @param {MouseEvent} event */
  const nearest = (event) => {
    const place = canvas.current?.getBoundingClientRect();
    if (place === undefined) return undefined;
    return near(dots, event.clientX - place.left, event.clientY - place.top);
  };
  const passing = tested.filter((row) => passes(row, maxP, minDelta)).length;
  return html`<figure class="volcano" ref=${box}>
    <figcaption class="small-print">Difference against adjusted p, ${tested.length.toLocaleString("en")} tested latents<${Help} page="analyses" at="set-difference" of="this plot" /></figcaption>
    <canvas ref=${canvas} data-testid="volcano" role="img" style=${{ width: "100%", height: `${HIGH}px` }}
      aria-label=${`${passing} of ${tested.length} tested latents differ. The table lists them.`}
      onMouseMove=${(/** @type {MouseEvent} */ event) => { const dot = nearest(event); setAt(dot); hover(dot?.row.latent); }}
      onMouseLeave=${() => { setAt(undefined); hover(undefined); }}
      onClick=${(/** @type {MouseEvent} */ event) => { const dot = nearest(event); if (dot !== undefined) choose(dot.row.latent); }}></canvas>
    ${at !== undefined && html`<div class="tip" style=${at.x > width / 2 ? { right: `${width - at.x + 10}px`, top: `${at.y + 18}px` } : { left: `${at.x + 10}px`, top: `${at.y + 18}px` }}>
      <strong dir="auto">${at.row.latent} ${at.row.label}</strong><br />${difference(at.row.delta, means)}${means ? "" : " points"}, p ${pValue(at.row.pAdjusted)}</div>`}
  </figure>`;
}

/** @param {DiffRow} row @param {number} maxP @param {number} minDelta */
function passes(row, maxP, minDelta) {
  return row.pAdjusted <= maxP && Math.abs(row.delta) > minDelta;
}

/** @param {Dot[]} dots @param {number} x @param {number} y @returns {Dot | undefined} */
function near(dots, x, y) {
  /** @type {Dot | undefined} */
  let best;
  let least = NEAR * NEAR;
  for (const dot of dots) {
    const far = (dot.x - x) ** 2 + (dot.y - y) ** 2;
    if (far < least) {
      least = far;
      best = dot;
    }
  }
  return best;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {{x: (value: number) => number, y: (value: number) => number, most: number, top: number, dots: Dot[], maxP: number, minDelta: number, means: boolean, chosen: number | undefined, hovered: number | undefined}} plot
 */
function paint(canvas, width, plot) {
  const context = prepared(canvas, width, HIGH);
  if (context === null) return;
  const { x, y } = plot;
  const [line, muted, text] = ["--line", "--muted", "--text"].map((name) => colour(name));
  const sides = { a: colour("--side-a", canvas), b: colour("--side-b", canvas), none: colour("--line-strong") };
  context.font = "11px system-ui, sans-serif";
  context.lineWidth = 1;
  context.fillStyle = muted ?? "";
  context.strokeStyle = line ?? "";
  const rule = (/** @type {number} */ x1, /** @type {number} */ y1, /** @type {number} */ x2, /** @type {number} */ y2) => {
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
  };
  const scale = plot.means ? 1 : 100;
  context.textAlign = "center";
  for (const value of ticks(-plot.most * scale, plot.most * scale, 6)) {
    rule(x(value / scale), TOP, x(value / scale), HIGH - BOTTOM);
    context.fillText(`${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value)}`, x(value / scale), HIGH - BOTTOM + 14);
  }
  context.fillText(plot.means ? "mean activation, A − B" : "points, A − B", (LEFT + width - RIGHT) / 2, HIGH - 5);
  context.textAlign = "right";
  for (const [p, name] of levels(plot.top, y)) {
    rule(LEFT, y(height(p)), width - RIGHT, y(height(p)));
    context.fillText(name, LEFT - 6, y(height(p)) + 4);
  }
  context.strokeStyle = muted ?? "";
  context.setLineDash([4, 3]);
  rule(LEFT, y(height(plot.maxP)), width - RIGHT, y(height(plot.maxP)));
  if (plot.minDelta > 0) for (const bound of [-plot.minDelta, plot.minDelta]) rule(x(bound), TOP, x(bound), HIGH - BOTTOM);
  context.setLineDash([]);
  for (const { x: across, y: down, row } of plot.dots) {
    const pass = passes(row, plot.maxP, plot.minDelta);
    context.globalAlpha = pass ? 0.85 : 0.45;
    context.fillStyle = pass ? (row.delta > 0 ? sides.a : sides.b) : sides.none;
    disc(context, across, down, pass ? 3.2 : 2.2);
  }
  context.globalAlpha = 1;
  context.lineWidth = 2;
  context.strokeStyle = text ?? "";
  for (const { x: across, y: down, row } of plot.dots) {
    if (row.latent !== plot.chosen && row.latent !== plot.hovered) continue;
    context.beginPath();
    context.arc(across, down, 6, 0, 2 * Math.PI);
    context.stroke();
  }
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {number} radius */
function disc(context, x, y, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

/** Levels of p that are drawn, none on another's name. @param {number} top @param {(up: number) => number} y @returns {[number, string][]} */
function levels(top, y) {
  /** @type {[number, string][]} */
  const all = [[1, "1"], [0.05, ".05"], [0.001, ".001"], ...[5, 10, 20, 50, 100, 200, 300].map((power) => /** @type {[number, string]} */ ([10 ** -power, `1e−${power}`]))];
  let last = Infinity;
  return all.filter(([p]) => {
    const place = y(height(p));
    if (height(p) > top || last - place < 15) return false;
    last = place;
    return true;
  });
}
