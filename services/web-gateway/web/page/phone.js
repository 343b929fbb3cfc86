// The calls of the person who is logged in, told by the SDK.

import Switchhook from "/sdk/switchhook.js";
import { accessToken } from "./api.js";
import { millisOf, now } from "./clock.js";
import { forgetConnection, report, stateOf } from "./connections.js";
import { t } from "./language.js";
import { announce, notice } from "./notices.js";
import { groupNumber } from "./numbers.js";
import { stored } from "./memory.js";

const lingers = 8_000; // how long a call that is over stays with those that go on
const recentKept = 30;
const recentName = "switchhook.recent";

// Close codes of the socket.
const tokenRefused = 4401;
const noSuch = [4403, 4404]; // it may not have calls, or nobody has the identity
const planned = [1001, tokenRefused, 4429]; // it comes back at once
const handover = 2_000; // how long that may take, in milliseconds

const isOutgoing = (frame) => frame.direction.startsWith("outgoing");

/**
 * Calls as {id, frame, outgoing, number, contact, phase, since, answered, over}: phase is "ringing", "talking" or "over", and over the
 * last frame. A call is replaced when it changes, never changed. Tells of changes by the event "change".
 */
export class Phone extends EventTarget {
  constructor() {
    super();
    this.wanted = false;
    this.reset();
  }

  reset() {
    clearTimeout(this.losing);
    this.losing = null;
    this.refused = false; // the last token was
    this.problem = null; // why there are no calls to be told of
    this.lines = [];
    this.mayCall = false;
    this.current = new Map();
    this.consulting = new Set(); // calls of which an attended transfer was begun
    this.recent = readRecent();
  }

  /** Begins to follow the calls of whoever /api/v1/me says. */
  start(me) {
    this.stop();
    this.wanted = true;
    this.lines = me.lines;
    this.mayCall = me.rights.includes("commands");
    report("phone", "connecting");
    const sdk = this.sdk = new Switchhook({
      token: () => accessToken(this.refused), identityType: me.identity.type, identityValue: me.identity.value,
      scope: me.tenant,
    });
    for (const event of ["Ringing", "Answered", "Hangup"]) sdk.on(event, (frame) => this.take(frame));
    sdk.on("Contact", ({ uniqueId, contact }) => this.learn(uniqueId, contact));
    sdk.on("snapshot", () => this.compare());
    sdk.on("connected", () => this.connected());
    sdk.on("disconnected", (why) => this.disconnected(why));
    sdk.on("error", (error) => error.code && this.disconnected(error));
    sdk.pop((frame) => this.notify(frame));
  }

  stop() {
    this.sdk?.close();
    this.sdk = null;
    this.wanted = false;
    forgetConnection("phone");
    this.reset();
  }

  connected() {
    clearTimeout(this.losing);
    this.losing = null;
    this.refused = false;
    this.problem = null;
    report("phone", "live");
    this.tell();
  }

  disconnected({ code }) {
    if (!this.sdk) return;
    this.refused = code === tokenRefused;
    if (noSuch.includes(code)) {
      this.problem = "noLine";
      forgetConnection("phone");
    } else if (!this.problem && stateOf("phone") !== "lost") {
      const since = now();
      this.losing ??= setTimeout(() => report("phone", "lost", since), planned.includes(code) ? handover : 0);
    }
    this.tell();
  }

  take(frame) {
    const old = this.current.get(frame.uniqueId);
    if (frame.event === "Hangup") {
      const elsewhere = this.sdk.calls.get(frame.uniqueId); // at another line of the same person
      if (elsewhere) this.take(elsewhere);
      else if (old && old.phase !== "over") this.finish(old, frame);
      return;
    }
    const phase = frame.event === "Ringing" ? "ringing" : "talking";
    const outgoing = isOutgoing(frame);
    const call = {
      id: frame.uniqueId, frame, outgoing, phase, since: millisOf(frame.time), answered: phase === "talking" || Boolean(old?.answered),
      number: outgoing ? frame.to : frame.from, contact: frame.contact ?? old?.contact ?? null, over: null,
    };
    if (old && sameToSee(old, call)) return;
    this.current.set(call.id, call);
    if (phase === "ringing" && !outgoing && old?.phase !== "ringing") announce(this.describe(call));
    this.tell();
  }

  learn(id, contact) {
    const call = this.current.get(id);
    if (!call || JSON.stringify(call.contact) === JSON.stringify(contact)) return;
    const better = { ...call, contact };
    this.current.set(id, better);
    if (better.phase === "ringing" && !better.outgoing) announce(this.describe(better));
    this.tell();
  }

