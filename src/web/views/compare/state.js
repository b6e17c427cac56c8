// A comparison as the address writes it, and back.
import { written } from "../../parts/fields.js";

/**
 * @typedef {object} Comparison
 * @property {string} a            Filter of the first set.
 * @property {string[]} b          Filters it is compared with; none: everything that is not in A.
 * @property {string} other        The collection of the sets of B; empty: the same.
 * @property {boolean} vouched     Latents of both collections mean the same.
 * @property {boolean} means       Mean activations are compared, not shares.
 * @property {string} how          "pair", "stratify", "cluster", or empty.
 * @property {string} by           The attribute of `how`.
 * @property {string} overlap      "drop", "keep", or empty: refused.
 * @property {string} favours      "a", "b", or empty: both.
 * @property {string} support      Numbers as they are written; empty: as the server has it.
 * @property {string} above
 * @property {string} delta
 * @property {string} p
 * @property {string} confirm
 * @property {string} bShare
 * @property {string} sort         "delta", "size", "p", "a", "b", "label".
 * @property {number} which        Which comparison is shown, from 0.
 * @property {number | undefined} latent  Whose documents are shown.
 * @property {string} tab          "documents" or "only".
 */

/** @param {URLSearchParams} params @returns {Comparison} */
export function read(params) {
  const text = (/** @type {string} */ name) => params.get(name) ?? "";
  const one = (/** @type {string} */ name, /** @type {string[]} */ of) => of.includes(text(name)) ? text(name) : of[0] ?? "";
  const latent = Number.parseInt(text("latent"), 10);
  return {
    a: text("a"),
    b: params.getAll("b"),
    other: text("in"),
    vouched: text("vouched") === "1",
    means: text("measure") === "means",
    how: one("how", ["", "pair", "stratify", "cluster"]),
    by: text("by"),
    overlap: one("overlap", ["", "drop", "keep"]),
    favours: one("favours", ["", "a", "b"]),
    support: text("support"),
    above: text("above"),
    delta: text("delta"),
    p: text("p"),
    confirm: text("confirm"),
    bShare: text("b-share"),
    sort: one("sort", ["size", "delta", "p", "a", "b", "label"]),
    which: Math.max(0, Number.parseInt(text("which"), 10) || 0),
    latent: Number.isNaN(latent) || latent < 0 ? undefined : latent,
    tab: one("tab", ["documents", "only"]),
  };
}

/** @param {Comparison} state */
export function write(state) {
  const params = new URLSearchParams();
  const put = (/** @type {string} */ name, /** @type {string | number} */ value, /** @type {string | number} */ otherwise = "") => {
    if (value !== otherwise) params.set(name, String(value));
  };
  put("a", state.a.trim());
  for (const filter of state.b) if (filter.trim() !== "") params.append("b", filter.trim());
  put("in", state.other);
  put("vouched", state.vouched ? "1" : "");
  put("measure", state.means ? "means" : "");
  put("how", state.how);
  put("by", state.how === "" ? "" : state.by);
  put("overlap", state.overlap);
  put("favours", state.favours);
  put("support", state.support.trim());
  put("above", state.above.trim());
  put("delta", state.delta.trim());
  put("p", state.p.trim());
  put("confirm", state.confirm.trim());
  put("b-share", state.bShare.trim());
  put("sort", state.sort, "size");
  put("which", state.which, 0);
  put("latent", state.latent ?? "");
  put("tab", state.tab, "documents");
  return params;
}

/** Which differences are listed: up to this adjusted p, larger than this. @param {Comparison} state */
export function bounds({ p, delta, means }) {
  return { maxP: written(p) ?? 0.05, minDelta: written(delta) ?? (means ? 0 : 0.03) };
}

/** The same in words. @param {Comparison} state */
export function boundsText(state) {
  const { maxP, minDelta } = bounds(state);
  const by = state.means ? minDelta : `${Number((100 * minDelta).toPrecision(6))} points`;
  return `adjusted p ≤ ${maxP}${minDelta > 0 ? `, by more than ${by}` : ""}`;
}

/** What the answer depends on, as a key. @param {Comparison} state */
export function asked(state) {
  return write({ ...state, sort: "size", which: 0, latent: undefined, tab: "documents" }).toString();
}
