// The hits, how they moved, and those that left.
import { html, useLayoutEffect, useRef, useState } from "../../vendor/vendor.js";
import { at } from "../../app/errors.js";
import { styled, useLazy } from "../../parts/lazy.js";
import { Empty, Loading, ProblemBox, Warnings } from "../../parts/states.js";
import { Hit } from "./hit.js";
import { movement } from "./run.js";

/** @typedef {import("./run.js").Run} Run */
/** @typedef {import("./state.js").SearchState} SearchState */
/** @typedef {import("./form.js").Change} Change */

/** The API answers this many hits at most, pages together. */
const DEEPEST = 10_000;

/** @param {import("./view.js").Shared} shared */
export function Results(shared) {
  const { state, run, change } = shared;
  const list = useRef(/** @type {HTMLOListElement | null} */ (null));
  useKeptSelection(list, run.shown);
  return html`<section class="results" aria-label="Results" aria-busy=${run.busy}>${content()}</section>`;

  function content() {
    if (run.problem !== undefined && run.problem.message !== "") {
      return at(run.problem, /filter/) !== undefined ? html`<${Empty}
        title="The filter is not accepted"><p>What is wrong stands under it.</p></${Empty}>`
        : html`<${ProblemBox} problem=${run.problem} retry=${run.reload} />`;
    }
    const { shown } = run;
    if (shown === undefined) return html`<${Loading} lines=${24} what="Searching" />`;
    const scale = scaleOf(shown);
    const { hits } = shown;
    return html`<${Warnings} of=${shown.warnings} />
      ${hits.length === 0 && html`<${Empty} title="No document matches"><p>${state.filter !== "" ? "A wider filter, or another query, finds more."
        : "Other words find more."}</p></${Empty}>`}
      <ol class=${run.loading ? "hits stale" : "hits"} ref=${list} start=${Number(shown.offset) + 1}>${hits.map((hit, number) => {
        const rank = Number(shown.offset) + number + 1;
        const id = hit.document?.id ?? "";
        return html`<${Hit} key=${id} ...${shared} hit=${hit} rank=${rank} scale=${scale} moved=${movement(run, id, rank)} />`;
      })}</ol>
      <${Gone} run=${run} />
      <${Pages} state=${state} run=${run} change=${change} />
      <${Planned} collection=${shared.collection} state=${state} />`;
  }
}

/** The largest magnitudes on the page, which bars are drawn against. @param {import("../../gen/latentdb/v1/search_pb.js").SearchResponse} shown */
function scaleOf({ hits }) {
  const most = (/** @type {number[]} */ values) => Math.max(...values.map(Math.abs), 1e-9);
  return {
    part: most(hits.flatMap((hit) => hit.components.map(({ contribution }) => contribution))),
    score: most(hits.map(({ score }) => score)),
    latent: most(hits.flatMap((hit) => hit.latents.map(({ contribution }) => contribution))),
  };
}

/** @param {{state: SearchState, run: Run, change: Change}} properties */
function Pages({ state, run, change }) {
  const { page, limit } = state;
  const more = run.shown?.nextPageToken !== "" && (page + 1) * limit <= DEEPEST;
  if (page === 1 && !more) return null;
  const turn = (/** @type {number} */ to) => {
    change({ page: to });
    scrollTo(0, 0);
  };
  return html`<nav class="row pages" aria-label="Pages">
    <button type="button" disabled=${page === 1} onClick=${() => turn(page - 1)}>Previous</button>
    <span class="muted">Page ${page}</span>
    <button type="button" disabled=${!more} onClick=${() => turn(page + 1)}>Next</button>
  </nav>`;
}

/** Hits that steering took away. @param {{run: Run}} properties */
function Gone({ run }) {
  const module = useLazy(() => styled(import("./left.js"), "search-more"), run.steered);
  return module !== undefined && html`<${module.Left} run=${run} />`;
}

/** The plan and its timings, which are asked for when they are opened. @param {{collection: string, state: SearchState}} properties */
function Planned({ collection, state }) {
  const [open, setOpen] = useState(false);
  const module = useLazy(() => styled(import("./plan.js"), "search-more"), open);
  return html`<details class="planned" onToggle=${(/** @type {Event} */ event) =>
    setOpen(/** @type {HTMLDetailsElement} */ (event.target).open)}><summary>Plan and timings</summary>
    ${module !== undefined && html`<${module.Plan} collection=${collection} state=${state} />`}</details>`;
}

/**
 * Hits that move in the list take a selection with them, which browsers drop when elements move.
 * @param {import("../../vendor/vendor.js").RefObject<HTMLElement | null>} list
 * @param {unknown} shown
 */
function useKeptSelection(list, shown) {
  const kept = useRef(/** @type {[Node, number, Node, number] | undefined} */ (undefined));
  // While this component renders, the elements are still as they were.
  const selection = getSelection();
  const { anchorNode, focusNode } = selection ?? { anchorNode: null, focusNode: null };
  const inside = selection !== null && !selection.isCollapsed && anchorNode !== null && focusNode !== null
    && list.current?.contains(anchorNode) && list.current.contains(focusNode);
  kept.current = inside && selection !== null && anchorNode !== null && focusNode !== null
    ? [anchorNode, selection.anchorOffset, focusNode, selection.focusOffset] : undefined;
  useLayoutEffect(() => {
    const [anchor, from, focus, to] = kept.current ?? [];
    if (anchor?.isConnected && focus?.isConnected && getSelection()?.isCollapsed) {
      getSelection()?.setBaseAndExtent(anchor, from ?? 0, focus, to ?? 0);
    }
  }, [shown]);
}