  // What goes on, when it was not told step by step.
  compare() {
    const calls = this.sdk?.calls ?? new Map();
    for (const frame of calls.values()) this.take(frame);
    for (const call of this.current.values()) {
      if (call.phase !== "over" && !calls.has(call.id)) this.finish(call, { ...call.frame, time: new Date(now()).toISOString() });
    }
  }

  finish(call, frame) {
    const over = { ...call, phase: "over", over: frame, since: millisOf(frame.time), contact: frame.contact ?? call.contact };
    this.current.set(call.id, over);
    this.consulting.delete(call.id);
    this.remember(over);
    setTimeout(() => {
      if (this.current.get(call.id) !== over) return;
      this.current.delete(call.id);
      this.tell();
    }, lingers);
    if (frame.closedBy) announce(t("call.closedBy", { who: whoClosed(frame) }));
    this.tell();
  }

  remember(call) {
    const began = this.recent.find((other) => other.id === call.id)?.at ?? millisOf(call.frame.time);
    const entry = {
      id: call.id, at: began, outgoing: call.outgoing, number: call.number, name: call.contact?.name ?? "",
      organisation: call.contact?.organisation ?? "", queue: call.frame.queue, answered: call.answered,
      closedBy: call.over.closedBy ? whoClosed(call.over) : "",
    };
    this.recent = [entry, ...this.recent.filter((other) => other.id !== call.id)].slice(0, recentKept);
    try {
      sessionStorage.setItem(recentName, JSON.stringify(this.recent));
    } catch {
      // Then they are known until the page is reloaded.
    }
  }

  /** Calls that ring here, incoming ones only. */
  ringing() {
    return [...this.current.values()].filter((call) => call.phase === "ringing" && !call.outgoing);
  }

  /** Who a call is with, in a few words. */
  nameOf(call) {
    return call.contact?.name || (call.number ? groupNumber(call.number) : t("number.withheld"));
  }

  describe(call) {
    const parts = [call.contact?.name, call.contact?.organisation, call.number ? groupNumber(call.number) : t("number.withheld")];
    const text = t("call.rings", { who: parts.filter(Boolean).join(", ") });
    return call.frame.queue ? `${text}. ${t("call.queue", { queue: call.frame.queue })}` : text;
  }

  // The SDK calls it in one tab of all.
  notify(frame) {
    if (isOutgoing(frame) || stored("notify") !== "yes" || !document.hidden) return;
    if (!("Notification" in window) || Notification.permission !== "granted") return;
    const call = this.current.get(frame.uniqueId) ?? { frame, number: frame.from, contact: frame.contact };
    const shown = new Notification(this.nameOf(call), { body: this.describe(call), tag: frame.uniqueId, icon: "/page/icon.svg" });
    shown.onclick = () => {
      window.focus();
      location.hash = "calls";
      shown.close();
    };
  }

  /** Calls a number from the person's phone. Returns whether the exchange does. */
  call(to) {
    return this.act(() => this.sdk.originate({ to }), t("call.dialing", { number: groupNumber(to) }));
  }

  hangUp(call) {
    return this.act(() => this.sdk.hangupcall({ uniqueid: call.id }));
  }

  async transfer(call, to, type) {
    const done = await this.act(() => this.sdk.transfer(to ? { to, type } : { type }), t(`transfer.told.${type}`, { to }));
    if (done && type === "attended") this.consulting.add(call.id);
    if (done && type !== "attended") this.consulting.delete(call.id);
    const known = this.current.get(call.id);
    if (known) this.current.set(call.id, { ...known });
    this.tell();
    return done;
  }

  /** Whether there is a line to call from; if not, a notice says so. */
  isReady() {
    if (this.sdk && !this.problem) return true;
    notice(t("call.noLine"), "error");
    return false;
  }

  async act(send, told) {
    if (!this.isReady()) return false;
    try {
      await send();
      if (told) notice(told);
      return true;
    } catch ({ result = "failed", reason = "" }) {
      notice(t(`command.${result}`, { reason }), "error");
      return false;
    }
  }

  tell() {
    this.dispatchEvent(new Event("change"));
  }
}

// A card that is the same stays as it is: somebody may be writing in it.
function sameToSee(old, call) {
  const seen = ({ phase, since, number, contact, frame }) => JSON.stringify([phase, since, number, contact, frame.line, frame.queue, frame.to]);
  return seen(old) === seen(call);
}

const whoClosed = ({ closedBy }) => (closedBy.login ? `${closedBy.login} (${closedBy.line})` : closedBy.line);

function readRecent() {
  try {
    return JSON.parse(sessionStorage.getItem(recentName)) ?? [];
  } catch {
    return [];
  }
}
