// The canvas of the map: what it shows, moving over it, pointing, drawing a lasso. Knows no server.
import { gridOf, nearest } from "./geometry.js";
import { rendererFor, scaleOf } from "./renderer.js";
import { clamped, WHOLE } from "./state.js";

/** @typedef {import("./state.js").Window} Window */
/** @typedef {import("./state.js").Corner} Corner */

/**
 * @typedef {object} Hooks
 * @property {(point: number | undefined, x: number, y: number) => void} point  The pointer is at a point, at a place of the canvas.
 * @property {(point: number) => void} open
 * @property {(view: Window) => void} moved                  It moved and has come to rest.
 * @property {(corners: Corner[]) => void} lassoed
 * @property {() => void} painted                            After each frame, for what lies over the canvas.
 */

/** Pixels within which the pointer means a point; which a press may move and still be a click. */
const NEAR = 10;
const STILL = 4;
/** Milliseconds a frame may take while the map moves; beyond, fewer points are painted until it rests. */
const FRAME = 28;
/** The fewest points that are painted while it moves. */
const FEWEST = 20_000;
/** Milliseconds after which it rests. */
const REST = 140;
/** Pixels between corners of a lasso, and the most of them that are kept. */
const STEP = 5;
const CORNERS = 90;

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Hooks} hooks
 * @param {"best" | "webgl" | "canvas"} [way]  How points are painted.
 */
export function stageOf(canvas, hooks, way = "best") {
  const renderer = rendererFor(canvas, way);
  /** @type {{places: Float32Array<ArrayBuffer>, grid: import("./geometry.js").Grid}} */
  let points = { places: new Float32Array(0), grid: gridOf(new Float32Array(0)) };
  let view = WHOLE;
  let [width, height] = [0, 0];
  let budget = Infinity;
  let always = false;
  let painted = 0;
  let moving = false;
  let asked = false;
  let dirty = false;
  let [last, moved] = [0, 0];
  let gone = false;

  function frame() {
    asked = false;
    if (gone) return;
    const now = performance.now();
    // Frames come late where painting is slow, so rest is when one came without a move before it.
    if (moving && !dirty && now - moved > REST) {
      moving = false;
      dirty = true;
      hooks.moved(view);
    }
    if (dirty) paint(now);
    if (moving) ask();
  }
  /** @param {number} begun */
  function paint(begun) {
    dirty = false;
    const ratio = devicePixelRatio || 1;
    const count = moving && !always ? Math.floor(budget) : Infinity;
    painted = Math.min(count, points.places.length / 2);
    renderer.draw({ view, width: Math.round(width * ratio), height: Math.round(height * ratio), size: sizeOf(points.places.length / 2, view.zoom) * ratio, count });
    hooks.painted();
    if (moving) adapt(Math.max(performance.now() - begun, last === 0 ? 0 : Math.min(begun - last, 250)));
    last = moving ? begun : 0;
  }
  /** @param {number} took */
  function adapt(took) {
    const size = points.places.length / 2;
    if (took > FRAME) budget = Math.max(FEWEST, Math.min(budget, size) * Math.max(0.5, FRAME / took));
    else if (took < FRAME * 0.65) budget = Math.min(size, budget * 1.25);
  }
  function ask() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(frame);
  }
  function repaint() {
    dirty = true;
    ask();
  }
  /** @param {Window} to */
  function move(to) {
    view = clamped(to);
    moving = true;
    moved = performance.now();
    repaint();
  }
  /** Where a place of the canvas is on the map. @param {number} x @param {number} y @returns {Corner} */
  function onMap(x, y) {
    const scale = scaleOf(view, width, height);
    return { x: view.x + (x - width / 2) / scale, y: view.y - (y - height / 2) / scale };
  }
  /** The other way round. @param {Corner} place */
  function onCanvas({ x, y }) {
    const scale = scaleOf(view, width, height);
    return { x: width / 2 + (x - view.x) * scale, y: height / 2 - (y - view.y) * scale };
  }
  /** @param {number} x @param {number} y */
  function pointAt(x, y) {
    const place = onMap(x, y);
    return nearest(points.grid, points.places, place.x, place.y, NEAR / scaleOf(view, width, height));
  }
  /** Larger or smaller, with a place of the canvas staying where it is. @param {number} by @param {number} x @param {number} y */
  function zoom(by, x = width / 2, y = height / 2) {
    const before = onMap(x, y);
    view = clamped({ ...view, zoom: view.zoom * by });
    const after = onMap(x, y);
    move({ ...view, x: view.x + before.x - after.x, y: view.y + before.y - after.y });
  }
  /** @param {number} right @param {number} down  In pixels. */
  function pan(right, down) {
    const scale = scaleOf(view, width, height);
    move({ ...view, x: view.x - right / scale, y: view.y + down / scale });
  }
  return {
    kind: renderer.kind,
    /** @param {Float32Array<ArrayBuffer>} places @param {Uint8Array<ArrayBuffer>} colours */
    show(places, colours) {
      points = { places, grid: gridOf(places) };
      budget = Infinity;
      renderer.setPlaces(0, places);
      renderer.setColours(0, colours);
      repaint();
    },
    /** @param {Uint8Array<ArrayBuffer>} colours */
    recolour(colours) {
      renderer.setColours(0, colours);
      repaint();
    },
    /** Points that stand out. @param {Float32Array<ArrayBuffer>} places @param {Uint8Array<ArrayBuffer>} colours */
    emphasise(places, colours) {
      renderer.setPlaces(1, places);
      renderer.setColours(1, colours);
      repaint();
    },
    /** @param {number} wide @param {number} high */
    resize(wide, high) {
      [width, height] = [wide, high];
      repaint();
    },
    /** @param {Window} to */
    go(to) {
      if (to.x === view.x && to.y === view.y && to.zoom === view.zoom) return;
      view = clamped(to);
      repaint();
    },
    get view() { return view; },
    /** Every point in every frame, as a measurement wants it. @param {boolean} all */
    paintAll(all) { always = all; },
    /** Points in the last frame. */
    painted: () => painted,
    move, zoom, pan, pointAt, onMap, onCanvas,
    destroy() {
      gone = true;
      renderer.destroy();
    },
  };
}

