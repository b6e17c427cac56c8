// What steering took from the page.
import { html } from "../../vendor/vendor.js";
import { counted } from "../../parts/format.js";

/** Hits of the unsteered page that steering took from it. @param {{run: import("./types.js").Run}} properties */
export function Left({ run }) {
  if (!run.steered || run.shown === undefined || run.base === undefined) return null;
  const there = new Set(run.shown.hits.map((hit) => hit.document?.id));
  const gone = run.base.hits.filter((hit) => !there.has(hit.document?.id));
  if (gone.length === 0) return null;
  return html`<details class="left"><summary>${counted(gone.length, "hit")} left this page</summary>
    <ul>${gone.map((hit) => html`<li key=${hit.document?.id} data-testid="left"><span
      class="number muted">${run.ranks?.get(hit.document?.id ?? "") ?? ""}</span>
      <span class="left-text" dir="auto">${hit.document?.text ?? hit.document?.id}</span></li>`)}</ul></details>`;
}
