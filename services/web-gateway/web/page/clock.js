// Times as the contract writes them, and the texts that tick.

import { formatDuration, formatAgo } from "./language.js";

let skew = 0; // of this machine's clock, in milliseconds

/** Learns how late or early this machine's clock is, from what a server said the time is: whole seconds. */
export function compareWithServer(date) {
  const server = Date.parse(date) + 500;
  if (Number.isNaN(server)) return;
  const difference = server - Date.now();
  skew = Math.abs(difference) < 2000 ? 0 : difference;
}

/** The time at the server, in milliseconds. */
export const now = () => Date.now() + skew;

/** A timestamp such as 2026-01-31T08:00:00.5Z in milliseconds; NaN for none. */
export const millisOf = (timestamp) => Date.parse(timestamp ?? "");

/** A duration such as "12.5s" in seconds; 0 for none. */
export const secondsOf = (duration) => Number.parseFloat(duration ?? "0") || 0;

const tickers = {
  for: (since) => formatDuration(Math.max(0, now() - since) / 1000),
  ago: (since) => formatAgo(Math.max(0, now() - since) / 1000),
};

/** Makes an element tick: how long something has lasted ("for") or how long ago it was ("ago"). */
export function tick(element, kind, since) {
  if (Number.isNaN(since)) {
    element.textContent = "–";
    return element;
  }
  element.dataset.tick = kind;
  element.dataset.since = since;
  element.setAttribute("datetime", new Date(since).toISOString());
  element.textContent = tickers[kind](since);
  return element;
}

/** Marks an element as late from a time on. */
export function markLate(element, from) {
  element.dataset.late = from;
  element.classList.toggle("late", now() > from);
  return element;
}

/** Sets every text that ticks, and marks what has become late. What hangs on a lost connection stands still: nobody knows whether it goes on. */
export function tickAll(isLost) {
  const isStill = (element) => isLost(element.closest("[data-source]")?.dataset.source);
  for (const element of document.querySelectorAll("[data-tick]")) {
    if (isStill(element)) continue;
    const text = tickers[element.dataset.tick](Number(element.dataset.since));
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of document.querySelectorAll("[data-late]")) {
    if (!isStill(element)) markLate(element, Number(element.dataset.late));
  }
}
