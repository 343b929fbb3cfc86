// Live events, for whoever connects an exchange: what arrived, what became of it, and what waits in the quarantine.

import { fill, h, setText, showRows } from "./dom.js";
import { icon } from "./icons.js";
import { ask } from "./api.js";
import { millisOf } from "./clock.js";
import { formatMoment, formatTime, t } from "./language.js";
import { noticeOf } from "./notices.js";
import { followStream } from "./stream.js";

const kept = 1000;
const shownAtMost = 300;
const drawEvery = 200;
const fields = ["entity", "vendor", "exchange"];

export default {
  name: "events", icon: "events", source: "events", right: "events",
  keys: [["/", "help.filter"], ["p", "events.pause"]],
  open: (main, page, argument) => new Events(main, argument),
};

class Events {
  constructor(main, argument) {
    Object.assign(this, { all: [], held: null, last: 0, seen: {}, timer: null, expanded: new Set(), quarantined: [] });
    this.text = h("input", { type: "search", "aria-label": t("events.filter"), placeholder: t("events.filter"), oninput: () => this.draw() });
    this.choices = Object.fromEntries(fields.map((field) => [field, h("select", { "aria-label": t(`events.${field}`), onchange: () => this.draw() },
      h("option", { value: "" }, t(`events.any.${field}`)))]));
    this.pauseButton = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.pause() });
    this.count = h("span.count");
    this.list = h("ol.eventlist");
    this.empty = h("p.empty", icon("events"), h("span", t("events.none")));
    this.reload = h("button", { type: "button", onclick: () => this.loadQuarantine() }, icon("reload"), t("events.reload"));
    this.waiting = h("ol.eventlist.quarantined");
    this.fine = h("p.empty");
    this.tabs = ["stream", "quarantine"].map((name) => h("a", { href: name === "stream" ? "#events" : "#events/quarantine" },
      icon(name === "stream" ? "events" : "quarantine"), t(`events.${name}`)));
    this.panes = [
      h("section", { "data-source": "events", "aria-label": t("events.stream") },
        h("div.filters", this.text, Object.values(this.choices), this.pauseButton, this.count), this.list, this.empty),
      h("section", { "aria-label": t("events.quarantine") },
        h("div.filters", h("p.hint", t("events.quarantineHint")), this.reload), this.waiting, this.fine),
    ];
    fill(main, h("div.eventsview", h("header.title", h("h1", t("view.events")), h("nav.tabs", { "aria-label": t("view.events") }, this.tabs)), this.panes));
    this.shortcuts = { "/": () => this.text.focus(), p: () => this.pause() };
    this.showPause();
    this.navigate(argument);
    this.leave = followStream({
      name: "events",
      pathOf: () => `/api/v1/events?since=${this.last}`,
      onEvent: (name, data) => this.take(name, data),
      onRefusal: noticeOf,
    });
    this.draw();
  }

  close() {
    this.leave();
    clearTimeout(this.timer);
  }

  navigate(argument) {
    const chosen = argument === "quarantine" ? 1 : 0;
    this.panes.forEach((pane, i) => { pane.hidden = i !== chosen; });
    this.tabs.forEach((tab, i) => (i === chosen ? tab.setAttribute("aria-current", "true") : tab.removeAttribute("aria-current")));
    if (chosen) this.loadQuarantine();
  }

  take(name, data) {
    if (name === "gap") {
      if (this.last > 0) this.add({ seq: `gap ${this.last}`, gap: true });
      return;
    }
    if (name !== "message" || data.seq <= this.last || !data.event) return;
    this.last = data.seq;
    this.add(rowOf(data));
  }

  add(row) {
    (this.held ?? this.all).push(row);
    if (this.all.length > kept) this.all.splice(0, this.all.length - kept);
    if (this.held?.length > kept) this.held.splice(0, this.held.length - kept);
    this.timer ??= setTimeout(() => this.draw(), drawEvery);
  }

  pause() {
    if (this.held) {
      this.all = [...this.all, ...this.held].slice(-kept);
      this.held = null;
    } else {
      this.held = [];
    }
    this.draw();
  }

  showPause() {
    this.pauseButton.setAttribute("aria-pressed", String(Boolean(this.held)));
    fill(this.pauseButton, icon(this.held ? "play" : "pause"), t(this.held ? "events.resume" : "events.pause"),
      this.held?.length ? h("b.badge", t("events.held", { n: this.held.length })) : null);
  }

  draw() {
    clearTimeout(this.timer);
    this.timer = null;
    this.showPause();
    this.showChoices();
    const words = this.text.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (row) => row.gap || (fields.every((field) => !this.choices[field].value || this.choices[field].value === row[field]) &&
      words.every((word) => row.text.includes(word)));
    const matches = this.all.filter(fits);
    const rows = matches.slice(-shownAtMost).reverse();
    showRows(this.list, rows, (row) => row.seq, (row) => this.element(row));
    this.empty.hidden = rows.length > 0;
    setText(this.count, t("events.count", { n: matches.filter((row) => !row.gap).length }));
  }

  showChoices() {
    for (const field of fields) {
      const seen = (this.seen[field] ??= new Set());
      for (const row of this.all) {
        if (row.gap || !row[field] || seen.has(row[field])) continue;
        seen.add(row[field]);
        this.choices[field].append(h("option", { value: row[field] }, row[field]));
      }
    }
  }

  element(row) {
    if (row.gap) return h("li.gap", t("events.gap"));
    const { event } = row;
    const body = h("div.body");
    return h("li", h("details", { ontoggle: (e) => e.target.open && !body.firstChild && fill(body, this.json(row)) },
      h("summary", icon("chevron"),
        h("time", { datetime: event.receivedAt, title: event.receivedAt }, formatTime(millisOf(event.receivedAt))),
        h("span.kind", { "data-entity": row.entity }, `${row.entity}.${row.kind}`),
        h("span.from", [event.vendor, event.exchange].filter(Boolean).join(" / ")),
        h("span.vendorEvent", event.vendorEvent ?? ""),
        h("span.summary", row.summary),
        h("span.seq", String(row.seq))),
      body));
  }

  json(row) {
    const key = row.key;
    const only = key && h("button", { type: "button", onclick: () => {
      this.text.value = key;
      this.draw();
    } }, icon("incoming"), t("events.sameCall"));
    return [h("p.subject", h("code", row.subject), only), h("pre", { tabindex: "0" }, JSON.stringify(row.event, null, 2))];
  }

  async loadQuarantine() {
    this.reload.disabled = true;
    fill(this.fine, t("loading"));
    try {
      const { quarantined = [] } = await ask("GET", "/api/v1/quarantine");
      this.quarantined = quarantined.reverse();
      fill(this.fine, icon("available"), h("span", t("events.quarantineEmpty")));
      this.fine.hidden = quarantined.length > 0;
      showRows(this.waiting, this.quarantined, (row) => row.seq, quarantineRow);
    } catch (error) {
      fill(this.fine, t("events.quarantineUnknown"));
      this.fine.hidden = false;
      showRows(this.waiting, [], (row) => row.seq, quarantineRow);
      noticeOf(error);
    }
    this.reload.disabled = false;
  }
}

