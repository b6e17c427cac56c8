// Search and steer.
import { html, useEffect, useRef, useState } from "../../vendor/vendor.js";
import { useCollection } from "../../app/collections.js";
import { at } from "../../app/errors.js";
import { useShortcuts } from "../../app/keyboard.js";
import { address, go, route } from "../../app/router.js";
import { Facets } from "./facets.js";
import { QueryForm } from "./form.js";
import { Results } from "./results.js";
import { useRun } from "./run.js";
import { read, write, written } from "./state.js";
import { Steering } from "./steering.js";

/** @typedef {import("./state.js").SearchState} SearchState */
/** @typedef {import("./types.js").Shared} Shared */
/** @typedef {import("./state.js").Edits} Edits */

/** Milliseconds that a slider rests before its place goes into the address. */
const RESTED = 250;

export function View() {
  const { collection, params } = route.value;
  const record = useCollection(collection);
  const written = read(params);
  const [edits, moveSliders] = useMovingEdits(written);
  const state = { ...written, edits };
  const run = useRun(collection, state);

  /** @param {Partial<SearchState>} changes */
  const change = (changes) => {
    // Another query begins at its first page.
    const page = changes.page ?? 1;
    go(address({ collection, view: "search", params: write({ ...state, ...changes, page }) }));
  };
  useHitKeys();
  const shared = { collection, record: record.value, state, run, change, moveSliders };
  return html`<div class="view search">
    <${QueryForm} ...${shared} />
    <div class="search-columns">
      <${Facets} ...${shared} blocked=${at(run.problem, /filter/) !== undefined} />
      <${Results} ...${shared} />
      <${Steering} ...${shared} />
    </div>
  </div>`;
}

/**
 * The sliders' places: those of the address, or where they are moved right now. The address follows
 * when they rest, since browsers bound how often it may change.
 * @param {SearchState} state
 * @returns {[Edits, (edits: Edits) => void]}
 */
function useMovingEdits(state) {
  const [moving, setMoving] = useState(/** @type {Edits | undefined} */ (undefined));
  const timer = useRef(0);
  const there = written(state.edits);
  useEffect(() => {
    clearTimeout(timer.current);
    setMoving(undefined);
  }, [there, route.value.collection]);
  /** @param {Edits} edits */
  const move = (edits) => {
    setMoving(edits);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      const now = read(route.value.params);
      const to = address({ collection: route.value.collection, view: "search", params: write({ ...now, edits, page: 1 }) });
      if (to === location.hash) setMoving(undefined);
      else go(to, { step: "sliders" });
    }, RESTED);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return [moving ?? state.edits, move];
}

/** `/` to the query, j and k through the hits. */
function useHitKeys() {
  const walk = (/** @type {number} */ step) => {
    const hits = [...document.querySelectorAll("[data-testid=hit]")].map((hit) => /** @type {HTMLElement} */ (hit));
    const now = hits.findIndex((hit) => hit.contains(document.activeElement));
    hits[Math.max(0, Math.min(hits.length - 1, now + step))]?.focus();
  };
  const focus = (/** @type {string} */ id) => /** @type {HTMLInputElement | null} */ (document.querySelector(`[data-testid=${id}]`))?.select();
  useShortcuts([
    { keys: "/", does: "To the query", run: () => focus("query") },
    { keys: "f", does: "To the filter", run: () => focus("filter") },
    { keys: "j", does: "The next hit", run: () => walk(1) },
    { keys: "k", does: "The hit before", run: () => walk(-1) },
  ]);
}
