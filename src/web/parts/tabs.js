// Parts of a view that have an address each.
import { html } from "../vendor/vendor.js";

/**
 * @param {{label: string, of: {title: string, href: string, open: boolean}[]}} properties
 */
export function Tabs({ label, of }) {
  return html`<nav class="tabs" aria-label=${label}>${of.map(({ title, href, open }) => html`
    <a key=${title} href=${href} data-title=${title} aria-current=${open ? "page" : undefined}>${title}</a>`)}</nav>`;
}
