// Light or dark: the system's choice unless the person made one.
import { signal } from "../vendor/vendor.js";

/** @typedef {"system" | "light" | "dark"} Theme */

const STORED = "latentdb.theme";

/** @returns {Theme} */
function current() {
  const theme = document.documentElement.dataset.theme;
  return theme === "light" || theme === "dark" ? theme : "system";
}

/** The theme in use. */
export const theme = signal(current());

/** Whether the page is dark now; charts that paint on a canvas ask. */
export function isDark() {
  if (theme.value !== "system") return theme.value === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

/** The next of system, light, dark. */
export function nextTheme() {
  /** @type {Record<Theme, Theme>} */
  const next = { system: "light", light: "dark", dark: "system" };
  const chosen = next[theme.value];
  theme.value = chosen;
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  try {
    if (chosen === "system") localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, chosen);
  } catch {
    // It holds until the page is closed.
  }
}
