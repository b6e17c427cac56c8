// Pairs as a graph. The table beside it says the same, by keyboard too.
import { html, useMemo, useRef, useState } from "../../vendor/vendor.js";
import { useWidth } from "../../parts/chart.js";
import { Help } from "../../parts/help.js";
import { layOut } from "./layout.js";
import { keyOf, otherOf } from "./pairs.js";

/** @typedef {import("../../gen/latentdb/v1/correlate_pb.js").CorrelatedPair} CorrelatedPair */
/** @typedef {{key: string, name: string, label: string, documents: number, pairs: number}} Node */
/** @typedef {{x: number, y: number, zoom: number}} Window */

const HIGH = 400;
/** Pairs drawn, the strongest first. */
const DRAWN = 120;
const ROOM = 26;
const WHOLE = { x: 0, y: 0, zoom: 1 };
/** Characters of a name beside a node. */
const NAMED = 22;

/** @param {CorrelatedPair[]} pairs */
function graphOf(pairs) {
  /** @type {Map<string, {node: Node, at: number}>} */
  const nodes = new Map();
  const node = (/** @type {string} */ key, /** @type {string} */ name, /** @type {string} */ label, /** @type {bigint} */ documents) => {
    const known = nodes.get(key) ?? { node: { key, name, label, documents: Number(documents), pairs: 0 }, at: nodes.size };
    known.node.pairs += 1;
    nodes.set(key, known);
    return known.at;
  };
  const edges = pairs.map((pair) => {
    const other = otherOf(pair);
    const label = pair.other.case === "j" ? pair.jLabel : other.name;
    return { key: keyOf(pair), from: node(`l${pair.i}`, `${pair.i} ${pair.iLabel}`, pair.iLabel || String(pair.i), pair.iCount),
      to: node(other.key, other.name, label || other.name, pair.jCount), weight: Math.max(0, Math.min(1, pair.npmi)) };
  });
  const list = [...nodes.values()].map((entry) => entry.node);
  return { nodes: list, edges, places: layOut(list.length, edges) };
}

/** @param {{pairs: CorrelatedPair[], node: string, pair: string, hovered: string | undefined, choose: (key: string) => void}} properties */
export function Graph({ pairs, node, pair, hovered, choose }) {
  const [box, width] = useWidth();
  const graph = useMemo(() => graphOf(pairs.slice(0, DRAWN)), [pairs]);
  const [view, setView] = useState(/** @type {Window} */ (WHOLE));
  const [over, setOver] = useState(/** @type {string | undefined} */ (undefined));
  const drag = useDrag(view, setView);
  const x = (/** @type {number} */ at) => ROOM + (graph.places[at]?.x ?? 0) * Math.max(width - 2 * ROOM - 60, 1);
  const y = (/** @type {number} */ at) => ROOM + (graph.places[at]?.y ?? 0) * (HIGH - 2 * ROOM);
  const most = Math.max(...graph.nodes.map(({ documents }) => documents), 1);
  const focus = over ?? node;
  const near = new Set(graph.edges.flatMap(({ from, to }) => [graph.nodes[from]?.key, graph.nodes[to]?.key].includes(focus) ? [from, to] : []));
  const named = labelled(graph.nodes.map((one, at) => ({ ...one, x: view.x + x(at) * view.zoom, y: view.y + y(at) * view.zoom, r: radius(one, most) })), width);
  const lit = (/** @type {typeof graph.edges[number]} */ edge) => edge.key === pair || edge.key === hovered
    || (focus !== "" && (graph.nodes[edge.from]?.key === focus || graph.nodes[edge.to]?.key === focus));
  return html`<figure class="graph" ref=${box}>
    <figcaption class="small-print spread row"><span>${graph.nodes.length} nodes, ${graph.edges.length} pairs; wider lines: higher NPMI<${Help} page="methods" at="correlations" of="this graph" /></span>
      <span class="row"><button type="button" class="small" aria-label="Larger" onClick=${() => setView(zoomed(view, 1.5, width / 2, HIGH / 2))}>+</button>
      <button type="button" class="small" aria-label="Smaller" onClick=${() => setView(zoomed(view, 1 / 1.5, width / 2, HIGH / 2))}>−</button>
      <button type="button" class="small" onClick=${() => setView(WHOLE)}>Whole</button></span></figcaption>
    <svg width=${width} height=${HIGH} role="img" aria-label="Pairs as a graph; the table lists them" data-testid="graph" ...${drag}>
      <g transform=${`translate(${view.x} ${view.y}) scale(${view.zoom})`}>
        ${graph.edges.map((edge) => html`<line key=${edge.key} class=${lit(edge) ? "edge lit" : "edge"} x1=${x(edge.from)} y1=${y(edge.from)} x2=${x(edge.to)} y2=${y(edge.to)} stroke-width=${(0.6 + 3 * edge.weight) / Math.sqrt(view.zoom)} />`)}
        ${graph.nodes.map((one, at) => html`<g key=${one.key} class=${`node ${one.key === node ? "chosen" : ""} ${focus !== "" && !near.has(at) && one.key !== focus ? "far" : ""}`}
          transform=${`translate(${x(at)} ${y(at)}) scale(${1 / view.zoom})`} onMouseEnter=${() => setOver(one.key)} onMouseLeave=${() => setOver(undefined)} onClick=${() => choose(one.key)}>
          <title>${one.name}: ${one.documents} documents, ${one.pairs} pairs</title>
          <circle r=${radius(one, most)} /></g>`)}
        ${graph.nodes.map((one, at) => html`<g key=${`name ${one.key}`} class=${`node ${focus !== "" && !near.has(at) && one.key !== focus ? "far" : ""}`} pointer-events="none"
          transform=${`translate(${x(at)} ${y(at)}) scale(${1 / view.zoom})`}>${(named.has(at) || one.key === focus || (focus !== "" && near.has(at))) && html`<text
            ...${beside(named.get(at) ?? "right", radius(one, most))}>${cut(one.label)}</text>`}</g>`)}
      </g></svg>
  </figure>`;
}

