// The frame: collection, navigation, theme, key, help, and the view that is open.
import { html, useEffect, useErrorBoundary, useRef, useState } from "../vendor/vendor.js";
import { Code } from "../wire/grpc-web.js";
import { Notice, question as asked } from "../parts/say.js";
import { useLazy } from "../parts/lazy.js";
import { Loading, ProblemBox } from "../parts/states.js";
import { key, declined, offerKey, question } from "./access.js";
import { useCollection, useCollections } from "./collections.js";
import { epoch, lost, tryAgain } from "./connection.js";
import { problemOf } from "./errors.js";
import { useShortcuts } from "./keyboard.js";
import { address, go, route } from "./router.js";
import { nextTheme, theme } from "./theme.js";
import { VIEWS, loadStyle } from "./views.js";

/** @typedef {import("./views.js").ViewEntry} ViewEntry */
/** @typedef {import("../vendor/vendor.js").VNode} VNode */

export function Shell() {
  const [listed, setListed] = useState(false);
  const { collection } = route.value;
  useShortcuts([
    { keys: "?", does: "This list", run: () => setListed(true) },
    { keys: "t", does: "Theme: system, light, dark", run: nextTheme },
    { keys: "g c", does: "Go to the collections", run: () => go(address({})) },
    { keys: "g h", does: "Go to the guide", run: () => go(address({ view: "guide", rest: "concepts" })) },
    ...(collection === "" ? [] : VIEWS.filter((view) => view.key !== "").map((view) => ({
      keys: `g ${view.key}`,
      does: `Go to ${view.title}`,
      run: () => go(address({ collection, view: view.name })),
    }))),
  ]);
  const list = useLazy(() => import("./shortcut-list.js"), listed);
  const confirmation = useLazy(() => import("../parts/confirmation.js"), asked.value !== undefined);
  const keyDialog = useLazy(() => import("./key-dialog.js"), question.value !== undefined);
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <${Bar} onHelp=${() => setListed(true)} />
    ${lost.value && html`<div class="banner" role="alert">The server does not answer. What is on the page stays;
      trying again… <button type="button" class="small" onClick=${tryAgain}>Try now</button></div>`}
    <main id="main" tabindex="-1"><${Place} /></main>
    <${Notice} />${confirmation !== undefined && html`<${confirmation.Confirmation} />`}
    ${keyDialog !== undefined && html`<${keyDialog.KeyDialog} />`}
    ${list !== undefined && html`<${list.ShortcutList} onClose=${() => setListed(false)} />`}`;
}

/** The address holds the state, so the browser's own jump to #main would lose it. @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** @param {{onHelp: () => void}} properties */
function Bar({ onHelp }) {
  const { collection, view } = route.value;
  const nav = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    // On a phone the list of views is wider than the screen.
    nav.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [view]);
  const shown = { system: "◐", light: "☀", dark: "☾" }[theme.value];
  return html`<header class="top">
    <a class="home" href="#/" title="Collections"><img src="/favicon.svg" alt="" width="18" height="18" /><span>LatentDB</span></a>
    <${Chooser} />
    <nav aria-label="Views" ref=${nav}>${collection !== "" && VIEWS.filter((entry) => entry.key !== "").map((entry) => html`
      <a key=${entry.name} href=${address({ collection, view: entry.name })} data-title=${entry.title}
        aria-current=${entry.name === view || (entry.name === "latents" && view === "latent") ? "page" : undefined}>${entry.title}</a>`)}
    </nav>
    <div class="tools">
      ${(key.value !== "" || declined.value) && html`<button type="button" class="quiet" title="Another key, or none" aria-label="Key"
        onClick=${() => offerKey().then((given) => { if (given) epoch.value += 1; })}>⚿</button>`}
      <a class="quiet" href=${address({ view: "guide", rest: "concepts" })} aria-current=${view === "guide" ? "page" : undefined}>Guide</a>
      <button type="button" class="quiet" title=${`Theme: ${theme.value}`} aria-label=${`Theme: ${theme.value}`}
        onClick=${nextTheme}>${shown}</button>
      <button type="button" class="quiet" title="Keyboard shortcuts" aria-label="Keyboard shortcuts" onClick=${onHelp}>?</button>
    </div>
  </header>`;
}

/** The collections, and through which SAE one is read; listed again when one is chosen, for others make them too. */
function Chooser() {
  const { collection, view } = route.value;
  const listed = useCollections();
  const names = (listed.value ?? []).flatMap((entry) => [
    entry.name,
    ...entry.saes.filter((sae) => sae.name !== "").map((sae) => `${entry.name}:${sae.name}`),
  ]);
  // One that is not listed is shown all the same: the address says it.
  if (collection !== "" && !names.includes(collection)) names.unshift(collection);
  /** @param {Event} event */
  const choose = (event) => {
    const chosen = /** @type {HTMLSelectElement} */ (event.target).value;
    const kept = VIEWS.some((entry) => entry.name === view && entry.key !== "") ? view : "search";
    go(address(chosen === "" ? {} : { collection: chosen, view: kept }));
  };
  return html`<select class="chooser" aria-label="Collection" value=${collection} onChange=${choose}
    onFocus=${listed.reload} onPointerEnter=${listed.reload}>
    <option value="">${collection === "" ? "Choose a collection" : "All collections"}</option>
    ${names.map((name) => html`<option key=${name} value=${name} selected=${name === collection}>${name}</option>`)}
  </select>`;
}

/** Fetches the view of the address and shows it; a view that throws leaves the frame standing. */
function Place() {
  const { collection, view } = route.value;
  const entry = VIEWS.find((known) => known.name === view);
  const [opened, setOpened] = useState(/** @type {{entry: ViewEntry, View: () => VNode} | undefined} */ (undefined));
  const [failure, setFailure] = useState(/** @type {unknown} */ (undefined));
  const now = epoch.value;
  useEffect(() => {
    document.title = [entry?.title, collection, "LatentDB"].filter((part) => part).join(" · ");
    setFailure(undefined);
    if (entry === undefined || opened?.entry === entry) return undefined;
    let wanted = true;
    Promise.all([entry.load(), ...entry.styles.map(loadStyle)]).then(
      ([module]) => { if (wanted) setOpened({ entry, View: module.View }); },
      (error) => { if (wanted) setFailure(error); },
    );
    return () => { wanted = false; };
  }, [view, collection, now]);

  if (entry === undefined) {
    return html`<div class="view"><div class="problem" role="alert"><p>There is no view “${view}”.
      <a href=${address({ collection })}>Go to the search</a></p></div></div>`;
  }
  if (failure !== undefined) return html`<div class="view"><${ProblemBox} problem=${problemOf(failure)} /></div>`;
  if (opened?.entry !== entry) return html`<div class="view"><${Loading} lines=${8} /></div>`;
  // Views of another collection start over.
  if (collection !== "") return html`<${InCollection} key=${`${view} ${collection}`} collection=${collection} View=${opened.View} />`;
  return html`<${Guarded} key=${`${view} ${collection}`} View=${opened.View} />`;
}

/** A view of a collection that is there. @param {{collection: string, View: () => VNode}} properties */
function InCollection({ collection, View }) {
  const record = useCollection(collection);
  if (record.problem?.code === Code.NotFound) {
    return html`<div class="view"><${ProblemBox} problem=${record.problem} retry=${record.reload} /><p><a
      href=${address({})}>The collections there are</a></p></div>`;
  }
  return html`<${Guarded} View=${View} />`;
}

/** @param {{View: () => VNode}} properties */
function Guarded({ View }) {
  const [error, again] = useErrorBoundary((thrown) => console.error(thrown));
  if (error !== undefined) {
    return html`<div class="view"><div class="problem" role="alert">
      <p><strong>The page made a mistake.</strong> ${String(error)}</p>
      <button type="button" class="small" onClick=${again}>Show it again</button></div></div>`;
  }
  return html`<${View} />`;
}
