// Which points are near, and which are inside.

/** @typedef {import("./state.js").Corner} Corner */

/** Cells of the grid across and down. */
const CELLS = 256;

/**
 * Points by the cell of a grid they lie in.
 * @typedef {object} Grid
 * @property {Uint32Array} starts  Where each cell's points begin in `points`.
 * @property {Uint32Array} points
 */

/** @param {number} value */
function cell(value) {
  return Math.max(0, Math.min(CELLS - 1, Math.floor(((value + 1) / 2) * CELLS)));
}

/** @param {Float32Array} places @returns {Grid} */
export function gridOf(places) {
  const size = places.length / 2;
  const cells = new Uint32Array(size);
  const starts = new Uint32Array(CELLS * CELLS + 1);
  for (let at = 0; at < size; at += 1) {
    const number = cell(places[2 * at + 1] ?? 0) * CELLS + cell(places[2 * at] ?? 0);
    cells[at] = number;
    starts[number + 1] = (starts[number + 1] ?? 0) + 1;
  }
  for (let at = 0; at < CELLS * CELLS; at += 1) starts[at + 1] = (starts[at + 1] ?? 0) + (starts[at] ?? 0);
  const next = starts.slice();
  const points = new Uint32Array(size);
  for (let at = 0; at < size; at += 1) {
    const number = cells[at] ?? 0;
    points[next[number] ?? 0] = at;
    next[number] = (next[number] ?? 0) + 1;
  }
  return { starts, points };
}

/**
 * The point nearest to a place, within a distance.
 * @param {Grid} grid
 * @param {Float32Array} places
 * @param {number} x
 * @param {number} y
 * @param {number} within
 * @returns {number | undefined}
 */
export function nearest(grid, places, x, y, within) {
  /** @type {number | undefined} */
  let best;
  let least = within * within;
  for (let row = cell(y - within); row <= cell(y + within); row += 1) {
    for (let column = cell(x - within); column <= cell(x + within); column += 1) {
      const number = row * CELLS + column;
      for (let at = grid.starts[number] ?? 0; at < (grid.starts[number + 1] ?? 0); at += 1) {
        const point = grid.points[at] ?? 0;
        const far = ((places[2 * point] ?? 0) - x) ** 2 + ((places[2 * point + 1] ?? 0) - y) ** 2;
        if (far >= least) continue;
        least = far;
        best = point;
      }
    }
  }
  return best;
}

/** The points inside of a polygon, by the even-odd rule. @param {Float32Array} places @param {Corner[]} corners @returns {Uint32Array} */
export function inside(places, corners) {
  const xs = corners.map(({ x }) => x);
  const ys = corners.map(({ y }) => y);
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const found = new Uint32Array(places.length / 2);
  let size = 0;
  for (let at = 0; at < found.length; at += 1) {
    const x = places[2 * at] ?? 0;
    const y = places[2 * at + 1] ?? 0;
    if (x < left || x > right || y < low || y > high || !within(xs, ys, x, y)) continue;
    found[size] = at;
    size += 1;
  }
  return found.slice(0, size);
}

/** @param {number[]} xs @param {number[]} ys @param {number} x @param {number} y */
function within(xs, ys, x, y) {
  let is = false;
  for (let at = 0, before = xs.length - 1; at < xs.length; before = at, at += 1) {
    const [x1, y1, x2, y2] = [xs[at] ?? 0, ys[at] ?? 0, xs[before] ?? 0, ys[before] ?? 0];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) is = !is;
  }
  return is;
}
