// What colour each point has, and the legend that says so.
import { isDark } from "../../app/theme.js";
import { colour as styled } from "../../parts/chart.js";
import { date, percent, short } from "../../parts/format.js";

/** @typedef {import("./read.js").Values} Values */
/** @typedef {[number, number, number]} Rgb */

/**
 * One line of the legend: a value or a range of values.
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} css       Its colour.
 * @property {string} [filter]  Text form of the filter that describes it, without the attribute's name.
 */

/**
 * @typedef {object} Scale
 * @property {Entry[]} entries
 * @property {(value: number) => number} entryOf  Which line a value belongs to; −1: none.
 * @property {(value: number) => Rgb} rgbOf
 * @property {boolean} ordered                    The lines are ranges of numbers.
 */

/** Categories with colours of their own; the others share one. */
const CATEGORIES = 8;
/** Ranges in the legend of numbers. */
const RANGES = 8;
/** Values that are sorted to find where ranges begin. */
const SAMPLE = 20_000;

const RAMPS = {
  light: /** @type {Rgb[]} */ ([[196, 214, 236], [120, 164, 214], [46, 110, 184], [24, 62, 128], [14, 26, 66]]),
  dark: /** @type {Rgb[]} */ ([[44, 66, 100], [60, 110, 180], [110, 168, 240], [176, 212, 255], [244, 250, 255]]),
};
const DIVERGING = {
  light: /** @type {Rgb[]} */ ([[150, 52, 4], [226, 132, 60], [190, 190, 186], [92, 146, 212], [14, 62, 138]]),
  dark: /** @type {Rgb[]} */ ([[255, 160, 92], [188, 108, 58], [88, 92, 98], [74, 124, 190], [140, 192, 255]]),
};

/** A colour of CSS as numbers. @param {string} css @returns {Rgb} */
export function rgbOf(css) {
  const [red = 0, green = 0, blue = 0] = (css.match(/[\d.]+/g) ?? []).map(Number);
  return css.startsWith("color(") ? [255 * red, 255 * green, 255 * blue] : [red, green, blue];
}

/** @param {Rgb} rgb */
function css([red, green, blue]) {
  return `rgb(${Math.round(red)} ${Math.round(green)} ${Math.round(blue)})`;
}

/** @param {Rgb[]} ramp @param {number} at  0 to 1. @returns {Rgb} */
function along(ramp, at) {
  const place = Math.max(0, Math.min(1, at)) * (ramp.length - 1);
  const low = Math.min(ramp.length - 2, Math.floor(place));
  const [from, to] = [ramp[low] ?? [0, 0, 0], ramp[low + 1] ?? [0, 0, 0]];
  return /** @type {Rgb} */ (from.map((value, channel) => value + ((to[channel] ?? 0) - value) * (place - low)));
}

/**
 * @param {Values} of
 * @param {{latent: boolean, categories?: string[]}} kind  `categories`: of clusters, which the server does not send with the map.
 * @returns {Scale}
 */
export function scaleOf(of, { latent, categories = of.head.categories }) {
  if (of.values === undefined) return plain();
  if (categories.length > 0) return named(categories);
  return ranged(of.values, of.head.times, latent);
}

/** @returns {Scale} */
function plain() {
  const rgb = rgbOf(styled("--accent"));
  return { entries: [{ name: "all documents", css: css(rgb) }], entryOf: () => 0, rgbOf: () => rgb, ordered: false };
}

/** @param {string[]} categories @returns {Scale} */
function named(categories) {
  const colours = Array.from({ length: CATEGORIES }, (_, at) => rgbOf(styled(`--series-${at}`)));
  const other = rgbOf(styled("--line-strong"));
  const entries = categories.slice(0, CATEGORIES).map((name, at) => ({ name, css: css(colours[at] ?? other), filter: name }));
  const rest = categories.length > CATEGORIES;
  if (rest) entries.push({ name: `${categories.length - CATEGORIES} others`, css: css(other), filter: "" });
  return {
    entries,
    entryOf: (value) => Number.isNaN(value) ? -1 : value < CATEGORIES ? value : rest ? CATEGORIES : -1,
    rgbOf: (value) => colours[value] ?? other,
    ordered: false,
  };
}

