// Server-sent events by fetch, which can send a header, as EventSource cannot. Reconnects by itself.

import { openStream, Problem } from "./api.js";
import { now } from "./clock.js";
import { forgetConnection, report } from "./connections.js";

const firstWait = 500;
const longestWait = 15_000;
const silence = 40_000; // heartbeats come each 15 s
const handover = 2_000; // how long a stream that the gateway ended in good order may take to come back

/**
 * Follows a stream until the returned function is called. pathOf() is asked for the path at each attempt; onEvent(name, data, id) gets
 * each event. An answer that will not change by waiting goes to onRefusal.
 */
export function followStream({ name, pathOf, onEvent, onRefusal = () => {} }) {
  const stream = new Stream(name, pathOf, onEvent, onRefusal);
  stream.run();
  return () => stream.stop();
}

class Stream {
  constructor(name, pathOf, onEvent, onRefusal) {
    Object.assign(this, { name, pathOf, onEvent, onRefusal, heard: now(), wait: firstWait, stopped: false });
    this.again = () => document.hidden || this.wake?.();
    addEventListener("online", this.again);
    document.addEventListener("visibilitychange", this.again);
    this.watch = setInterval(() => this.listen(), 1000);
    report(name, "connecting");
  }

  stop() {
    this.stopped = true;
    this.abort?.abort();
    this.wake?.();
    clearTimeout(this.losing);
    clearInterval(this.watch);
    removeEventListener("online", this.again);
    document.removeEventListener("visibilitychange", this.again);
    forgetConnection(this.name);
  }

  async run() {
    let fresh = false;
    while (!this.stopped) {
      let ended = false;
      try {
        ended = await this.read(fresh);
        fresh = false;
      } catch (problem) {
        if (this.stopped) return;
        fresh = problem.status === 401 && !fresh;
        if (this.isFinal(problem)) return;
      }
      if (this.stopped) return;
      this.lose(ended || fresh ? handover : 0);
      if (!ended && !fresh) await this.pause();
    }
  }

  isFinal(problem) {
    if (!(problem instanceof Problem) || problem.status !== 403) return false;
    this.stop();
    this.onRefusal(problem);
    return true;
  }

  // Returns whether the gateway said that it ends the stream.
  async read(fresh) {
    this.abort = new AbortController();
    this.since = Date.now();
    const body = await openStream(this.pathOf(), fresh, this.abort.signal);
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new Parser();
    let ended = false;
    for (;;) {
      const { value, done } = await reader.read();
      if (done || this.stopped) return ended;
      this.live();
      for (const { name, data, id } of parser.feed(value)) {
        if (name === "end") ended = true;
        else this.onEvent(name, JSON.parse(data), id);
      }
    }
  }

  // By the clock on the wall: a machine that slept knows at once that it heard nothing for hours.
  listen() {
    if (Date.now() - this.since > silence) this.abort?.abort();
  }

  live() {
    clearTimeout(this.losing);
    this.losing = null;
    this.heard = now();
    this.since = Date.now();
    this.wait = firstWait;
    report(this.name, "live");
  }

  lose(after) {
    const heard = this.heard;
    this.losing ??= setTimeout(() => report(this.name, "lost", heard), after);
  }

  pause() {
    const wait = this.wait * (0.5 + Math.random() / 2);
    this.wait = Math.min(longestWait, this.wait * 2);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Reads the format of server-sent events, in pieces that break anywhere. */
export class Parser {
  constructor() {
    this.rest = "";
  }

  /** Takes a piece of text, and returns the events that it completes. */
  feed(piece) {
    const blocks = (this.rest + piece).split(/\r?\n\r?\n/);
    this.rest = blocks.pop();
    return blocks.map(parseBlock).filter((event) => event.data !== "");
  }
}

function parseBlock(block) {
  const event = { name: "message", data: "", id: null };
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === "event") event.name = value;
    if (field === "id") event.id = value;
    if (field === "data") event.data += (event.data && "\n") + value;
  }
  return event;
}
