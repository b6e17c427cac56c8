// The canvas with what lies over it and what stands beside it.
import { html, useEffect, useMemo, useRef, useState } from "../../vendor/vendor.js";
import { useLoad } from "../../app/load.js";
import { colour as styled, useDark, useWidth } from "../../parts/chart.js";
import { DocumentCard } from "../../parts/document.js";
import { count, nameLiteral, quoted } from "../../parts/format.js";
import { Loaded } from "../../parts/states.js";
import { painted, rgbOf, scaleOf } from "./colours.js";
import { inside } from "./geometry.js";
import { Legend } from "./legend.js";
import { Selection, documentCalls } from "./selection.js";
import { follow, stageOf } from "./stage.js";
import { cornersOf, placeOf, placeText, WHOLE, written } from "./state.js";

/** @typedef {import("./read.js").Points} Points */
/** @typedef {import("./read.js").Values} Values */
/** @typedef {import("./state.js").MapState} MapState */
/** @typedef {import("../../gen/latentdb/v1/types_pb.js").Document} Document */
/** @typedef {import("./stage.js").Stage} Stage */

/** Characters of a text under the pointer; milliseconds before it is read. */
const TOLD = 220;
const PAUSE = 70;

/**
 * @param {object} properties
 * @param {string} properties.collection
 * @param {import("../../app/collections.js").Collection | undefined} properties.record
 * @param {Points} properties.points
 * @param {Values} properties.of
 * @param {string[] | undefined} properties.categories
 * @param {MapState} properties.state
 * @param {() => Promise<string[]>} properties.ids
 * @param {typeof import("../../app/router.js").update} properties.put
 * @param {import("../../vendor/vendor.js").ComponentChildren} properties.below  What the line under the map says instead of its own.
 */
export function Board({ collection, record, points, of, categories, state, ids, put, below }) {
  const dark = useDark();
  const corners = useMemo(() => cornersOf(state.lasso), [state.lasso]);
  const selected = useMemo(() => corners.length === 0 ? undefined : inside(points.places, corners), [points, corners]);
  const scale = useMemo(() => scaleOf(of, { latent: state.colour.startsWith("latent:"), ...(categories === undefined ? {} : { categories }) }), [of, categories, dark]);
  const chosen = useMemo(() => selected === undefined ? undefined : new Set(selected), [selected]);
  const some = chosen !== undefined ? (/** @type {number} */ at) => chosen.has(at) : of.marked !== undefined ? (/** @type {number} */ at) => of.marked?.[at] === 1 : undefined;
  const title = state.colour === "" ? "All" : state.colour.startsWith("attribute:") ? state.colour.slice(10) : state.colour.startsWith("latent:") ? `Activation of latent ${state.colour.slice(7)}` : "Clusters";
  return html`<div class="map-board"><${Canvas} collection=${collection} points=${points} of=${of} scale=${scale} selected=${selected} corners=${corners} state=${state} ids=${ids} put=${put} dark=${dark} below=${below} />
    <aside class="map-side"><${Legend} size=${points.size} of=${of} scale=${scale} some=${some} what=${chosen !== undefined ? "Selected" : "Marked"} title=${title}
        filterOf=${(/** @type {import("./colours.js").Entry} */ entry) => filterOf(entry, state.colour, record)} mark=${(/** @type {string} */ filter) => put({ filter }, { step: "marks" })} />
      ${state.document !== "" && html`<${Opened} collection=${collection} id=${state.document} close=${() => put({ document: "" }, { step: "look" })} />`}
      ${selected !== undefined && html`<${Selection} collection=${collection} points=${selected} size=${points.size} ids=${ids} clear=${() => put({ lasso: "" }, { step: "lasso" })} />`}
    </aside></div>`;
}

/** The documents of a line of the legend. @param {import("./colours.js").Entry} entry @param {string} colour @param {import("../../app/collections.js").Collection | undefined} record */
function filterOf({ filter }, colour, record) {
  if (filter === undefined || filter === "") return "";
  if (colour.startsWith("latent:")) return filter === "inactive" ? `not latent(${colour.slice(7)})` : `latent(${colour.slice(7)}, ${filter})`;
  if (!colour.startsWith("attribute:")) return "";
  const name = colour.slice(10);
  if (/^[<>]/.test(filter)) return `${nameLiteral(name)}(${filter})`;
  const kinds = record?.attributes.find((attribute) => attribute.name === name)?.kinds ?? [];
  return `${nameLiteral(name)} = ${kinds.includes("boolean") && !kinds.includes("string") ? filter : quoted(filter)}`;
}

/** @param {{collection: string, id: string, close: () => void}} properties */
function Opened({ collection, id, close }) {
  const found = useLoad(async (signal) => (await documentCalls.get({ collection, ids: [id], projection: { text: true, attributes: true } }, { signal })).documents[0], [collection, id]);
  return html`<section data-testid="opened"><div class="row spread"><h2>Document</h2><button type="button" class="quiet" aria-label="Close the document" onClick=${close}>✕</button></div>
    <${Loaded} of=${{ ...found, value: found.loading ? undefined : found.value ?? null }} lines=${4}>${(/** @type {Document | null} */ document) => document === null ? html`<p class="muted">It does not exist any more.</p>`
      : html`<${DocumentCard} collection=${collection} document=${document} />`}</${Loaded}></section>`;
}