/** @param {Float64Array} values @param {boolean} times @param {boolean} latent @returns {Scale} */
function ranged(values, times, latent) {
  const bounds = boundsOf(latent ? values.filter((value) => value > 0) : values);
  const [least, most] = [bounds[0] ?? 0, bounds.at(-1) ?? 1];
  const diverging = !latent && !times && least < 0 && most > 0;
  const theme = isDark() ? "dark" : "light";
  const ramp = (diverging ? DIVERGING : RAMPS)[theme];
  // By rank, so that a few far values do not leave one colour to all others.
  const rank = (/** @type {number} */ value) => ranked(bounds, value);
  const zero = rank(0);
  const place = (/** @type {number} */ value) => {
    const at = rank(value);
    if (!diverging) return at;
    return at < zero ? (0.5 * at) / zero : 0.5 + (0.5 * (at - zero)) / (1 - zero || 1);
  };
  const text = (/** @type {number} */ value) => times ? date(new Date(value / 1000)).slice(0, 10) : Number.isInteger(value) ? String(value).replace("-", "−") : short(value);
  const inactive = rgbOf(styled("--line-strong"));
  const ranges = bounds.slice(0, -1).map((low, at) => {
    const high = bounds[at + 1] ?? low;
    const last = at === bounds.length - 2;
    const literal = (/** @type {number} */ value) => times ? `timestamp("${new Date(value / 1000).toISOString()}")` : String(value);
    return {
      name: at === 0 && last ? text(low) : at === 0 ? `below ${text(high)}` : last ? `${text(low)} and more` : `${text(low)} to ${text(high)}`,
      css: css(along(ramp, place((low + high) / 2))),
      filter: [...(at === 0 ? [] : [`>= ${literal(low)}`]), ...(last ? [] : [`< ${literal(high)}`])].join(", "),
    };
  });
  const entries = latent ? [{ name: "inactive", css: css(inactive), filter: "inactive" }, ...ranges] : ranges;
  const shift = latent ? 1 : 0;
  return {
    entries,
    entryOf: (value) => {
      if (Number.isNaN(value)) return -1;
      if (latent && value <= 0) return 0;
      return Math.min(bounds.length - 2, Math.floor(rank(value) * (bounds.length - 1) + 1e-9)) + shift;
    },
    rgbOf: (value) => latent && value <= 0 ? inactive : along(ramp, place(value)),
    ordered: true,
  };
}

/** Where a value lies among bounds, 0 to 1. @param {number[]} bounds @param {number} value */
function ranked(bounds, value) {
  const last = bounds.length - 1;
  let at = 0;
  while (at < last - 1 && value >= (bounds[at + 1] ?? Infinity)) at += 1;
  const [low, high] = [bounds[at] ?? 0, bounds[at + 1] ?? 1];
  return (at + Math.max(0, Math.min(1, (value - low) / (high - low || 1)))) / last;
}

/** Where ranges with about as many values each begin and end. @param {Float64Array} values */
function boundsOf(values) {
  const step = Math.max(1, Math.floor(values.length / SAMPLE));
  const sample = values.filter((value, at) => at % step === 0 && !Number.isNaN(value)).sort();
  if (sample.length === 0) return [0, 1];
  const at = (/** @type {number} */ share) => sample[Math.min(sample.length - 1, Math.floor(share * sample.length))] ?? 0;
  const bounds = Array.from({ length: RANGES + 1 }, (_, number) => rounded(at(number / RANGES), (at(0.95) - at(0.05)) / RANGES));
  const apart = bounds.filter((bound, number) => number === 0 || bound > (bounds[number - 1] ?? 0));
  return apart.length === 1 ? [apart[0] ?? 0, (apart[0] ?? 0) + 1] : apart;
}

/** A value with only the digits that tell ranges apart. @param {number} value @param {number} range */
function rounded(value, range) {
  if (!(range > 0)) return value;
  const unit = 10 ** Math.floor(Math.log10(range) - 0.7);
  return Number((Math.round(value / unit) * unit).toPrecision(12));
}

/**
 * The colours of all points.
 * @param {number} size
 * @param {Values} of
 * @param {Scale} scale
 * @param {boolean} faded  Others stand out.
 */
export function painted(size, of, scale, faded) {
  const colours = new Uint8Array(4 * size);
  const none = rgbOf(styled("--line"));
  const opacity = Math.round(255 * (faded ? 0.22 : size > 300_000 ? 0.55 : 0.75));
  const ground = faded ? rgbOf(styled("--surface")) : undefined;
  for (let at = 0; at < size; at += 1) {
    const value = of.values === undefined ? 0 : of.values[at] ?? NaN;
    const rgb = Number.isNaN(value) ? none : scale.rgbOf(value);
    for (let channel = 0; channel < 3; channel += 1) {
      // Mixed with the ground, so that what is faded is so too where there is no opacity.
      const own = rgb[channel] ?? 0;
      colours[4 * at + channel] = ground === undefined ? own : own * 0.35 + (ground[channel] ?? 0) * 0.65;
    }
    colours[4 * at + 3] = faded ? 200 : opacity;
  }
  return colours;
}

/**
 * How many points each line of the legend has, of all and of some.
 * @param {number} size
 * @param {Values} of
 * @param {Scale} scale
 * @param {(at: number) => boolean} some
 */
export function countsOf(size, of, scale, some) {
  const counts = scale.entries.map(() => ({ all: 0, some: 0 }));
  const none = { all: 0, some: 0 };
  for (let at = 0; at < size; at += 1) {
    const entry = counts[scale.entryOf(of.values === undefined ? 0 : of.values[at] ?? NaN)] ?? none;
    entry.all += 1;
    if (some(at)) entry.some += 1;
  }
  return { counts, none };
}

/** @param {number} part @param {number} whole */
export function shareText(part, whole) {
  return whole === 0 ? "" : percent(part / whole);
}
