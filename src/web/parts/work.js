// What a view shows of work that takes a while.
import { html } from "../vendor/vendor.js";
import { Code } from "../wire/grpc-web.js";
import { count } from "./format.js";
import { Loading, ProblemBox, Progress } from "./states.js";

/**
 * One line that is always there, so that nothing jumps when work begins and ends.
 * @param {{of: {running: boolean, stopped: boolean, far: import("../app/work.js").Far | undefined, stop: () => void}, what: string, again?: () => void, children?: import("../vendor/vendor.js").ComponentChildren}} properties
 *   `children`: what the line says while nothing runs.
 */
export function WorkLine({ of, what, again, children }) {
  const { done, total } = of.far ?? { done: 0, total: 0 };
  return html`<div class="work-line">
    ${of.running ? html`<${Progress} done=${done} total=${total} what=${total > 0 ? `${what} ${count(done)} of ${count(total)}` : what} stop=${of.stop} />`
      : of.stopped ? html`<p class="muted" role="status">Stopped.${again !== undefined && html` <button type="button" class="small" onClick=${again}>Begin again</button>`}</p>`
        : children}
  </div>`;
}

/**
 * What work came to: a frame while it is done first, the error, or the result.
 * @template T
 * @param {{of: import("../app/work.js").State<T> & {again: () => void}, lines?: number, children: (value: T) => import("../vendor/vendor.js").ComponentChildren}} properties
 */
export function Worked({ of, lines = 8, children }) {
  const away = of.problem?.code === Code.Unavailable && of.value !== undefined;
  if (of.problem !== undefined && !away) return html`<${ProblemBox} problem=${of.problem} retry=${of.again} />`;
  if (of.value === undefined) return of.stopped ? null : html`<${Loading} lines=${lines} />`;
  return html`<div class=${of.running ? "loaded stale" : "loaded"} aria-busy=${of.running}>${children(of.value)}</div>`;
}
