// Finds a latent by what its label means.
import { html, useEffect, useId, useState } from "../vendor/vendor.js";
import { useLoad, useRested } from "../app/load.js";
import { styled, useLazy } from "./lazy.js";

/**
 * @param {{collection: string, label: string, pick: (latent: number, label: string) => void}} properties
 */
export function LabelPicker({ collection, label, pick }) {
  const id = useId();
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState(0);
  const [open, setOpen] = useState(false);
  const suggest = useLazy(() => styled(import("./label-search.js"), "suggest"), open);
  const wanted = useRested(text.trim(), 120);
  const found = useLoad(async (signal) => wanted === "" || suggest === undefined ? [] : suggest.labelSearch(collection, wanted, signal), [collection, wanted, suggest]);
  // Enter before the answer is there takes the first of it.
  const [waiting, setWaiting] = useState(false);
  const current = open && wanted !== "" && wanted === text.trim() && !found.loading && suggest !== undefined && found.problem === undefined;
  const list = current ? found.value ?? [] : [];
  useEffect(() => {
    if (!waiting || !current) return;
    setWaiting(false);
    take(0);
  }, [waiting, current]);
  const take = (/** @type {number} */ at) => {
    const { latent, name } = list[at] ?? {};
    if (latent === undefined) return;
    setText("");
    setOpen(false);
    pick(latent, name ?? "");
  };
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && !current && text.trim() !== "") setWaiting(true);
    else suggest?.suggestionKey(event, list.length, chosen, { choose: setChosen, take, close: () => setOpen(false) });
  };
  return html`<div class="picker">
    <input type="text" role="combobox" dir="auto" aria-label=${label} placeholder=${label} aria-expanded=${list.length > 0} aria-controls=${id}
      aria-autocomplete="list"
      aria-activedescendant=${list.length > 0 ? `${id}-${chosen}` : undefined} value=${text} autocomplete="off" data-testid="add-latent"
      onInput=${(/** @type {Event} */ event) => { setText(/** @type {HTMLInputElement} */ (event.target).value); setChosen(0); setOpen(true); setWaiting(false); }}
      onKeyDown=${keys} onBlur=${() => setOpen(false)} onFocus=${() => setOpen(true)} />
    ${list.length > 0 && suggest !== undefined && html`<${suggest.Suggestions} id=${id} label="Latents" list=${list} chosen=${chosen}
      take=${(/** @type {import("./suggest.js").Suggestion} */ one) => take(list.findIndex(({ insert }) => insert === one.insert))} />`}
    ${found.problem !== undefined && html`<p class="field-error">${found.problem.message}</p>`}
    ${current && found.value?.length === 0 && html`<p class="small-print">No label is about that.</p>`}
  </div>`;
}