/**
 * @param {object} properties
 * @param {string} properties.collection
 * @param {Points} properties.points
 * @param {Values} properties.of
 * @param {import("./colours.js").Scale} properties.scale
 * @param {Uint32Array | undefined} properties.selected
 * @param {import("./state.js").Corner[]} properties.corners
 * @param {MapState} properties.state
 * @param {() => Promise<string[]>} properties.ids
 * @param {typeof import("../../app/router.js").update} properties.put
 * @param {boolean} properties.dark
 * @param {import("../../vendor/vendor.js").ComponentChildren} properties.below
 */
function Canvas({ collection, points, of, scale, selected, corners, state, ids, put, dark, below }) {
  const [box, width] = useWidth();
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const stage = useRef(/** @type {Stage | undefined} */ (undefined));
  const [lassoing, setLassoing] = useState(false);
  const [line, setLine] = useState("");
  const [, setFrame] = useState(0);
  const [at, setAt] = useState(/** @type {{point: number, x: number, y: number} | undefined} */ (undefined));
  const told = useTold(collection, at?.point, ids);
  const opened = usePoint(state.document, ids);
  // What the listeners need of now: they are attached once.
  const now = useRef({ lassoing, open: (/** @type {number} */ _point) => {}, over: false });
  now.current = {
    lassoing,
    over: corners.length > 0 || opened !== undefined,
    open: (point) => { void ids().then((all) => put({ document: all[point] ?? "" }, { step: "look" })); },
  };
  useEffect(() => {
    if (canvas.current === null) return undefined;
    /** @type {import("./stage.js").Hooks} */
    const hooks = {
      point: (point, x, y) => setAt(point === undefined ? undefined : { point, x, y }),
      open: (point) => now.current.open(point),
      moved: (view) => {
        const text = placeText(view);
        put({ at: text }, { step: "move", replace: true });
        // What the address says is what is shown, to the pixel.
        stage.current?.go(placeOf(text));
      },
      lassoed: (drawn) => { setLassoing(false); put({ lasso: written(drawn) }, { step: "lasso" }); },
      painted: () => { if (now.current.over) setFrame((before) => before + 1); },
    };
    const made = stageOf(canvas.current, hooks);
    stage.current = made;
    made.go(placeOf(state.place));
    const stop = follow(canvas.current, made, hooks, {
      lassoing: (event) => now.current.lassoing || event.shiftKey,
      drawn: (drawn) => setLine(drawn.map(({ x, y }) => `${x},${y}`).join(" ")),
    });
    return () => { stop(); made.destroy(); stage.current = undefined; };
  }, []);
  useEffect(() => {
    if (width > 0) stage.current?.resize(width, canvas.current?.clientHeight ?? 0);
  }, [width]);
  const latent = state.colour.startsWith("latent:");
  const standing = useMemo(() => selected ?? marksOf(of) ?? (latent ? activeOf(of) : undefined), [selected, of, latent]);
  useEffect(() => {
    const faded = standing !== undefined;
    stage.current?.show(points.places, painted(points.size, of, scale, faded));
    const { places, colours } = emphasised(points, of, scale, standing);
    stage.current?.emphasise(places, colours);
  }, [points, of, scale, standing, dark]);
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (stage.current !== undefined && key(event, stage.current, { open: now.current.open, lasso: () => setLassoing(!lassoing), clear: () => { setLassoing(false); put({ lasso: "" }, { step: "lasso" }); } })) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  const outline = stage.current === undefined || corners.length === 0 ? "" : corners.map((corner) => stage.current?.onCanvas(corner)).map((place) => `${place?.x ?? 0},${place?.y ?? 0}`).join(" ");
  const ring = opened === undefined ? undefined : stage.current?.onCanvas({ x: points.places[2 * opened] ?? 0, y: points.places[2 * opened + 1] ?? 0 });
  return html`<div class="map-canvas">
    <div class=${`map-frame ${lassoing ? "lassoing" : ""}`} ref=${box}>
      <canvas ref=${canvas} tabindex="0" role="application" data-testid="map" aria-label=${`Map of ${count(points.size)} documents. Arrow keys move, plus and minus zoom, 0 shows all, L draws a lasso, Enter opens the document in the middle. The table beside it has the counts.`} onKeyDown=${keys}></canvas>
      <svg class="map-over" aria-hidden="true">${outline !== "" && html`<polygon points=${outline} />`}${line !== "" && html`<polyline points=${line} />`}${ring !== undefined && html`<circle cx=${ring.x} cy=${ring.y} r="8" />`}<path class="cross" d="M-7 0H7M0-7V7" /></svg>
      ${at !== undefined && told !== undefined && html`<div class="tip map-tip" dir="auto" style=${{ left: `${Math.min(at.x + 12, Math.max(width - 252, 0))}px`, top: `${at.y + 14}px` }}>${told}</div>`}
      <div class="map-buttons"><button type="button" class="small" aria-label="Larger" onClick=${() => stage.current?.zoom(1.6)}>+</button>
        <button type="button" class="small" aria-label="Smaller" onClick=${() => stage.current?.zoom(1 / 1.6)}>−</button>
        <button type="button" class="small" onClick=${() => stage.current?.move(WHOLE)}>All</button>
        <button type="button" class="small" aria-pressed=${lassoing} data-testid="lasso" onClick=${() => setLassoing(!lassoing)}>Lasso</button></div></div>
    <div class="small-print map-below">${below ?? (lassoing ? "Draw around documents." : "Drag moves, the wheel or two fingers zoom, Shift and drag selects, a click opens a document.")}</div>
  </div>`;
}

