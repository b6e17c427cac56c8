// What may come next in a filter: attributes and their values, functions, latents by label, sets, families.
import { latentCalls } from "../app/latents.js";
import { collections } from "../app/collections.js";
import { tokens } from "./filter-text.js";
import { count, nameLiteral, quoted, valueText } from "./format.js";
import { searchCalls } from "../app/searches.js";

export { Suggestions, suggestionKey } from "./suggest.js";

/** @typedef {import("./suggest.js").Suggestion} Suggestion */
/** @typedef {import("../app/collections.js").Collection} Collection */
/** @typedef {{from: number, to: number, list: Suggestion[]}} Completion */

/** @type {Suggestion[]} */
const FUNCTIONS = [
  { insert: "latent(", label: "latent(", note: "a latent is active" },
  { insert: 'text("', label: 'text("', note: "all words" },
  { insert: 'text_any("', label: 'text_any("', note: "any word" },
  { insert: 'phrase("', label: 'phrase("', note: "words in order" },
  { insert: 'text_prefix("', label: 'text_prefix("', note: "beginnings of words" },
  { insert: 'text_fuzzy("', label: 'text_fuzzy("', note: "words with typos" },
  { insert: "family(", label: "family(", note: "any latent of a family" },
  { insert: 'set("', label: 'set("', note: "a saved set" },
  { insert: 'sae("', label: 'sae("', note: "through another SAE" },
  { insert: "id ", label: "id", note: "the document's id" },
  { insert: "not ", label: "not", note: "the others" },
];
/** @type {Record<string, Suggestion[]>} */
const OPERATORS = {
  text: ["= ", "!= ", "in (", "like ", "ilike ", "exists"].map((insert) => ({ insert, label: insert.trim() })),
  number: ["= ", "!= ", "< ", "<= ", "> ", ">= ", "in (", "exists"].map((insert) => ({ insert, label: insert.trim() })),
  time: ['>= timestamp("', '< timestamp("', "exists"].map((insert) => ({ insert, label: insert.trim() })),
  boolean: ["= true", "= false", "exists"].map((insert) => ({ insert, label: insert })),
};
/** @type {Suggestion[]} */
const JOINS = [{ insert: "and ", label: "and" }, { insert: "or ", label: "or" }];

const LIMIT = 12;

/**
 * @param {string} collection
 * @param {Collection | undefined} record
 * @param {string} text
 * @param {number} caret
 * @param {AbortSignal} signal
 * @returns {Promise<Completion | undefined>}
 */
