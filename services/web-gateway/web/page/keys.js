// Shortcuts of single keys. They can be turned off, as speech input types letters too.

import { store, stored } from "./memory.js";

let ofPage = {};
let ofView = {};

/** Whether they are on. */
export const shortcutsAreOn = () => stored("shortcuts") !== "off";

/** Turns them on or off. */
export const turnShortcuts = (on) => store("shortcuts", on ? null : "off");

/** Sets those that work everywhere: functions by key. */
export function setPageShortcuts(shortcuts) {
  ofPage = shortcuts;
}

/** Sets those of the view that is shown. */
export function setViewShortcuts(shortcuts) {
  ofView = shortcuts;
}

/** Begins to listen. */
export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.repeat && event.key.length > 1) return;
    if (document.querySelector("dialog[open]") || isTyping(event.target) || !shortcutsAreOn()) return;
    const shortcut = ofView[event.key] ?? ofPage[event.key];
    if (!shortcut) return;
    event.preventDefault();
    shortcut();
  });
}

function isTyping(element) {
  return element.matches("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
}
