// Which connections there are, and since when one is lost. What hangs on a lost one is shown in grey.

import { now } from "./clock.js";

const states = new Map(); // by name: {state, since}
const listeners = new Set();

/**
 * Reports a connection as "connecting" (nothing is known yet), "live" or "lost" (what is shown was true at the time `since`).
 */
export function report(name, state, since = now()) {
  const old = states.get(name);
  if (old?.state === state) return;
  states.set(name, { state, since });
  tellAll();
}

/** Forgets all connections: nobody is logged in. */
export function forgetConnections() {
  states.clear();
  tellAll();
}

/** Forgets one: it is not wanted any more. */
export function forgetConnection(name) {
  if (states.delete(name)) tellAll();
}

function tellAll() {
  document.documentElement.dataset.lost = lostConnections().map(([name]) => name).join(" ");
  for (const listener of listeners) listener();
}

/** Calls a function when a state changes. */
export function onConnectionChange(fn) {
  listeners.add(fn);
}

/** The state of a connection. */
export const stateOf = (name) => states.get(name)?.state;

/** Whether a connection is lost. */
export const isLost = (name) => stateOf(name) === "lost";

/** Those that are lost, as [name, since], the one lost first before the others. */
export function lostConnections() {
  return [...states].filter(([, { state }]) => state === "lost").map(([name, { since }]) => [name, since])
    .sort((x, y) => x[1] - y[1]);
}
