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
  // At the right edge there is no room right of a node.
  const turned = (/** @type {number} */ at) => x(at) > width - 6.4 * NAMED;
  const named = labelled(graph.nodes, x, y, view.zoom, turned);
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
            x=${(radius(one, most) + 3) * (turned(at) ? -1 : 1)} y="4" text-anchor=${turned(at) ? "end" : "start"}>${cut(one.label)}</text>`}</g>`)}
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

/**
 * Nodes whose names are shown: those of most pairs first, none over another.
 * @param {Node[]} nodes
 * @param {(at: number) => number} x
 * @param {(at: number) => number} y
 * @param {number} zoom
 * @param {(at: number) => boolean} turned  Whether a name stands left of its node.
 */
function labelled(nodes, x, y, zoom, turned) {
  /** @type {{left: number, top: number, right: number}[]} */
  const taken = [];
  /** @type {Set<number>} */
  const named = new Set();
  // A number alone says little, so names come first.
  const worth = (/** @type {Node | undefined} */ node) => node === undefined ? 0 : node.pairs + (/^\d+$/.test(node.label) ? 0 : 2);
  const order = nodes.map((_, at) => at).sort((one, other) => worth(nodes[other]) - worth(nodes[one]));
  for (const at of order) {
    const long = 18 + 6.4 * cut(nodes[at]?.label ?? "").length;
    const left = x(at) * zoom - (turned(at) ? long : 0);
    const top = y(at) * zoom;
    const right = left + long;
    if (taken.some((other) => Math.abs(other.top - top) < 14 && left < other.right && other.left < right)) continue;
    taken.push({ left, top, right });
    named.add(at);
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
