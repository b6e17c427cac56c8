// The filter language, as far as the page edits it: tokens, conditions that are added and taken away.

/**
 * @typedef {object} Token
 * @property {"word" | "string" | "number" | "symbol" | "open"} kind  "open": a quote that is not closed.
 * @property {string} text
 * @property {number} start  In UTF-16 units.
 * @property {number} end
 */

const TOKEN = /(["'`])(?:\\.|(?!\1)[^\\])*(\1)?|[\p{L}_][\p{L}\p{N}_.-]*|-?\d+(?:\.\d+)?(?:e-?\d+)?|[<>!]=|\S/giu;

/** @param {string} text @returns {Token[]} */
export function tokens(text) {
  return [...text.matchAll(TOKEN)].map((found) => {
    const [all, quote, closed] = found;
    const start = found.index ?? 0;
    const kind = quote === undefined ? (/^[\p{L}_]/u.test(all) ? "word" : /\d/.test(all) ? "number" : "symbol")
      : closed === undefined ? "open" : quote === "`" ? "word" : "string";
    return { kind, text: all, start, end: start + all.length };
  });
}

/**
 * The conditions that a filter joins by `and` at its top.
 * @param {string} filter
 * @returns {string[] | undefined}  Undefined where it is something else, as one with `or`.
 */
export function conjuncts(filter) {
  /** @type {string[]} */
  const parts = [];
  let depth = 0;
  let start = 0;
  for (const token of tokens(filter)) {
    if (token.text === "(") depth += 1;
    else if (token.text === ")") depth -= 1;
    else if (depth === 0 && token.kind === "word" && token.text.toLowerCase() === "or") return undefined;
    else if (depth === 0 && token.kind === "word" && token.text.toLowerCase() === "and") {
      parts.push(filter.slice(start, token.start).trim());
      start = token.end;
    }
  }
  parts.push(filter.slice(start).trim());
  return parts.filter((part) => part !== "");
}

/** @param {string} filter @param {string} condition */
export function hasCondition(filter, condition) {
  return (conjuncts(filter) ?? [filter.trim()]).includes(condition);
}

/** @param {string} filter @param {string} condition */
export function withCondition(filter, condition) {
  if (filter.trim() === "") return condition;
  const parts = conjuncts(filter);
  return parts === undefined ? `(${filter.trim()}) and ${condition}` : [...parts, condition].join(" and ");
}

/** @param {string} filter @param {string} condition */
export function withoutCondition(filter, condition) {
  return (conjuncts(filter) ?? [filter.trim()]).filter((part) => part !== condition).join(" and ");
}
