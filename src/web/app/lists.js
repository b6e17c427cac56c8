// Lists of latents that a person keeps by name: in this browser, by collection (and SAE). The address of a
// list holds its latents and its name, so that its link shows it to others.
import { signal } from "../vendor/vendor.js";
import { address } from "./router.js";

/** @typedef {{name: string, latents: number[]}} LatentList */
/** @typedef {import("../vendor/vendor.js").Signal<LatentList[]>} Kept */

/** Maximum latents of a list: its link stays short enough for any browser. */
export const MOST = 500;
/** Maximum characters of a name. */
export const LONGEST = 80;

/** @param {string} collection */
const placeOf = (collection) => `latentdb.lists.${collection}`;

/** @type {Map<string, Kept>} */
const known = new Map();
// Another tab may have changed them; without a key, everything was cleared.
addEventListener("storage", ({ key }) => {
  for (const [collection, kept] of known) if (key === null || key === placeOf(collection)) kept.value = stored(collection);
});

/** @param {string} collection @returns {Kept} */
function keptOf(collection) {
  let kept = known.get(collection);
  if (kept === undefined) {
    kept = signal(stored(collection));
    known.set(collection, kept);
  }
  return kept;
}

/** What the browser holds, which anybody may have written. @param {string} collection @returns {LatentList[]} */
function stored(collection) {
  try {
    const read = JSON.parse(localStorage.getItem(placeOf(collection)) ?? "[]");
    return Array.isArray(read) ? read.flatMap((list) => typeof list?.name === "string" && Array.isArray(list.latents)
      ? [{ name: list.name, latents: numbers(list.latents).latents }] : []) : [];
  } catch {
    return [];
  }
}

/** @param {unknown[]} words @returns {{latents: number[], wrong: string[]}} */
function numbers(words) {
  const written = words.map(String);
  const right = written.filter((word) => /^\d{1,9}$/.test(word)).map(Number);
  return { latents: [...new Set(right)].slice(0, MOST), wrong: written.filter((word) => !/^\d{1,9}$/.test(word)) };
}

/** The lists of a collection, by name. @param {string} collection */
export function listsOf(collection) {
  return keptOf(collection).value;
}

/** @param {string} collection @param {string} name */
export function listNamed(collection, name) {
  return listsOf(collection).find((list) => list.name === name);
}

/**
 * Keeps a list under its name, and says why the browser does not keep it for longer than this tab.
 * @param {string} collection
 * @param {LatentList} list
 * @param {string} [before]  The name it had, which is given up.
 * @returns {string | undefined}
 */
export function keepList(collection, list, before = list.name) {
  const others = listsOf(collection).filter(({ name }) => name !== list.name && name !== before);
  return write(collection, [...others, list].sort((a, b) => a.name.localeCompare(b.name, "en")));
}

/** @param {string} collection @param {string} name */
export function forgetList(collection, name) {
  return write(collection, listsOf(collection).filter((list) => list.name !== name));
}

/** @param {string} collection @param {LatentList[]} lists @returns {string | undefined} */
function write(collection, lists) {
  keptOf(collection).value = lists;
  try {
    localStorage.setItem(placeOf(collection), JSON.stringify(lists));
    return undefined;
  } catch {
    return "This browser keeps nothing for the page: the list is gone with the tab, its link holds it.";
  }
}

/** @param {string} collection @param {LatentList} list */
export function listAddress(collection, { name, latents }) {
  return address({ collection, view: "latents", params: { list: latents.join(","), name } });
}

/**
 * The list of an address, and the words in it that are no numbers of latents; undefined where it names none.
 * @param {URLSearchParams} params
 * @returns {(LatentList & {wrong: string[]}) | undefined}
 */
export function listIn(params) {
  if (!params.has("list") && !params.has("name")) return undefined;
  const words = (params.get("list") ?? "").split(/[,\s]+/).filter((word) => word !== "");
  return { name: (params.get("name") ?? "").trim().slice(0, LONGEST), ...numbers(words) };
}

/** Whether two lists hold the same latents. @param {LatentList | undefined} one @param {LatentList} other */
export function sameLatents(one, other) {
  return one !== undefined && one.latents.length === other.latents.length && one.latents.every((latent) => other.latents.includes(latent));
}
