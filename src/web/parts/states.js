// What a view shows while it reads, where there is nothing, and where something went wrong.
import { html } from "../vendor/vendor.js";
import { Code } from "../wire/grpc-web.js";

/** @typedef {import("../app/errors.js").Problem} Problem */
/** @typedef {import("../vendor/vendor.js").ComponentChildren} ComponentChildren */

/** Room for what comes, so that nothing jumps. @param {{lines?: number, what?: string}} properties */
export function Loading({ lines = 4, what = "Loading" }) {
  const rows = Array.from({ length: lines }, (_, at) => html`<div key=${at} class="skeleton"></div>`);
  return html`<div class="loading" role="status" aria-label=${what}>${rows}</div>`;
}

/** @param {{title: string, children?: ComponentChildren}} properties */
export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p>${children}</div>`;
}

/**
 * An error where the person looks, with the fields at fault.
 * @param {{problem: Problem, retry?: () => void}} properties
 */
export function ProblemBox({ problem, retry }) {
  // The message repeats the description of the first field.
  const fields = problem.fields.filter((violation) => !problem.message.includes(violation.description));
  return html`<div class="problem" role="alert">
    <p><strong>${problem.title}.</strong> <span dir="auto">${problem.message}</span></p>
    ${fields.length > 0 && html`<ul>${fields.map((violation) =>
      html`<li key=${violation.field}><code>${violation.field}</code> ${violation.description}</li>`)}</ul>`}
    ${retry !== undefined && html`<button type="button" class="small" onClick=${retry}>Try again</button>`}
  </div>`;
}

/**
 * What `useLoad` read: a frame while it is read first, the error, or the value.
 * @template T
 * @param {{of: import("../app/load.js").Loaded<T>, lines?: number, children: (value: T) => ComponentChildren}} properties
 */
export function Loaded({ of, lines = 4, children }) {
  // A server that is away takes nothing off the page; the banner says it.
  const away = of.problem?.code === Code.Unavailable && of.value !== undefined;
  if (of.problem !== undefined && !away) return html`<${ProblemBox} problem=${of.problem} retry=${of.reload} />`;
  if (of.value === undefined) return html`<${Loading} lines=${lines} />`;
  return html`<div class=${of.loading ? "loaded stale" : "loaded"} aria-busy=${of.loading}>${children(of.value)}</div>`;
}

/** What the server doubts about a request. @param {{of: string[]}} properties */
export function Warnings({ of }) {
  if (of.length === 0) return null;
  return html`<div role="status"><ul class="warnings">${of.map((text) => html`<li key=${text} dir="auto">${text}</li>`)}</ul></div>`;
}

/** Long work: how far it is, and a way to stop it. @param {{done: number, total: number, what: string, stop?: () => void}} properties */
export function Progress({ done, total, what, stop }) {
  return html`<div class="progress" role="status">
    <span>${what}</span>
    <progress max=${Math.max(total, 1)} value=${total > 0 ? done : undefined} aria-label=${what}></progress>
    ${stop !== undefined && html`<button type="button" class="small" onClick=${stop}>Stop</button>`}
  </div>`;
}
