// How a latent's non-zero activations are spread.
import { html } from "../../vendor/vendor.js";
import { counted, short } from "../../parts/format.js";

const HEIGHT = 90;

/** @param {{histogram: import("../../gen/latentdb/v1/latent_pb.js").Histogram | undefined, p90: number | undefined}} properties */
export function ActivationHistogram({ histogram, p90 }) {
  if (histogram === undefined || histogram.counts.length === 0) return html`<p class="muted">It is active in no document.</p>`;
  const { lower, width, counts } = histogram;
  const most = Math.max(...counts.map(Number), 1);
  const upper = lower + width * counts.length;
  const place = (/** @type {number} */ value) => upper > lower ? 100 * (value - lower) / (upper - lower) : 50;
  return html`<figure class="histogram">
    <svg viewBox=${`0 0 100 ${HEIGHT}`} preserveAspectRatio="none" role="img"
      aria-label=${`Activations from ${short(lower)} to ${short(upper)}, ${counts.length} bins`}>
      ${counts.map((documents, at) => {
        const height = documents === 0n ? 0 : Math.max(1, (HEIGHT - 4) * Number(documents) / most);
        const says = `${short(lower + at * width)} to ${short(lower + (at + 1) * width)}: ${counted(documents, "document")}`;
        return html`<rect key=${at} x=${100 * at / counts.length + 0.15} width=${100 / counts.length - 0.3} y=${HEIGHT - height}
          height=${height}><title>${says}</title></rect>`;
      })}
      ${p90 !== undefined && html`<line x1=${place(p90)} x2=${place(p90)} y1="0" y2=${HEIGHT}><title>p90: ${short(p90)}</title></line>`}
    </svg>
    <figcaption><span>${short(lower)}</span>${p90 !== undefined && html`<span
      class="muted">line: p90</span>`}<span>${short(upper)}</span></figcaption>
  </figure>`;
}
