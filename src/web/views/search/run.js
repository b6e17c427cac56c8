// Runs a search: as it stands without steering, steered while sliders move, and how the two differ.
import { useEffect, useRef, useState } from "../../vendor/vendor.js";
import { epoch } from "../../app/connection.js";
import { isCancelled, isLost, problemOf } from "../../app/errors.js";
import { useLoad } from "../../app/load.js";
import { newest } from "../../app/newest.js";
import { searchCalls } from "../../app/searches.js";
import { queryOf, requestOf, withWeights } from "./request.js";
import { isSteered, steers, unsteered, write, written } from "./state.js";

/** @typedef {import("./state.js").SearchState} SearchState */
/** @typedef {import("../../app/errors.js").Problem} Problem */
/** @typedef {import("../../gen/latentdb/v1/search_pb.js").SearchResponse} SearchResponse */

/** @typedef {import("./types.js").Run} Run */

/** Page tokens by search and number of the page. @type {Map<string, string>} */
const tokens = new Map();

/**
 * Reads the page that the state names: by the token of the page before, if that was read here, so that both show
 * the same snapshot; else by its number.
 * @param {string} collection
 * @param {SearchState} state
 * @param {Parameters<typeof requestOf>[2]} query
 * @param {AbortSignal} signal
 */
async function readPage(collection, state, query, signal) {
  const nameOf = (/** @type {number} */ page) => `${collection} ${write({ ...state, page })}`;
  const token = tokens.get(nameOf(state.page));
  const byNumber = () => searchCalls.search(requestOf(collection, state, query), { signal });
  const response = token === undefined ? await byNumber()
    : await searchCalls.search({ collection, pageToken: token }, { signal }).catch((error) => {
      if (isCancelled(error) || isLost(error)) throw error;
      // Its snapshot is kept for minutes only.
      tokens.delete(nameOf(state.page));
      return byNumber();
    });
  if (response.nextPageToken === "") tokens.delete(nameOf(state.page + 1));
  else tokens.set(nameOf(state.page + 1), response.nextPageToken);
  return response;
}

/** Unsteered hits whose ranks are known, to say how far one rose. */
export const DEEP = 200;

/**
 * @param {string} collection
 * @param {SearchState} state
 * @returns {Run}
 */
export function useRun(collection, state) {
  const plain = unsteered(state);
  const baseKey = `${collection} ${write(plain)}`;
  /** @type {import("../../vendor/vendor.js").RefObject<unknown>} */
  const failure = useRef(/** @type {unknown} */ (undefined));
  const base = useLoad(async (signal) => {
    failure.current = undefined;
    try {
      const response = await readPage(collection, plain, queryOf(plain), signal);
      return { key: baseKey, response };
    } catch (error) {
      failure.current = error;
      throw error;
    }
  }, [baseKey]);
  const current = base.value?.key === baseKey && base.problem === undefined ? base.value.response : undefined;
  const steeredKey = isSteered(state) ? `${baseKey} ${state.how} ${written(state.edits)} ${JSON.stringify(state.presets)}` : "";
  const steered = useSteered(collection, state, baseKey, steeredKey, current);
  const ranks = useRanks(collection, plain, baseKey, isSteered(state));
  const wanted = isSteered(state);
  const problem = base.problem ?? (wanted ? steered?.problem : undefined);
  const shown = wanted ? steered?.response ?? base.value?.response : base.value?.response;
  return {
    shown,
    base: base.value?.response,
    steered: wanted && steered?.response !== undefined && steered.baseKey === baseKey,
    ranks,
    problem,
    failure: failure.current,
    loading: base.loading || (wanted && steered?.baseKey !== baseKey),
    busy: base.loading || (problem === undefined && wanted && steered?.key !== steeredKey),
    reload: base.reload,
  };
}

/** @typedef {{baseKey: string, key: string, response?: SearchResponse, problem?: Problem}} Steered */

/**
 * The steered answer, following the sliders.
 * @param {string} collection
 * @param {SearchState} state
 * @param {string} baseKey
 * @param {string} key  Of the steering; empty: none.
 * @param {SearchResponse | undefined} base
 */
function useSteered(collection, state, baseKey, key, base) {
  const [steered, setSteered] = useState(/** @type {Steered | undefined} */ (undefined));
  const runner = useRef(newest()).current;
  // The latents that a property chose come with the unsteered answer.
  const chosen = steers(state) === "weights" && state.parts[0]?.kind !== "latents" ? base?.properties[0] : undefined;
  const waits = steers(state) === "weights" && state.parts[0]?.kind !== "latents" && chosen === undefined;
  const now = epoch.value;
  useEffect(() => () => runner.cancel(), [baseKey]);
  useEffect(() => {
    if (key === "" || waits) {
      runner.cancel();
      setSteered(undefined);
      return;
    }
    runner.submit(async (signal) => {
      try {
        const query = queryOf(withWeights(state, chosen));
        const response = await readPage(collection, state, query, signal);
        setSteered({ baseKey, key, response });
      } catch (error) {
        if (!isCancelled(error)) setSteered({ baseKey, key, problem: problemOf(error) });
      }
    });
  }, [baseKey, key, waits, now]);
  return steered;
}

/**
 * Ranks without steering, read once sliders move.
 * @param {string} collection
 * @param {SearchState} plain
 * @param {string} baseKey
 * @param {boolean} wanted
 */
function useRanks(collection, plain, baseKey, wanted) {
  const deep = useLoad(async (signal) => {
    if (!wanted) return undefined;
    const request = requestOf(collection, { ...plain, page: 1, limit: DEEP }, queryOf(plain));
    const { hits } = await searchCalls.search({ ...request, projection: {}, latentsPerHit: 0 }, { signal });
    return { baseKey, ranks: new Map(hits.map((hit, at) => [hit.document?.id ?? "", at + 1])) };
  }, [baseKey, wanted]);
  return deep.value?.baseKey === baseKey ? deep.value.ranks : undefined;
}

/**
 * How a hit moved against the unsteered answer.
 * @param {Run} run
 * @param {string} id
 * @param {number} rank
 * @returns {{kind: "rose" | "fell" | "same" | "new", by: number} | undefined}
 */
export function movement(run, id, rank) {
  if (!run.steered || run.ranks === undefined) return undefined;
  const before = run.ranks.get(id);
  if (before === undefined) return { kind: "new", by: 0 };
  const by = before - rank;
  return { kind: by > 0 ? "rose" : by < 0 ? "fell" : "same", by: Math.abs(by) };
}