function rowOf({ seq, subject, event }) {
  const [, , , , entity = "", kind = ""] = subject.split(".");
  const payload = event.call ?? event.agent ?? event.contact ?? event.missedCall ?? event.command ?? {};
  return {
    seq, subject, event, entity, kind, vendor: event.vendor ?? "", exchange: event.exchange ?? "",
    key: payload.key ?? payload.callKey ?? payload.callKeys?.[0] ?? "",
    summary: summaryOf(event), text: `${seq} ${subject} ${JSON.stringify(event)}`.toLowerCase(),
  };
}

const numberOf = (party) => party?.e164 || party?.number || "";

function summaryOf({ call, agent, contact, missedCall, command }) {
  const arrow = (from, to) => [from, to].filter(Boolean).join(" → ");
  if (call) return [arrow(numberOf(call.from), numberOf(call.to)), call.extension && `#${call.extension}`, call.queue, call.cause].filter(Boolean).join(" · ");
  if (agent) return [agent.user?.login || agent.user?.email || agent.extension, arrow(agent.previousState, agent.state), agent.queue, agent.pauseReason].filter(Boolean).join(" · ");
  if (contact) return [numberOf(contact.party), contact.match?.name, contact.match?.organisation, contact.match?.directory].filter(Boolean).join(" · ");
  if (missedCall) return [numberOf(missedCall.from), missedCall.contact?.name, missedCall.queue, missedCall.reason, missedCall.resolution].filter(Boolean).join(" · ");
  if (command) return [command.action, arrow(command.extension, numberOf(command.to)), command.outcome, command.reason].filter(Boolean).join(" · ");
  return "";
}

function quarantineRow({ seq, at, quarantined }) {
  const what = quarantined.request ? `${quarantined.request.method ?? ""} ${quarantined.request.path ?? ""}` :
    quarantined.message?.subject ?? quarantined.alert?.receiver ?? "";
  return h("li", h("details",
    h("summary", icon("chevron"), h("time", { datetime: at }, formatMoment(millisOf(at))), h("span.from", [quarantined.vendor, quarantined.exchange].filter(Boolean).join(" / ")),
      h("span.kind", quarantined.service ?? ""), h("span.summary", quarantined.error), h("span.what", what), h("span.seq", String(seq))),
    h("div.body", h("p.subject", h("code", `pbxctl quarantine show ${quarantined.id ?? seq}`)), h("pre", { tabindex: "0" }, JSON.stringify(quarantined, null, 2)))));
}
