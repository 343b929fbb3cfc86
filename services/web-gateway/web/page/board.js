// What the wallboard knows of the tenant: agents, calls, missed calls and the figures of today, kept current by the gateway.

import { noticeOf } from "./notices.js";
import { followStream } from "./stream.js";

const tables = { agent: "agents", call: "calls", missedCall: "missedCalls" };

/** Everything the board shows. Rows are replaced, never changed. It tells of changes by the event "change". */
export class Board extends EventTarget {
  constructor() {
    super();
    this.clear();
  }

  clear() {
    this.known = false; // before the first snapshot, nothing is: not even that there is none
    this.agents = new Map();
    this.calls = new Map();
    this.missedCalls = new Map();
    this.statistics = null;
  }

  start() {
    this.stop();
    this.leave = followStream({
      name: "board",
      pathOf: () => "/api/v1/board",
      onEvent: (name, data) => this.apply(name, data),
      onRefusal: noticeOf,
    });
  }

  stop() {
    this.leave?.();
    this.leave = null;
    this.clear();
  }

  apply(name, data) {
    if (name === "snapshot") {
      for (const list of Object.values(tables)) this[list] = replaced(this[list], data[list]);
      this.statistics = data.statistics;
      this.known = true;
    } else if (name === "statistics") {
      this.statistics = data;
    } else if (name in tables) {
      if (data.gone) this[tables[name]].delete(data.id);
      else this[tables[name]].set(data.id, data);
    }
    this.tell();
  }

  tell() {
    if (this.telling) return;
    this.telling = true;
    queueMicrotask(() => {
      this.telling = false;
      this.dispatchEvent(new Event("change"));
    });
  }

  /** The agent who has an extension. */
  agentAt(extension) {
    return [...this.agents.values()].find((agent) => agent.extensions?.includes(extension));
  }
}

// Rows that are the same stay the same object, so that nothing is drawn anew after a reconnect.
function replaced(old, rows) {
  return new Map(rows.map((row) => {
    const before = old.get(row.id);
    return [row.id, before && JSON.stringify(before) === JSON.stringify(row) ? before : row];
  }));
}
