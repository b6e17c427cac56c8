// How the server ran a search: the plan of each node, and where the time went.
import { html } from "../../vendor/vendor.js";
import { useLoad } from "../../app/load.js";
import { searchCalls } from "../../app/searches.js";
import { count, percent, short } from "../../parts/format.js";
import { Help } from "../../parts/help.js";
import { Loaded } from "../../parts/states.js";
import { queryOf, requestOf } from "./request.js";
import { write } from "./state.js";

/** @typedef {import("../../gen/latentdb/v1/search_pb.js").Explanation} Explanation */
/** @typedef {import("../../gen/latentdb/v1/search_pb.js").PlanNode} PlanNode */

/** 1.23 ms. @param {bigint} microseconds */
function milliseconds(microseconds) {
  return `${short(Number(microseconds) / 1000)} ms`;
}

/** The search is run once more, to be explained. @param {{collection: string, state: import("./state.js").SearchState}} properties */
export function Plan({ collection, state }) {
  const explained = useLoad(async (signal) => {
    const request = requestOf(collection, state, queryOf(state));
    return (await searchCalls.search({ ...request, explain: true }, { signal })).explanation;
  }, [collection, String(write(state))]);
  return html`<${Loaded} of=${explained} lines=${3}>${(/** @type {Explanation | undefined} */ found) => found?.plan !== undefined && html`
    <p class="muted">${milliseconds(found.totalUs)} in all: ${milliseconds(found.encodeUs)} to encode texts, ${milliseconds(found.executeUs)} to run the plan, ${milliseconds(found.fetchUs)} to read documents and latents.</p>
    <div class="scroll-x"><table><thead><tr><th>Part</th><th>Access<${Help} page="search" at="plans-and-timings" of="a plan" /></th>
      <th class="number">Allowed</th><th class="number">Share</th><th class="number">Scored</th><th class="number">Time</th></tr></thead>
      <tbody>${rowsOf(found.plan, 0).map(({ node, depth }, at) => html`<tr key=${at}>
        <td style=${{ paddingLeft: `${16 * depth}px` }} dir="auto">${node.name}</td><td>${node.access}</td>
        <td class="number">${count(node.allowed)}</td><td class="number">${percent(node.selectivity)}</td>
        <td class="number">${count(node.candidates)}</td><td class="number">${milliseconds(node.elapsedUs)}</td></tr>`)}</tbody></table></div>`
  }</${Loaded}>`;
}

/** @param {PlanNode} node @param {number} depth @returns {{node: PlanNode, depth: number}[]} */
function rowsOf(node, depth) {
  return [{ node, depth }, ...node.children.flatMap((child) => rowsOf(child, depth + 1))];
}
