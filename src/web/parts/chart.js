// What the page's own drawings share: scales, ticks, sizes.
import { useEffect, useRef, useState } from "../vendor/vendor.js";
import { isDark, theme } from "../app/theme.js";

/**
 * A straight line from values to places.
 * @param {number} low
 * @param {number} high
 * @param {number} from
 * @param {number} to
 * @returns {(value: number) => number}
 */
export function linear(low, high, from, to) {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

/**
 * Round numbers within bounds, about so many.
 * @param {number} low
 * @param {number} high
 * @param {number} wanted
 */
export function ticks(low, high, wanted) {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(wanted, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  /** @type {number[]} */
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high + step * 1e-9; at += 1) found.push(Number((at * step).toPrecision(12)));
  return found;
}

/**
 * The width of an element, followed as it changes; 0 until it is known.
 * @returns {[import("../vendor/vendor.js").RefObject<HTMLDivElement | null>, number]}
 */
export function useWidth() {
  const element = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (element.current === null) return undefined;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, []);
  return [element, width];
}

/**
 * A colour of the style as the canvas takes it, in the theme that is on.
 * @param {string} name  As "--accent".
 * @param {Element} [within]
 */
export function colour(name, within = document.body) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  within.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** A canvas sized for the screen's pixels, cleared. @param {HTMLCanvasElement} canvas @param {number} width @param {number} height */
export function prepared(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  context?.scale(ratio, ratio);
  return context;
}

/** Whether the page is dark, followed as it changes; what is painted on a canvas is painted again then. */
export function useDark() {
  const [, setSystem] = useState(false);
  useEffect(() => {
    const system = matchMedia("(prefers-color-scheme: dark)");
    const follow = () => setSystem(system.matches);
    system.addEventListener("change", follow);
    return () => system.removeEventListener("change", follow);
  }, []);
  return theme.value !== undefined && isDark();
}