export async function complete(collection, record, text, caret, signal) {
  const before = tokens(text.slice(0, caret));
  const last = before.at(-1);
  const touching = last !== undefined && last.end === caret;
  const word = touching && (last.kind === "word" || last.kind === "open" || last.kind === "number") ? last : undefined;
  const rest = word === undefined ? before : before.slice(0, -1);
  const [, , two, one] = [...Array(4).fill(undefined), ...rest].slice(-4);
  const typed = word?.text ?? "";
  const from = word?.start ?? caret;
  const made = (/** @type {Suggestion[]} */ list) => list.length === 0 ? undefined : { from, to: caret, list: list.slice(0, LIMIT) };

  if (one?.text === "(" && two !== undefined) {
    const inside = await argument(collection, two.text.toLowerCase(), argumentText(text, one.end, caret), signal);
    if (inside !== undefined) return inside.length === 0 ? undefined : { from: one.end, to: caret, list: inside.slice(0, LIMIT) };
  }
  // `latent(late parc`: several words stand behind the bracket.
  const open = before.findLastIndex((token) => token.text === "(");
  if (open > 0 && before[open - 1]?.text.toLowerCase() === "latent" && !before.slice(open).some(({ text: token }) => token === ")" || token === ",")) {
    const at = before[open]?.end ?? caret;
    const found = await argument(collection, "latent", text.slice(at, caret), signal);
    return found === undefined || found.length === 0 ? undefined : { from: at, to: caret, list: found.slice(0, LIMIT) };
  }
  if (last?.kind === "open" || /^(=|!=|in|\(|,)$/.test(one?.text ?? "")) {
    const values = await valuesFor(collection, record, rest, typed, signal);
    if (values !== undefined) return made(values);
  }
  const attribute = one?.kind === "word" ? record?.attributes.find(({ name }) => nameLiteral(name) === one.text) : undefined;
  if (attribute !== undefined && !touching) return made(OPERATORS[operatorsOf(attribute.kinds)] ?? []);
  if (attribute !== undefined) return made((OPERATORS[operatorsOf(attribute.kinds)] ?? []).filter(({ insert }) => insert.startsWith(typed)));
  const ended = one !== undefined && (one.kind === "string" || one.kind === "number" || one.text === ")" || /^(true|false|exists)$/i.test(one.text));
  if (ended) return made(JOINS.filter(({ insert }) => insert.startsWith(typed.toLowerCase())));
  const starts = one === undefined || one.text === "(" || /^(and|or|not)$/i.test(one.text);
  return starts ? made(beginnings(record, typed)) : undefined;
}

/** @param {string} text @param {number} from @param {number} to */
function argumentText(text, from, to) {
  return text.slice(from, to).replace(/^["'\s]+/, "");
}

/** @param {string[]} kinds */
function operatorsOf(kinds) {
  if (kinds.includes("string")) return "text";
  if (kinds.includes("timestamp")) return "time";
  return kinds.includes("boolean") ? "boolean" : "number";
}

/** @param {Collection | undefined} record @param {string} typed */
function beginnings(record, typed) {
  const attributes = (record?.attributes ?? []).map(({ name, kinds }) => ({ insert: `${nameLiteral(name)} `, label: name, note: kinds.join(", ") }));
  const wanted = typed.toLowerCase();
  return [...attributes, ...FUNCTIONS].filter(({ label }) => label.toLowerCase().startsWith(wanted));
}

/**
 * What stands in the brackets of a function; undefined where it takes free text.
 * @param {string} collection
 * @param {string} name
 * @param {string} typed
 * @param {AbortSignal} signal
 * @returns {Promise<Suggestion[] | undefined>}
 */
async function argument(collection, name, typed, signal) {
  const wanted = typed.trim().toLowerCase();
  const has = (/** @type {string} */ text) => text.toLowerCase().includes(wanted);
  switch (name) {
    case "latent": {
      if (wanted === "" || /^\d+$/.test(wanted)) return [];
      const { labels } = await latentCalls.searchLabels({ collection, text: wanted, limit: LIMIT }, { signal });
      return labels.map(({ latent, label, documents }) => ({ insert: `${latent})`, label: `${latent} ${label?.text ?? ""}`, note: count(documents) }));
    }
    case "family": {
      const { families } = await latentCalls.listFamilies({ collection }, { signal }).catch(() => ({ families: [] }));
      return families.filter(({ root, label }) => has(`${root} ${label}`))
        .map(({ root, label, members }) => ({ insert: `${root})`, label: `${root} ${label}`, note: `${members.length} latents` }));
    }
    case "set": {
      const { sets } = await collections.listSets({ collection }, { signal });
      return sets.filter((set) => has(set.name)).map((set) => ({ insert: `${quoted(set.name)})`, label: set.name, note: set.documents === undefined ? "" : count(set.documents) }));
    }
    case "sae": {
      const { saes } = await collections.getCollection({ name: collection.split(":", 1)[0] ?? "" }, { signal });
      return saes.filter((sae) => sae.name !== "" && has(sae.name)).map((sae) => ({ insert: `${quoted(sae.name)}, `, label: sae.name }));
    }
    case "text": case "text_any": case "phrase": case "text_prefix": case "text_fuzzy": case "timestamp": return [];
    default: return undefined;
  }
}

/**
 * Values of the attribute that is compared: the most frequent that begin as typed.
 * @param {string} collection
 * @param {Collection | undefined} record
 * @param {import("./filter-text.js").Token[]} rest
 * @param {string} typed
 * @param {AbortSignal} signal
 */
async function valuesFor(collection, record, rest, typed, signal) {
  const operator = rest.findLastIndex(({ text }) => /^(=|!=|in)$/i.test(text));
  const attribute = record?.attributes.find(({ name }) => nameLiteral(name) === rest[operator - 1]?.text);
  if (operator < 1 || attribute === undefined) return undefined;
  if (attribute.kinds.includes("boolean")) return ["true", "false"].map((value) => ({ insert: value, label: value }));
  if (!attribute.kinds.includes("string")) return undefined;
  const { facets } = await searchCalls.facet({ collection, facets: [{ by: { case: "attribute", value: attribute.name }, limit: 200 }] }, { signal });
  const wanted = typed.replace(/^["']/, "").toLowerCase();
  return (facets[0]?.values ?? []).flatMap(({ value, count: documents }) => {
    const text = valueText(value);
    return value?.kind.case === "string" && text.toLowerCase().startsWith(wanted) ? [{ insert: quoted(text), label: text, note: count(documents) }] : [];
  });
}
