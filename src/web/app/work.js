// Work that takes a while: how far it is, a way to stop it, its result.
import { useCallback, useEffect, useRef, useState } from "../vendor/vendor.js";
import { epoch } from "./connection.js";
import { isCancelled, problemOf } from "./errors.js";

/** @typedef {{done: number, total: number}} Far */
/** @typedef {(done: bigint | number, total: bigint | number) => void} Report */

/**
 * @template T
 * @typedef {object} State
 * @property {T | undefined} value  Of the last run that ended well.
 * @property {import("./errors.js").Problem | undefined} problem
 * @property {boolean} running
 * @property {boolean} stopped      The last run was stopped by the person.
 * @property {Far | undefined} far  Of the run under way.
 */

/**
 * @template T
 * @typedef {State<T> & {start: (work: (signal: AbortSignal, report: Report) => Promise<T>) => void, stop: () => void}} Job
 */

/**
 * One piece of work at a time; a new one takes the place of the former. It ends with its component.
 * @template T
 * @returns {Job<T>}
 */
export function useJob() {
  const [state, setState] = useState(/** @type {State<T>} */ ({ value: undefined, problem: undefined, running: false, stopped: false, far: undefined }));
  const underWay = useRef(/** @type {AbortController | undefined} */ (undefined));
  useEffect(() => () => underWay.current?.abort(), []);
  const start = useCallback((/** @type {(signal: AbortSignal, report: Report) => Promise<T>} */ work) => {
    underWay.current?.abort();
    const mine = new AbortController();
    underWay.current = mine;
    const put = (/** @type {Partial<State<T>>} */ part) => {
      if (!mine.signal.aborted) setState((before) => ({ ...before, ...part }));
    };
    put({ running: true, problem: undefined, stopped: false, far: undefined });
    work(mine.signal, (done, total) => put({ far: { done: Number(done), total: Number(total) } })).then(
      (value) => put({ value, running: false }),
      (error) => { if (!isCancelled(error)) put({ problem: problemOf(error), running: false }); },
    );
  }, []);
  const stop = useCallback(() => {
    underWay.current?.abort();
    setState((before) => ({ ...before, running: false, stopped: true }));
  }, []);
  return { ...state, start, stop };
}

/**
 * Work that runs as soon as it is wanted, and again when its keys change or the server comes back.
 * @template T
 * @param {(signal: AbortSignal, report: Report) => Promise<T>} work
 * @param {unknown[]} keys
 * @param {boolean} [wanted]
 * @returns {State<T> & {stop: () => void, again: () => void}}
 */
export function useWork(work, keys, wanted = true) {
  const job = /** @type {Job<T>} */ (useJob());
  const [attempt, setAttempt] = useState(0);
  const now = epoch.value;
  useEffect(() => {
    if (wanted) job.start(work);
  }, [...keys, wanted, now, attempt]);
  const again = useCallback(() => setAttempt((before) => before + 1), []);
  return { ...job, again };
}
