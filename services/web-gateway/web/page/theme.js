// Light or dark: as the system has it, unless somebody chose.

import { store, stored } from "./memory.js";

/** The choices, in the order in which the button goes through them. */
export const themes = ["system", "light", "dark"];

/** What is chosen. */
export const currentTheme = () => (themes.includes(stored("theme")) ? stored("theme") : "system");

/** Chooses a theme. */
export function setTheme(theme) {
  store("theme", theme === "system" ? null : theme);
  applyTheme();
}

/** Makes the page look as was chosen. */
export function applyTheme() {
  document.documentElement.dataset.theme = currentTheme();
}
