// The map that is open, as the address writes it.

/**
 * @typedef {object} MapState
 * @property {string} name      Empty: the first there is.
 * @property {string} colour    "", "attribute:NAME", "latent:NUMBER" or "clusters:TEXT;TEXT".
 * @property {string} filter    Whose documents are marked.
 * @property {string} lasso     Corners of what is selected, in thousandths: "100,-20 300,40 ..".
 * @property {string} document  The id of the document that is open.
 * @property {string} place     Where the window is: "x,y,zoom".
 */

/** @param {import("../../app/router.js").Route} route @returns {MapState} */
export function read({ rest, params }) {
  const text = (/** @type {string} */ name) => params.get(name) ?? "";
  return { name: rest, colour: text("colour"), filter: text("filter"), lasso: text("lasso"), document: text("document"), place: text("at") };
}

/** @typedef {{x: number, y: number}} Corner */

/** @param {string} text @returns {Corner[]} */
export function cornersOf(text) {
  const corners = text.split(" ").flatMap((pair) => {
    const [x, y] = pair.split(",").map(Number);
    return x === undefined || y === undefined || pair === "" || !Number.isFinite(x + y) ? [] : [{ x: x / 1000, y: y / 1000 }];
  });
  return corners.length < 3 ? [] : corners;
}

/** @param {Corner[]} corners */
export function written(corners) {
  return corners.map(({ x, y }) => `${Math.round(x * 1000)},${Math.round(y * 1000)}`).join(" ");
}

/** The window: its middle, and how large it shows things; 1: all of it. @typedef {{x: number, y: number, zoom: number}} Window */

/** @type {Window} */
export const WHOLE = { x: 0, y: 0, zoom: 1 };

/** @param {string} text @returns {Window} */
export function placeOf(text) {
  const [x, y, zoom] = text.split(",").map(Number);
  return x === undefined || y === undefined || zoom === undefined || !Number.isFinite(x + y + zoom) ? WHOLE : clamped({ x, y, zoom });
}

/** @param {Window} place */
export function placeText({ x, y, zoom }) {
  return zoom === 1 && x === 0 && y === 0 ? "" : `${x.toFixed(4)},${y.toFixed(4)},${zoom.toFixed(2)}`;
}

/** @param {Window} place @returns {Window} */
export function clamped({ x, y, zoom }) {
  const bound = (/** @type {number} */ value, /** @type {number} */ most) => Math.max(-most, Math.min(most, value));
  return { x: bound(x, 1.2), y: bound(y, 1.2), zoom: Math.max(0.6, Math.min(400, zoom)) };
}
