// The guide: the Markdown files of src/guide.
import { html, useEffect, useMemo } from "../../vendor/vendor.js";
import { useLoad } from "../../app/load.js";
import { address, route } from "../../app/router.js";
import { Loaded } from "../../parts/states.js";
import { anchor, markdown } from "./markdown.js";

/** Pages in the order in which they are read. */
const PAGES = ["concepts", "search", "labels", "analyses", "ingest", "training", "operations", "python", "api", "methods", "measurements"];

/** @param {string} page @param {AbortSignal} signal */
async function read(page, signal) {
  const answer = await fetch(`/guide/${encodeURIComponent(page)}.md`, { signal });
  if (answer.status === 404) throw new Error(`the guide has no page “${page}”`);
  return answer.text();
}

export function View() {
  const page = route.value.rest || "concepts";
  const loaded = useLoad((signal) => read(page, signal), [page]);
  const link = (/** @type {string} */ name) => html`<li key=${name}><a href=${address({ view: "guide", rest: name })}
    aria-current=${name === page ? "page" : undefined}>${name === "api" ? "API" : name}</a></li>`;
  return html`<div class="view guide">
    <nav aria-label="Guide"><ul>${PAGES.map(link)}</ul></nav>
    <article><${Loaded} of=${loaded} lines=${12}>${(/** @type {string} */ text) => html`<${Page} key=${page} text=${text} />`}</${Loaded}></article>
  </div>`;
}

/** @param {{text: string}} properties */
function Page({ text }) {
  const content = useMemo(() => markdown(text), [text]);
  const at = route.value.params.get("at");
  useEffect(() => {
    const heading = at === null ? null : document.getElementById(anchor(at));
    heading?.scrollIntoView();
    heading?.classList.add("found");
    return () => heading?.classList.remove("found");
  }, [at, content]);
  return html`${content}`;
}
