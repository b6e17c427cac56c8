// The filter: completion, the number of documents it allows while it is typed, the column at fault underlined.
import { html, useId, useRef, useState } from "../vendor/vendor.js";
import { at } from "../app/errors.js";
import { useLoad, useRested } from "../app/load.js";
import { searchCalls } from "../app/searches.js";
import { count, nameLiteral } from "./format.js";
import { Help } from "./help.js";
import { styled, useLazy } from "./lazy.js";
import { Warnings } from "./states.js";

/** @typedef {import("../app/collections.js").Collection} Collection */
/** @typedef {import("./suggest.js").Suggestion} Suggestion */

/**
 * @param {object} properties
 * @param {string} properties.collection
 * @param {Collection | undefined} properties.record
 * @param {string} properties.text
 * @param {(text: string) => void} properties.onText
 * @param {() => void} properties.onEnter
 */
export function FilterBox({ collection, record, text, onText, onEnter }) {
  const id = useId();
  const box = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const [touched, setTouched] = useState(false);
  const completing = useCompletion(collection, record, text, touched, box, onText);
  const rested = useRested(text.trim(), 250);
  const counted = useLoad(async (signal) => rested === "" ? undefined
    : searchCalls.count({ collection, filter: { kind: { case: "expression", value: rested } } }, { signal }), [collection, rested]);
  const said = counted.problem !== undefined ? at(counted.problem, /./) ?? counted.problem.message : undefined;
  // While more is typed, what was said of less is old.
  const current = rested === text.trim() && !counted.loading ? said : undefined;
  const module = useLazy(() => import("./filter-fault.js"), current !== undefined);
  const fault = current === undefined ? undefined : module?.faultOf(text, current);
  const keys = (/** @type {KeyboardEvent} */ event) => {
    if (completing.key(event)) return;
    if (event.key === "Enter") {
      event.preventDefault();
      completing.close();
      onEnter();
    }
  };
  const input = (/** @type {Event} */ event) => {
    setTouched(true);
    onText(/** @type {HTMLTextAreaElement} */ (event.target).value.replaceAll("\n", " "));
    completing.follow();
  };
  const { list, chosen } = completing;
  const gloss = useLazy(() => import("./gloss.js"), /latent/i.test(text));
  return html`<div class="filter">
    <div class="filter-line">
      <label for=${id}>Filter<${Help} page="search" at="filters" of="the filter language" /></label>
      <div class="filter-box">
        <div class="filter-back" aria-hidden="true">${fault === undefined ? text : html`${text.slice(0, fault.start)}<u>${text.slice(fault.start, fault.end)
          || " "}</u>${text.slice(fault.end)}`}${" "}</div>
        <textarea id=${id} ref=${box} rows="1" dir="auto" data-testid="filter" role="combobox" placeholder=${exampleOf(record)} value=${text}
          spellcheck=${false} autocomplete="off" autocapitalize="off" aria-invalid=${current !== undefined} aria-describedby=${`${id}-said`}
          aria-expanded=${list.length > 0} aria-controls=${`${id}-list`} aria-autocomplete="list" aria-haspopup="listbox"
          aria-activedescendant=${list.length > 0 && chosen >= 0 ? `${id}-list-${chosen}` : undefined}
          onInput=${input} onKeyDown=${keys} onFocus=${() => { setTouched(true); completing.follow(); }} onClick=${completing.follow}
            onBlur=${completing.close}></textarea>
        ${list.length > 0 && completing.Suggestions !== undefined && html`<${completing.Suggestions} id=${`${id}-list`} label="Completions"
          list=${list} chosen=${chosen} take=${completing.take} />`}
      </div>
      <span class="filter-count number muted" aria-live="polite">${counted.value !== undefined && current === undefined && rested !== ""
        ? `${count(counted.value.count)} of ${count(record?.documents ?? 0)}` : ""}</span>
    </div>
    <div id=${`${id}-said`}>${current !== undefined && html`<p class="field-error" role="alert" data-testid="filter-error"
      dir="auto">${fault === undefined
      ? current : `Column ${fault.column}: ${fault.message}`}</p>`}
      ${current === undefined && html`<${Warnings} of=${counted.value?.warnings ?? []} />`}</div>
    ${gloss !== undefined && html`<${gloss.Gloss} collection=${collection} record=${record} filter=${text} />`}
  </div>`;
}

/** A filter that this collection could have. @param {Collection | undefined} record */
function exampleOf(record) {
  const [first] = record?.attributes ?? [];
  if (first === undefined) return record === undefined ? "" : "as: latent(9) > 0.2";
  const text = first.kinds.includes("string") || first.kinds.length === 0;
  return `as: ${nameLiteral(first.name)} ${text ? '= "…"' : first.kinds.includes("boolean") ? "= true" : "> 0"}`;
}

/**
 * The list under the box.
 * @param {string} collection
 * @param {Collection | undefined} record
 * @param {string} text
 * @param {boolean} wanted
 * @param {import("../vendor/vendor.js").RefObject<HTMLTextAreaElement | null>} box
 * @param {(text: string) => void} onText
 */
function useCompletion(collection, record, text, wanted, box, onText) {
  const module = useLazy(() => styled(import("./complete.js"), "suggest"), wanted);
  const [caret, setCaret] = useState(/** @type {number | undefined} */ (undefined));
  const [chosen, setChosen] = useState(-1);
  const rested = useRested(caret === undefined ? "" : `${caret} ${text}`, 60);
  const found = useLoad(async (signal) => {
    if (module === undefined || rested === "") return undefined;
    const [, caretThen = "", of = ""] = /^(\d+) (.*)$/s.exec(rested) ?? [];
    const own = await module.complete(collection, record, of, Number(caretThen), signal);
    return own && { of, ...own };
  }, [rested, module, record]);
  // While more is typed, the list is that of less: what still begins so is offered, in place of all that is typed.
  const { of, from, to, list: all } = found.value ?? { of: text, from: text.length, to: text.length, list: [] };
  const end = of === text ? to : caret ?? to;
  const typed = of === text ? "" : text.slice(from, end).toLowerCase();
  const list = caret === undefined ? [] : all.filter(({ insert }) => insert.toLowerCase().startsWith(typed));
  const close = () => setCaret(undefined);
  const take = (/** @type {Suggestion} */ suggestion) => {
    const taken = text.slice(0, from) + suggestion.insert;
    const whole = taken + text.slice(end);
    // At once, not once it is drawn: a key that follows is then behind what was taken.
    if (box.current !== null) {
      box.current.value = whole;
      box.current.setSelectionRange(taken.length, taken.length);
    }
    onText(whole);
    setChosen(-1);
    setCaret(taken.length);
  };
  return {
    list,
    Suggestions: module?.Suggestions,
    chosen: Math.min(chosen, list.length - 1),
    close,
    take,
    follow: () => { setChosen(-1); setCaret(box.current?.selectionStart ?? 0); },
    key: (/** @type {KeyboardEvent} */ event) => module !== undefined && module.suggestionKey(event, list.length, chosen, {
      choose: setChosen,
      take: (at) => { const one = list[at]; if (one !== undefined) take(one); },
      close,
    }),
  };
}
