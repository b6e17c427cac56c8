// What goes together, what belongs together, what rises and falls.
import { html } from "../../vendor/vendor.js";
import { address, route } from "../../app/router.js";
import { Tabs } from "../../parts/tabs.js";
import { Families } from "./families.js";
import { Pairs } from "./pairs.js";
import { Trends } from "./trends.js";

const PARTS = [
  { name: "pairs", title: "Pairs", Part: Pairs },
  { name: "families", title: "Families", Part: Families },
  { name: "trends", title: "Trends", Part: Trends },
];

export function View() {
  const { collection, rest } = route.value;
  const open = PARTS.find(({ name }) => name === rest) ?? PARTS[0];
  return html`<div class="view relations"><h1>Relations</h1>
    <${Tabs} label="Relations" of=${PARTS.map((part) => ({ title: part.title, open: part === open, href: address({ collection, view: "relations", rest: part.name }) }))} />
    ${open !== undefined && html`<${open.Part} key=${open.name} collection=${collection} />`}
  </div>`;
}
