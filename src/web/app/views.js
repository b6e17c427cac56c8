// The views: one line each. A view is a module with `View`, a component without properties that reads
// `route`; it and its style are fetched when it is first opened.

/**
 * @typedef {object} ViewEntry
 * @property {string} name      In the address, behind the collection.
 * @property {string} title     In the navigation and the window's title.
 * @property {string} key       `g` and this key open it; empty: not in the navigation.
 * @property {string[]} styles  Style sheets to fetch with it.
 * @property {() => Promise<{View: () => import("../vendor/vendor.js").VNode}>} load
 */

/** @type {ViewEntry[]} */
export const VIEWS = [
  { name: "search", title: "Search", key: "s", styles: [], load: () => import("../views/search/view.js") },
  { name: "latents", title: "Latents", key: "l", styles: ["latents"], load: () => import("../views/latents/view.js") },
  { name: "latent", title: "Latent", key: "", styles: ["latents"], load: () => import("../views/latent/view.js") },
  { name: "compare", title: "Compare", key: "d", styles: ["analyses", "compare"], load: () => import("../views/compare/view.js") },
  { name: "relations", title: "Relations", key: "r", styles: ["analyses", "relations"], load: () => import("../views/relations/view.js") },
  { name: "map", title: "Map", key: "m", styles: ["analyses", "map", "info"], load: () => import("../views/map/view.js") },
  { name: "info", title: "Info", key: "i", styles: ["analyses", "info"], load: () => import("../views/info/view.js") },
  { name: "home", title: "Collections", key: "", styles: ["analyses", "info"], load: () => import("../views/home/view.js") },
  { name: "guide", title: "Guide", key: "", styles: ["guide"], load: () => import("../views/guide/view.js") },
];

/** @type {Map<string, Promise<void>>} */
const fetched = new Map();

/**
 * Fetches a style sheet of style/ once, and waits for it, so that a view never shows without.
 * @param {string} name
 */
export function loadStyle(name) {
  let style = fetched.get(name);
  if (style === undefined) {
    style = new Promise((resolve, reject) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.href = name.startsWith("/") ? name : `/style/${name}.css`;
      link.onload = () => resolve();
      link.onerror = () => {
        fetched.delete(name);
        reject(new TypeError(`${link.href} is not to be had`));
      };
      document.head.append(link);
    });
    fetched.set(name, style);
  }
  return style;
}
