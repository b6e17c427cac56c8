// Sliders: which there are, where they stand and what they may take.
import { METHODS, steers } from "./state.js";

/** @typedef {import("./state.js").SearchState} SearchState */
/** @typedef {import("./state.js").Edits} Edits */

/** How far one step of "more of it" goes. @type {Record<import("./state.js").Method, number>} */
const NUDGE = { boost: 0.1, add: 0.3, scale: 1, set: 0.2 };

/** @typedef {import("./types.js").Slider} Slider */

/**
 * @param {SearchState} state
 * @param {number} activation
 */
export function neutralOf(state, activation) {
  if (steers(state) === "weights") return activation;
  return state.how === "scale" ? 1 : state.how === "set" ? activation : 0;
}

/**
 * What a range input takes; wide enough for where it stands.
 * @param {SearchState} state
 * @param {Slider} slider
 * @param {number} most  The largest activation or weight among the sliders.
 */
export function rangeOf(state, slider, most) {
  const { min, max, step } = steers(state) === "weights" ? { min: -most, max: 2 * most, step: Math.max(most / 50, 0.001) }
    : state.how === "set" ? { ...METHODS.set, max: Math.max(METHODS.set.max, 2 * most) } : METHODS[state.how];
  return { min: Math.min(min, slider.amount), max: Math.max(max, slider.amount), step };
}

/**
 * The sliders with one latent turned up (1) or down (−1) by a step.
 * @param {SearchState} state
 * @param {number} latent
 * @param {1 | -1} direction
 * @returns {Edits}
 */
export function turned(state, latent, direction) {
  const weights = steers(state) === "weights";
  const step = weights ? 0.2 : NUDGE[state.how];
  const least = !weights && (state.how === "scale" || state.how === "set") ? 0 : -Infinity;
  const now = state.edits.get(latent) ?? (!weights && state.how === "scale" ? 1 : 0);
  return new Map([...state.edits, [latent, Math.max(least, now + direction * step)]]);
}
