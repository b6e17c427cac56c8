// The numbers behind a hit.
import { html } from "../../vendor/vendor.js";
import { SignedBar } from "../../parts/bars.js";
import { AttributeChip, LatentName } from "../../parts/chip.js";
import { fixed, short, signed, valueText } from "../../parts/format.js";
import { Help } from "../../parts/help.js";

/**
 * @param {{hit: import("../../gen/latentdb/v1/search_pb.js").Hit, scale: import("./hit.js").Scale, rest: [string, import("../../parts/format.js").Value][], close: () => void}} properties
 */
export function Why({ hit, scale, rest, close }) {
  return html`<div class="why scroll-x">
    <table><thead><tr><th>Part<${Help} page="search" at="query-kinds" of="a part of the score" /></th><th class="number">Score</th><th
      class="number">Rank</th>
      <th class="number">Gives</th><th class="why-bar"></th></tr></thead>
      <tbody>${hit.components.map((part) => html`<tr key=${part.name}><td>${part.name}</td><td class="number">${short(part.score)}</td>
        <td class="number">${part.rank || "–"}</td><td class="number">${signed(part.contribution, 4)}</td>
        <td class="why-bar"><${SignedBar} value=${part.contribution} most=${scale.part} /></td></tr>`)}</tbody></table>
    ${hit.latents.length > 0 && html`<table><thead><tr><th>Latent<${Help} page="search" at="query-kinds" of="a latent's part of the score"
      /></th><th>Part</th>
      <th class="number">Activation</th><th class="number">Gives</th><th class="why-bar"></th></tr></thead>
      <tbody>${hit.latents.map((one, at) => html`<tr key=${at}><td><${LatentName}
        latent=${one.latent} label=${one.label} low=${one.lowConfidence} /></td><td>${one.component || "–"}</td>
        <td class="number">${fixed(one.activation)}</td><td class="number">${one.component === "" ? "–" : signed(one.contribution, 4)}</td>
        <td class="why-bar">${one.component !== "" && html`<${SignedBar} value=${one.contribution} most=${scale.latent}
          />`}</td></tr>`)}${restsOf(hit).map(({ name, value }) => html`<tr key=${`rest ${name}`} class="muted"><td>the rest</td>
        <td>${name}</td><td></td><td class="number">${signed(value, 4)}</td>
        <td class="why-bar"><${SignedBar} value=${value} most=${scale.latent} /></td></tr>`)}</tbody></table>
      <p class="small-print">The rest is of weaker latents and of what the SAE does not explain.${twice(hit)
        && " A latent stands twice where a slider boosts it: for the query, and for the boost."}</p>`}
    ${rest.length > 0 && html`<p class="row">${rest.map(([name, value]) => html`<${AttributeChip} key=${name} name=${name} value=${valueText(value)}
      />`)}</p>`}
    <button type="button" class="link" onClick=${close}>Hide</button>
  </div>`;
}

/**
 * What the listed latents leave of the scores they are parts of.
 * @param {import("../../gen/latentdb/v1/search_pb.js").Hit} hit
 */
function restsOf(hit) {
  return hit.components.flatMap(({ name, score }) => {
    const own = hit.latents.filter(({ component }) => component === name);
    const value = own.reduce((rest, { contribution }) => rest - contribution, score);
    return own.length === 0 || Math.abs(value) < 5e-5 ? [] : [{ name, value }];
  });
}

/** @param {import("../../gen/latentdb/v1/search_pb.js").Hit} hit */
function twice({ latents }) {
  return new Set(latents.map(({ component, latent }) => `${component} ${latent}`)).size < latents.length;
}
