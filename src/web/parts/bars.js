// Small bars for numbers that are compared.
import { html } from "../vendor/vendor.js";

/** What is said of a bar; one whose number stands beside it is not said twice. @param {string | undefined} label */
function described(label) {
  return label === undefined ? { "aria-hidden": "true" } : { role: "img", "aria-label": label };
}

/**
 * A bar from a middle line: to the right what adds, to the left what takes away.
 * @param {{value: number, most: number, label?: string}} properties  `most`: the largest magnitude of those compared.
 */
export function SignedBar({ value, most, label }) {
  const share = most > 0 ? Math.min(Math.abs(value) / most, 1) : 0;
  return html`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" ...${described(label)}>
    <rect class="bar-track" width="100" height="8" />
    <rect class=${value < 0 ? "bar-down" : "bar-up"} x=${value < 0 ? 50 - 50 * share : 50} width=${50 * share} height="8" />
    <line class="bar-middle" x1="50" x2="50" y1="0" y2="8" />
  </svg>`;
}

/**
 * A bar of a share.
 * @param {{share: number, label?: string}} properties  0 to 1.
 */
export function Bar({ share, label }) {
  const width = 100 * Math.max(0, Math.min(1, share));
  return html`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" ...${described(label)}>
    <rect class="bar-track" width="100" height="8" /><rect class="bar-up" width=${width} height="8" />
  </svg>`;
}
