// Where the nodes of a small graph lie: a force layout (Fruchterman and Reingold 1991), the same each time.

/** @typedef {{x: number, y: number}} Place */

const ROUNDS = 320;
/** How strongly nodes are drawn to the middle, so that parts which hang together stay on the page. */
const GRAVITY = 0.055;
/** The page is wider than it is high. */
const ASPECT = 1.35;

/**
 * @param {number} nodes
 * @param {{from: number, to: number, weight: number}[]} edges  Weights 0 to 1.
 * @returns {Place[]}  Within 0 to 1 across and down.
 */
export function layOut(nodes, edges) {
  // The golden angle spreads the beginning without chance.
  const places = Array.from({ length: nodes }, (_, at) => {
    const far = Math.sqrt((at + 0.5) / nodes);
    return { x: far * Math.cos(at * 2.39996), y: far * Math.sin(at * 2.39996) };
  });
  const ideal = 1.9 / Math.sqrt(nodes || 1);
  for (let round = 0; round < ROUNDS; round += 1) {
    const heat = 0.12 * (1 - round / ROUNDS) ** 1.5 + 0.001;
    const forces = places.map(() => ({ x: 0, y: 0 }));
    repel(places, forces, ideal);
    attract(places, forces, edges, ideal);
    places.forEach((place, at) => {
      const force = /** @type {Place} */ (forces[at]);
      force.x -= place.x * GRAVITY;
      force.y -= place.y * GRAVITY * ASPECT;
      const size = Math.hypot(force.x, force.y) || 1;
      place.x += (force.x / size) * Math.min(size, heat);
      place.y += (force.y / size) * Math.min(size, heat);
    });
  }
  return fitted(places);
}

/** @param {Place[]} places @param {Place[]} forces @param {number} ideal */
function repel(places, forces, ideal) {
  for (let i = 0; i < places.length; i += 1) {
    for (let j = i + 1; j < places.length; j += 1) {
      const [one, other] = [/** @type {Place} */ (places[i]), /** @type {Place} */ (places[j])];
      const [x, y] = [one.x - other.x, one.y - other.y];
      const square = Math.max(x * x + y * y, 1e-5);
      const force = (0.045 * ideal * ideal) / square;
      push(forces[i], forces[j], x * force, y * force);
    }
  }
}

/** @param {Place[]} places @param {Place[]} forces @param {{from: number, to: number, weight: number}[]} edges @param {number} ideal */
function attract(places, forces, edges, ideal) {
  for (const { from, to, weight } of edges) {
    const [one, other] = [/** @type {Place} */ (places[from]), /** @type {Place} */ (places[to])];
    const [x, y] = [other.x - one.x, other.y - one.y];
    const far = Math.hypot(x, y);
    const force = (0.25 + 0.5 * weight) * (far / ideal) * 0.12;
    push(forces[from], forces[to], x * force, y * force);
  }
}

/** @param {Place | undefined} one @param {Place | undefined} other @param {number} x @param {number} y */
function push(one, other, x, y) {
  if (one === undefined || other === undefined) return;
  one.x += x;
  one.y += y;
  other.x -= x;
  other.y -= y;
}

/** @param {Place[]} places @returns {Place[]} */
function fitted(places) {
  const span = (/** @type {number[]} */ values) => ({ least: Math.min(...values), wide: Math.max(...values) - Math.min(...values) || 1 });
  const [across, down] = [span(places.map(({ x }) => x)), span(places.map(({ y }) => y))];
  return places.map(({ x, y }) => ({ x: (x - across.least) / across.wide, y: (y - down.least) / down.wide }));
}
