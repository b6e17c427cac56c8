// Pans over points that are made here, and counts frames.
import { stageOf } from "/views/map/stage.js";

/** Normal by Box and Muller, from a fixed seed. @param {number} seed */
function normal(seed) {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 1) / 4294967297;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Points in 60 clouds, in an order drawn by chance as the map has them. @param {number} size */
function points(size) {
  const draw = normal(7);
  const clouds = Array.from({ length: 60 }, () => [0.45 * draw(), 0.45 * draw(), 0.02 + 0.06 * Math.abs(draw())]);
  const places = new Float32Array(2 * size);
  const colours = new Uint8Array(4 * size);
  for (let at = 0; at < size; at += 1) {
    const [x, y, wide] = clouds[(at * 7919) % clouds.length];
    places[2 * at] = x + wide * draw();
    places[2 * at + 1] = y + wide * draw();
    colours.set([40 + ((at * 31) % 60) * 3, 90, 200 - ((at * 17) % 60) * 2, 140], 4 * at);
  }
  return { places, colours };
}

/** Each frame moves the map a little; what lies between frames is measured. */
window.measure = async (way, size, seconds, all) => {
  const canvas = document.getElementById("map");
  const stage = stageOf(canvas, { point() {}, open() {}, moved() {}, lassoed() {}, painted() {} }, way);
  stage.paintAll(all);
  const { places, colours } = points(size);
  const begun = performance.now();
  stage.resize(900, 600);
  stage.show(places, colours);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const first = performance.now() - begun;
  const times = [];
  const until = performance.now() + seconds * 1000;
  let before = performance.now();
  for (let turn = 0; performance.now() < until; turn += 1) {
    stage.pan(4 * Math.cos(turn / 20), 4 * Math.sin(turn / 20));
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - before);
    before = performance.now();
  }
  const settled = times.slice(Math.min(10, times.length >> 1)).sort((x, y) => x - y);
  const mean = settled.reduce((sum, time) => sum + time, 0) / settled.length;
  return { kind: stage.kind, first, frames: 1000 / mean, p50: settled[settled.length >> 1], p95: settled[Math.floor(settled.length * 0.95)], painted: stage.painted() };
};
window.ready = true;