/** @param {Values} of */
function marksOf({ marked }) {
  return marked === undefined ? undefined : pointsWhere(marked.length, (at) => marked[at] === 1);
}

/** Few documents have a latent, so that they stand out of the others. @param {Values} of */
function activeOf({ values }) {
  return values === undefined ? undefined : pointsWhere(values.length, (at) => (values[at] ?? 0) > 0);
}

/** @param {number} size @param {(at: number) => boolean} test */
function pointsWhere(size, test) {
  const found = new Uint32Array(size);
  let count = 0;
  for (let at = 0; at < size; at += 1) {
    if (!test(at)) continue;
    found[count] = at;
    count += 1;
  }
  return found.slice(0, count);
}

/** Places and colours of points that stand out. @param {Points} points @param {Values} of @param {import("./colours.js").Scale} scale @param {Uint32Array | undefined} standing */
function emphasised(points, of, scale, standing = new Uint32Array(0)) {
  const places = new Float32Array(2 * standing.length);
  const colours = new Uint8Array(4 * standing.length).fill(255);
  const none = rgbOf(styled("--line-strong"));
  standing.forEach((point, at) => {
    places[2 * at] = points.places[2 * point] ?? 0;
    places[2 * at + 1] = points.places[2 * point + 1] ?? 0;
    const value = of.values === undefined ? 0 : of.values[point] ?? NaN;
    colours.set(Number.isNaN(value) ? none : scale.rgbOf(value), 4 * at);
  });
  return { places, colours };
}

/**
 * The text of the document under the pointer.
 * @param {string} collection
 * @param {number | undefined} point
 * @param {() => Promise<string[]>} ids
 */
function useTold(collection, point, ids) {
  const [told, setTold] = useState(/** @type {{point: number, text: string} | undefined} */ (undefined));
  useEffect(() => {
    if (point === undefined) return undefined;
    const controller = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const id = (await ids())[point] ?? "";
        if (controller.signal.aborted) return;
        const { documents } = await documentCalls.get({ collection, ids: [id], projection: { text: true } }, { signal: controller.signal });
        const characters = [...(documents[0]?.text ?? id)];
        setTold({ point, text: characters.length > TOLD ? `${characters.slice(0, TOLD).join("")}…` : characters.join("") });
      } catch {
        // Passed over, or the server is away, which the banner says.
      }
    }, PAUSE);
    return () => { clearTimeout(timer); controller.abort(); };
  }, [point]);
  return told !== undefined && told.point === point ? told.text : undefined;
}

/**
 * The point of a document; ids are read only once one is open.
 * @param {string} id
 * @param {() => Promise<string[]>} ids
 */
function usePoint(id, ids) {
  const [found, setFound] = useState(/** @type {{id: string, point: number} | undefined} */ (undefined));
  useEffect(() => {
    if (id === "") return undefined;
    let wanted = true;
    ids().then((all) => { if (wanted) setFound({ id, point: all.indexOf(id) }); }, () => undefined);
    return () => { wanted = false; };
  }, [id, ids]);
  return found !== undefined && found.id === id && found.point >= 0 ? found.point : undefined;
}

/** @param {KeyboardEvent} event @param {Stage} stage @param {{open: (point: number) => void, lasso: () => void, clear: () => void}} does */
function key(event, stage, does) {
  const step = event.shiftKey ? 200 : 50;
  const canvas = /** @type {HTMLElement} */ (event.currentTarget);
  switch (event.key) {
    case "ArrowLeft": stage.pan(step, 0); return true;
    case "ArrowRight": stage.pan(-step, 0); return true;
    case "ArrowUp": stage.pan(0, step); return true;
    case "ArrowDown": stage.pan(0, -step); return true;
    case "+": case "=": stage.zoom(1.3); return true;
    case "-": stage.zoom(1 / 1.3); return true;
    case "0": stage.move(WHOLE); return true;
    case "l": does.lasso(); return true;
    case "Escape": does.clear(); return true;
    case "Enter": {
      const point = stage.pointAt(canvas.clientWidth / 2, canvas.clientHeight / 2);
      if (point !== undefined) does.open(point);
      return true;
    }
    default: return false;
  }
}
