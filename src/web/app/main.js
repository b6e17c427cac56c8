// Begins the page.
import { html, render } from "../vendor/vendor.js";
import { startKeyboard } from "./keyboard.js";
import { startRouter } from "./router.js";
import { Shell } from "./shell.js";

startRouter();
startKeyboard();
const place = /** @type {HTMLElement} */ (document.getElementById("page"));
place.replaceChildren();
render(html`<${Shell} />`, place);
