// The search that is open, for Python, the command line and grpcurl.
import { html, useState } from "../../vendor/vendor.js";
import { toJson } from "../../wire/json.js";
import { SearchRequestSchema } from "../../gen/latentdb/v1/search_pb.js";
import { key } from "../../app/access.js";
import { Dialog } from "../../parts/dialog.js";
import { say } from "../../parts/say.js";
import { commandLine } from "./copy-cli.js";
import { python } from "./copy-python.js";
import { quotedForShell } from "./shell.js";
import { FormError, queryOf, requestOf, withWeights } from "./request.js";

/** @typedef {import("./state.js").SearchState} SearchState */

/** @type {Record<string, {title: string, text: (collection: string, state: SearchState) => string}>} */
const FORMS = {
  python: { title: "Python", text: (collection, state) => python(collection, state, place()) },
  cli: { title: "Command line", text: (collection, state) => commandLine(collection, state, place()) },
  grpcurl: { title: "grpcurl", text: grpcurl },
};

/** Where this server is. */
function place() {
  return { host: location.host, secure: location.protocol === "https:", keyed: key.value !== "" };
}

/** @param {string} collection @param {SearchState} state */
function grpcurl(collection, state) {
  const { host, secure, keyed } = place();
  const json = JSON.stringify(toJson(SearchRequestSchema, requestOf(collection, state, queryOf(state))), null, 2);
  const header = keyed ? ' -H "authorization: Bearer $LATENTDB_API_KEY"' : "";
  return `grpcurl${secure ? "" : " -plaintext"}${header} -d ${quotedForShell(json)} \\\n  ${host} latentdb.v1.SearchService/Search`;
}

/** @param {{collection: string, state: SearchState, chosen: import("./request.js").ChosenLatents | undefined, onClose: () => void}} properties */
export function CopyAs({ collection, state, chosen, onClose }) {
  const [form, setForm] = useState("python");
  let text = "";
  let problem = "";
  try {
    text = FORMS[form]?.text(collection, withWeights(state, chosen)) ?? "";
  } catch (error) {
    if (!(error instanceof FormError)) throw error;
    problem = error.message;
  }
  const copy = () => navigator.clipboard.writeText(text).then(() => say("Copied."), () => say("The browser forbids copying here; select the text."));
  return html`<${Dialog} wide title="Copy this search" onClose=${onClose}>
    <div class="row tabs" role="group" aria-label="Form">${Object.entries(FORMS).map(([name, { title }]) => html`<button key=${name} type="button"
      class="small"
      aria-pressed=${name === form} onClick=${() => setForm(name)}>${title}</button>`)}</div>
    ${problem !== "" ? html`<p class="field-error" role="alert">${problem}</p>` : html`<pre class="copy-text" tabindex="0"
      data-testid="copy-text">${text}</pre>`}
    <footer><button type="button" class="primary" disabled=${problem !== ""} onClick=${copy}>Copy</button></footer>
  </${Dialog}>`;
}
