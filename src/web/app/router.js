// The address is the state: `/#/COLLECTION/VIEW/REST?params`. Whatever a view shows, its parameters say.
import { signal } from "../vendor/vendor.js";

/**
 * @typedef {object} Route
 * @property {string} collection  NAME or NAME:SAE; empty outside of collections.
 * @property {string} view        The view's name.
 * @property {string} rest        What follows the view, as a latent's number.
 * @property {URLSearchParams} params
 */

/** @typedef {Record<string, string | number | null | undefined>} Changes */

/**
 * @param {string} hash
 * @returns {Route}
 */
export function parse(hash) {
  const [path = "", query = ""] = splitOnce(hash.replace(/^#?\/?/, ""), "?");
  const parts = path.split("/");
  const params = new URLSearchParams(query);
  // A collection called "guide" is written %67uide, so the guide's addresses stay short.
  if (parts[0] === "guide") return { collection: "", view: "guide", rest: decode(parts[1] ?? ""), params };
  const collection = decode(parts[0] ?? "");
  if (collection === "") return { collection, view: "home", rest: "", params };
  const rest = parts.slice(2).map(decode).join("/");
  return { collection, view: parts[1] || "search", rest, params };
}

/**
 * @param {string} text
 * @param {string} by
 * @returns {[string, string]}
 */
function splitOnce(text, by) {
  const at = text.indexOf(by);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + by.length)];
}

/** @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Where the page is. */
export const route = signal(parse(location.hash));

/**
 * The address of a place, to link to.
 * @param {{collection?: string, view?: string, rest?: string | number, params?: URLSearchParams | Changes}} to
 */
export function address({ collection = "", view = "search", rest = "", params = {} }) {
  const query = params instanceof URLSearchParams ? params : changed(new URLSearchParams(), params);
  const after = query.size > 0 ? `?${query}` : "";
  if (collection === "") {
    return view === "guide" ? `#/guide/${encodeURIComponent(String(rest))}${after}` : `#/${after}`;
  }
  const name = encodeURIComponent(collection).replaceAll("%3A", ":");
  const safe = name === "guide" ? "%67uide" : name;
  const behind = rest === "" ? "" : `/${encodeURIComponent(String(rest))}`;
  return `#/${safe}/${view}${behind}${after}`;
}

/**
 * Parameters with some of them set; empty and null ones are taken away.
 * @param {URLSearchParams} params
 * @param {Changes} changes
 */
export function changed(params, changes) {
  const made = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") made.delete(name);
    else made.set(name, String(value));
  }
  return made;
}

/** What the last step in the history was made by. */
let lastStep = "";

/**
 * Goes to an address of `address`. Steps with the same `step` one after another are one step of the
 * back button, so that a slider's way is not walked back in hundredths.
 * @param {string} to
 * @param {{step?: string, replace?: boolean}} [how]
 */
export function go(to, { step = "", replace = false } = {}) {
  if (to === location.hash) return;
  const kept = replace || (step !== "" && step === lastStep);
  lastStep = step;
  if (kept) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  const before = route.value;
  route.value = parse(to);
  const { collection, view, rest } = route.value;
  if (collection !== before.collection || view !== before.view || rest !== before.rest) scrollTo(0, 0);
}

/**
 * Changes parameters of the view that is open.
 * @param {Changes} changes
 * @param {{step?: string, replace?: boolean}} [how]
 */
export function update(changes, how = {}) {
  const { collection, view, rest, params } = route.value;
  go(address({ collection, view, rest, params: changed(params, changes) }), how);
}

/** Follows the back button and links. */
export function startRouter() {
  addEventListener("popstate", () => {
    lastStep = "";
    route.value = parse(location.hash);
  });
  addEventListener("hashchange", () => {
    const now = parse(location.hash);
    if (address(now) !== address(route.value)) {
      lastStep = "";
      route.value = now;
    }
  });
}
