// The guide's Markdown as elements. What it does not know stays text; nothing becomes markup.
import { html } from "../../vendor/vendor.js";
import { address } from "../../app/router.js";

/** @typedef {import("../../vendor/vendor.js").ComponentChildren} Children */
/** @typedef {Map<string, string>} References */

/** The anchor of a heading, as GitHub and rustdoc make them. @param {string} heading */
export function anchor(heading) {
  return heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-");
}

/** @param {string} source */
export function markdown(source) {
  const lines = source.replaceAll("\r", "").split("\n");
  /** @type {References} */
  const references = new Map();
  const kept = lines.filter((line) => {
    const found = /^\[([^\]]+)\]:\s+(\S+)\s*$/.exec(line);
    if (found) references.set((found[1] ?? "").toLowerCase(), found[2] ?? "");
    return !found;
  });
  return blocks(kept, references);
}

/**
 * @param {string[]} lines
 * @param {References} references
 */
function blocks(lines, references) {
  /** @type {Children[]} */
  const made = [];
  let at = 0;
  /** @param {(line: string) => boolean} belongs */
  const take = (belongs) => {
    const start = at;
    while (at < lines.length && belongs(lines[at] ?? "")) at += 1;
    return lines.slice(start, at);
  };
  while (at < lines.length) {
    const line = lines[at] ?? "";
    const key = at;
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (line.trim() === "") {
      at += 1;
    } else if (line.startsWith("```")) {
      at += 1;
      const code = take((next) => !next.startsWith("```"));
      at += 1;
      made.push(html`<pre key=${key} tabindex="0"><code>${code.join("\n")}</code></pre>`);
    } else if (heading) {
      at += 1;
      const text = heading[2] ?? "";
      made.push(html`<${`h${heading[1]?.length}`} key=${key} id=${anchor(text)}>${inline(text, references)}</>`);
    } else if (/^\|/.test(line)) {
      made.push(table(take((next) => next.startsWith("|")), references, key));
    } else if (/^\s*([-*]|\d+\.)\s/.test(line)) {
      made.push(list(take((next) => next.trim() !== "" && (/^\s/.test(next) || /^([-*]|\d+\.)\s/.test(next))), references, key));
    } else {
      const text = take((next) => next.trim() !== "" && !/^(#{1,6}\s|```|\|)/.test(next) && !/^([-*]|\d+\.)\s/.test(next));
      made.push(html`<p key=${key}>${inline(text.join(" "), references)}</p>`);
    }
  }
  return made;
}

/**
 * @param {string[]} lines
 * @param {References} references
 * @param {number} key
 */
function list(lines, references, key) {
  /** @type {string[][]} */
  const items = [];
  for (const line of lines) {
    const begins = /^([-*]|\d+\.)\s+(.*)$/.exec(line);
    if (begins) items.push([begins[2] ?? ""]);
    else items.at(-1)?.push(line.replace(/^\s{1,3}/, ""));
  }
  const tag = /^\d/.test(lines[0] ?? "") ? "ol" : "ul";
  const item = (/** @type {string[]} */ [first = "", ...rest], /** @type {number} */ number) => {
    const nested = rest.findIndex((line) => /^([-*]|\d+\.)\s|^```/.test(line));
    const text = nested < 0 ? rest : rest.slice(0, nested);
    return html`<li key=${number}>${inline([first, ...text].join(" "), references)}
      ${nested >= 0 && blocks(rest.slice(nested), references)}</li>`;
  };
  return html`<${tag} key=${key}>${items.map(item)}</>`;
}

/**
 * @param {string[]} lines
 * @param {References} references
 * @param {number} key
 */
function table(lines, references, key) {
  const rows = lines.map((line) => line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|")));
  const [head = [], alignment = [], ...body] = rows;
  const number = alignment.map((cell) => cell.endsWith(":") ? "number" : "");
  const cells = (/** @type {string[]} */ row, /** @type {string} */ tag) => row.map((cell, at) =>
    html`<${tag} key=${at} class=${number[at] ?? ""}>${inline(cell, references)}</>`);
  return html`<div key=${key} class="scroll-x" tabindex="0" role="region" aria-label="Table"><table><thead><tr>${cells(head, "th")}</tr></thead>
    <tbody>${body.map((row, at) => html`<tr key=${at}>${cells(row, "td")}</tr>`)}</tbody></table></div>`;
}

const INLINE = new RegExp([
  "(`+)(.+?)\\1", // 1, 2: code
  "\\*\\*(.+?)\\*\\*", // 3: strong
  "(?<![\\p{L}\\p{N}*])\\*([^*\\s](?:[^*]*[^*\\s])?)\\*(?![\\p{L}\\p{N}*])", // 4: emphasis
  "\\[((?:[^\\[\\]]|\\[[^\\]]*\\])+)\\](?:\\(([^)\\s]+)\\)|\\[([^\\]]*)\\])?", // 5: text of a link; 6: its address; 7: its reference
].join("|"), "gu");

/**
 * @param {string} text
 * @param {References} references
 * @returns {Children[]}
 */
function inline(text, references) {
  /** @type {Children[]} */
  const made = [];
  let at = 0;
  for (const found of text.matchAll(INLINE)) {
    const [all, , code, strong, emphasis, label, direct, reference] = found;
    const start = found.index ?? 0;
    if (start > at) made.push(plain(text.slice(at, start)));
    at = start + all.length;
    if (code !== undefined) made.push(html`<code>${code.trim()}</code>`);
    else if (strong !== undefined) made.push(html`<strong>${inline(strong, references)}</strong>`);
    else if (emphasis !== undefined) made.push(html`<em>${inline(emphasis, references)}</em>`);
    else if (label !== undefined) {
      const to = direct ?? references.get((reference || label).toLowerCase());
      made.push(to === undefined ? all : link(to, inline(label, references)));
    }
  }
  if (at < text.length) made.push(plain(text.slice(at)));
  return made;
}

/** Backslashes before punctuation are not shown. @param {string} text */
function plain(text) {
  return text.replace(/\\([\\`*_{}[\]()#+.!|<>~-])/g, "$1");
}

/**
 * Pages of the guide open here, addresses of the web elsewhere; files of the repository are no links.
 * @param {string} to
 * @param {Children[]} label
 */
function link(to, label) {
  const page = /^(?:\.\/)?([a-z_-]+)\.md(?:#(.*))?$/.exec(to);
  if (page) return html`<a href=${address({ view: "guide", rest: page[1] ?? "", params: { at: page[2] } })}>${label}</a>`;
  if (/^https?:\/\//.test(to)) return html`<a href=${to} target="_blank" rel="noreferrer noopener">${label}</a>`;
  return html`<span title=${to}>${label}</span>`;
}