/** @param {Node} node @param {number} most */
function radius(node, most) {
  return 3 + 6 * Math.sqrt(node.documents / most);
}

/** @param {string} text */
function cut(text) {
  const characters = [...text];
  return characters.length > NAMED ? `${characters.slice(0, NAMED - 1).join("")}…` : text;
}

/** @typedef {"right" | "left" | "below" | "above"} Side */
/** @typedef {Node & {x: number, y: number, r: number}} Placed */
/** @typedef {{left: number, right: number, top: number, bottom: number}} Box */

/** Where a name stands, from the middle of its node. @param {Side} side @param {number} r */
function beside(side, r) {
  const across = side === "right" ? r + 3 : side === "left" ? -r - 3 : 0;
  return { x: across, y: side === "below" ? r + 12 : side === "above" ? -r - 4 : 4, "text-anchor": side === "right" ? "start" : side === "left" ? "end" : "middle" };
}

/** The room that a name takes. @param {Placed} node @param {Side} side @returns {Box} */
function boxOf({ label, x, y, r }, side) {
  const long = 6.4 * cut(label).length;
  const at = beside(side, r);
  const left = x + at.x - (side === "right" ? 0 : side === "left" ? long : long / 2);
  return { left, right: left + long, top: y + at.y - 10, bottom: y + at.y + 3 };
}

/**
 * Nodes whose names are shown, and on which side: those of most pairs first, none over another name or a node.
 * @param {Placed[]} nodes
 * @param {number} width
 */
function labelled(nodes, width) {
  /** @type {Box[]} */
  const taken = nodes.map(({ x, y, r }) => ({ left: x - r, right: x + r, top: y - r, bottom: y + r }));
  /** @type {Map<number, Side>} */
  const named = new Map();
  // A number alone says little, so names come first.
  const worth = (/** @type {Node | undefined} */ node) => node === undefined ? 0 : node.pairs + (/^\d+$/.test(node.label) ? 0 : 2);
  const order = nodes.map((node, at) => ({ node, at })).sort((one, other) => worth(other.node) - worth(one.node));
  for (const { node, at } of order) {
    for (const side of /** @type {Side[]} */ (["right", "left", "below", "above"])) {
      const box = boxOf(node, side);
      if (box.left < 0 || box.right > width
        || taken.some((other) => box.left < other.right && other.left < box.right && box.top < other.bottom && other.top < box.bottom)) continue;
      taken.push(box);
      named.set(at, side);
      break;
    }
  }
  return named;
}

/** @param {Window} view @param {number} by @param {number} x @param {number} y @returns {Window} */
function zoomed(view, by, x, y) {
  const zoom = Math.max(0.5, Math.min(12, view.zoom * by));
  const ratio = zoom / view.zoom;
  return { zoom, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
}

/** Moving by dragging, larger and smaller by the wheel with Ctrl, so that the page scrolls otherwise. @param {Window} view @param {(view: Window) => void} setView */
function useDrag(view, setView) {
  const from = useRef(/** @type {{x: number, y: number, view: Window} | undefined} */ (undefined));
  return {
    onPointerDown: (/** @type {PointerEvent} */ event) => {
      from.current = { x: event.clientX, y: event.clientY, view };
    },
    onPointerMove: (/** @type {PointerEvent} */ event) => {
      if (from.current === undefined) return;
      const { x, y, view: begun } = from.current;
      if (Math.hypot(event.clientX - x, event.clientY - y) < 4) return;
      setView({ ...begun, x: begun.x + event.clientX - x, y: begun.y + event.clientY - y });
    },
    onPointerUp: () => { from.current = undefined; },
    onPointerLeave: () => { from.current = undefined; },
    onWheel: (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      const place = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
      setView(zoomed(view, Math.exp(-event.deltaY / 300), event.clientX - place.left, event.clientY - place.top));
    },
  };
}
