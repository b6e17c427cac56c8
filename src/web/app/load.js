// Reading from the server as a view needs it: again when what it depends on changes, when the server
// comes back, and when asked to.
import { useCallback, useEffect, useRef, useState } from "../vendor/vendor.js";
import { epoch } from "./connection.js";
import { isCancelled, problemOf } from "./errors.js";

/**
 * What is being read. While it is read again, the former value stays, so that nothing jumps.
 * @template T
 * @typedef {object} Loaded
 * @property {T | undefined} value
 * @property {import("./errors.js").Problem | undefined} problem
 * @property {boolean} loading
 * @property {() => void} reload
 */

/**
 * @template T
 * @typedef {{keys: unknown[] | undefined, value: T | undefined, problem: import("./errors.js").Problem | undefined}} State
 */

/**
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {unknown[]} keys  What the value depends on; compared one by one.
 * @returns {Loaded<T>}
 */
export function useLoad(load, keys) {
  const [state, setState] = useState(/** @type {State<T>} */ ({ keys: undefined, value: undefined, problem: undefined }));
  const [attempt, setAttempt] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const all = [...keys, epoch.value, attempt];
  useEffect(() => {
    const controller = new AbortController();
    latest.current(controller.signal).then(
      (value) => { if (!controller.signal.aborted) setState({ keys: all, value, problem: undefined }); },
      (error) => {
        if (controller.signal.aborted || isCancelled(error)) return;
        setState((before) => ({ keys: all, value: before.value, problem: problemOf(error) }));
      },
    );
    return () => controller.abort();
  }, all);
  const reload = useCallback(() => setAttempt((before) => before + 1), []);
  // Known at once, before the effect runs: nobody takes the former value for the new one.
  const loading = !all.every((key, at) => Object.is(key, state.keys?.[at]));
  return { value: state.value, problem: state.problem, loading, reload };
}

/**
 * A value that follows another once that has rested.
 * @template T
 * @param {T} value
 * @param {number} milliseconds
 */
export function useRested(value, milliseconds) {
  const [rested, setRested] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setRested(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return rested;
}