/** @typedef {ReturnType<typeof stageOf>} Stage */

/** How large a point is: small where they are many, larger from near. @param {number} count @param {number} zoom */
function sizeOf(count, zoom) {
  const whole = count > 400_000 ? 1 : count > 60_000 ? 1.6 : count > 8000 ? 2.4 : 4;
  return Math.min(10, whole * Math.max(1, zoom) ** 0.42);
}

/**
 * Mouse, touch and pen: drag moves, wheel and two fingers make larger and smaller, a click opens; a lasso where `lassoing` says so.
 * @param {HTMLElement} element
 * @param {Stage} stage
 * @param {Hooks} hooks
 * @param {{lassoing: (event: PointerEvent) => boolean, drawn: (corners: {x: number, y: number}[]) => void}} lasso
 *   `drawn`: the line so far, in pixels.
 */
export function follow(element, stage, hooks, lasso) {
  /** @type {Map<number, {x: number, y: number}>} */
  const down = new Map();
  let [far, apart] = [0, 0];
  /** @type {{x: number, y: number}[] | undefined} */
  let line;
  /** @param {MouseEvent} event */
  const place = (event) => {
    const box = element.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  /** @param {PointerEvent} event */
  const press = (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
    far = 0;
    apart = spread(down);
    line = down.size === 1 && lasso.lassoing(event) ? [place(event)] : undefined;
  };
  /** @param {PointerEvent} event */
  const drag = (event) => {
    const at = place(event);
    const before = down.get(event.pointerId);
    if (before === undefined) {
      if (event.pointerType !== "touch") hooks.point(stage.pointAt(at.x, at.y), at.x, at.y);
      return;
    }
    if (line !== undefined) {
      const end = line.at(-1);
      if (end === undefined || Math.hypot(at.x - end.x, at.y - end.y) >= STEP) line.push(at);
      lasso.drawn(line);
      return;
    }
    far += Math.hypot(at.x - before.x, at.y - before.y);
    down.set(event.pointerId, at);
    if (far < STILL) return;
    hooks.point(undefined, 0, 0);
    stage.pan((at.x - before.x) / down.size, (at.y - before.y) / down.size);
    const now = spread(down);
    if (down.size === 2 && apart > 0 && now > 0) {
      const [one, other] = [...down.values()];
      stage.zoom(now / apart, ((one?.x ?? 0) + (other?.x ?? 0)) / 2, ((one?.y ?? 0) + (other?.y ?? 0)) / 2);
    }
    apart = now;
  };
  /** @param {PointerEvent} event */
  const release = (event) => {
    if (!down.delete(event.pointerId)) return;
    if (line !== undefined) {
      if (line.length >= 3) hooks.lassoed(thinned(line).map(({ x, y }) => stage.onMap(x, y)));
      lasso.drawn([]);
      line = undefined;
    } else if (far < STILL && event.type === "pointerup") {
      const at = place(event);
      const point = stage.pointAt(at.x, at.y);
      if (point !== undefined) hooks.open(point);
    }
  };
  const leave = () => hooks.point(undefined, 0, 0);
  /** @param {WheelEvent} event */
  const wheel = (event) => {
    event.preventDefault();
    const at = place(event);
    const lines = event.deltaMode === 1 ? 16 : 1;
    stage.zoom(Math.exp(Math.max(-120, Math.min(120, -event.deltaY * lines)) / 260), at.x, at.y);
  };
  const all = /** @type {[string, EventListener][]} */ ([["pointerdown", press], ["pointermove", drag], ["pointerup", release], ["pointercancel", release], ["pointerleave", leave], ["wheel", wheel]]);
  for (const [name, listener] of all) element.addEventListener(name, listener, { passive: false });
  return () => { for (const [name, listener] of all) element.removeEventListener(name, listener); };
}

/** How far two fingers are apart. @param {Map<number, {x: number, y: number}>} down */
function spread(down) {
  const [one, other] = [...down.values()];
  return one === undefined || other === undefined ? 0 : Math.hypot(one.x - other.x, one.y - other.y);
}

/** @param {{x: number, y: number}[]} line */
function thinned(line) {
  const every = Math.ceil(line.length / CORNERS);
  return line.filter((_, at) => at % every === 0);
}
