// Missed calls: open ones, with what can be done about them, and resolved ones on demand.

import { fill, h, setText, showRows } from "./dom.js";
import { icon } from "./icons.js";
import { ask } from "./api.js";
import { millisOf, secondsOf, tick } from "./clock.js";
import { formatDuration, formatMoment, t } from "./language.js";
import { notice, noticeOf } from "./notices.js";
import { dialable, showParty, userName, webLink } from "./numbers.js";

export default {
  name: "missed", icon: "missed", source: "board", right: "wallboard",
  keys: [["j k", "help.move"], ["Enter", "help.expand"], ["b", "missed.callBack"], ["c", "help.claim"], ["r", "missed.resolve"], ["/", "help.filter"]],
  open: (main, page, argument) => new MissedCalls(main, page, argument),
};

class MissedCalls {
  constructor(main, page, chosen) {
    Object.assign(this, { page, chosen, rows: new Map(), busy: new Set(), resolved: null });
    this.queue = h("select", { onchange: () => this.draw() });
    this.text = h("input", { type: "search", "aria-label": t("missed.filter"), placeholder: t("missed.filter"), oninput: () => this.draw() });
    this.list = h("ul.missedlist");
    this.empty = h("p.empty");
    this.count = h("span.count");
    this.more = h("button", { type: "button", "aria-expanded": "false", onclick: () => this.toggleResolved() }, t("missed.showResolved"));
    this.old = h("ul.missedlist.resolved");
    fill(main, h("div.missedview", { "data-source": "board" },
      h("header.title", h("h1", t("view.missed")), this.count,
        h("div.filters", h("label", h("span.unseen", t("missed.queue")), this.queue), this.text)),
      h("section", { "aria-label": t("missed.open") }, columns(), this.list, this.empty),
      h("section", { "aria-label": t("missed.resolved") }, h("div.more", this.more), this.old)));
    this.onChange = () => this.draw();
    page.board.addEventListener("change", this.onChange);
    this.shortcuts = {
      j: () => this.move(1), k: () => this.move(-1), ArrowDown: () => this.move(1), ArrowUp: () => this.move(-1),
      b: () => this.press("callBack"), c: () => this.press("claim") || this.press("release"), r: () => this.press("resolve"),
      "/": () => this.text.focus(),
    };
    this.draw();
    this.reveal();
  }

  close() {
    this.page.board.removeEventListener("change", this.onChange);
    document.querySelector("dialog.resolve")?.remove();
  }

  navigate(chosen) {
    this.chosen = chosen;
    this.draw();
    this.reveal();
  }

  reveal() {
    this.list.querySelector("li.chosen")?.scrollIntoView({ block: "nearest" });
  }

  draw() {
    const { board } = this.page;
    const calls = [...board.missedCalls.values()].sort((x, y) => millisOf(x.openedAt) - millisOf(y.openedAt));
    this.showQueues(calls);
    const shown = calls.filter((call) => this.matches(call));
    showRows(this.list, shown.map((call) => this.rowOf(call)), ({ call }) => call.id, (row) => this.element(row));
    this.empty.hidden = shown.length > 0;
    fill(this.empty, icon(board.known ? "available" : "waiting"),
      h("span", t(!board.known ? "loading" : calls.length ? "missed.noneMatch" : "missed.none")));
    setText(this.count, board.known ? t("missed.count", { n: calls.length }) : "");
    if (this.resolved) showRows(this.old, this.resolved, (call) => call.id, resolvedRow);
    // Who is resolved leaves the open ones: then the others are to be asked for anew.
    if (this.resolved && this.known && this.known.some((id) => !board.missedCalls.has(id))) this.loadResolved();
    this.known = [...board.missedCalls.keys()];
  }

  showQueues(calls) {
    const queues = [...new Set(calls.map((call) => call.queue).filter(Boolean))].sort();
    if (this.queues?.join("\n") === queues.join("\n")) return;
    this.queues = queues;
    const chosen = this.queue.value;
    fill(this.queue, h("option", { value: "" }, t("missed.allQueues")), queues.map((queue) => h("option", { value: queue, selected: queue === chosen }, queue)));
  }

  matches(call) {
    if (this.queue.value && call.queue !== this.queue.value) return false;
    const { from, contact, note, claimedBy } = call;
    const text = [from?.number, from?.e164, contact?.name, contact?.organisation, note, userName(claimedBy), call.queue].join(" ").toLowerCase();
    return text.includes(this.text.value.trim().toLowerCase());
  }

  // The same object as long as nothing that is shown of it changes.
  rowOf(call) {
    const row = { call, chosen: call.id === this.chosen, busy: this.busy.has(call.id) };
    const old = this.rows.get(call.id);
    if (old && old.call === call && old.chosen === row.chosen && old.busy === row.busy) return old;
    this.rows.set(call.id, row);
    return row;
  }

  isMine({ claimedBy }) {
    const { me } = this.page;
    const names = [me.login, me.email, me.identity.value].filter(Boolean).map((name) => name.toLowerCase());
    return [claimedBy?.login, claimedBy?.email].some((name) => name && names.includes(name.toLowerCase()));
  }

  element({ call, chosen, busy }) {
    const claimed = call.claimedBy ? (this.isMine(call) ? "mine" : "others") : "";
    return h("li", { class: [chosen && "chosen", claimed].filter(Boolean).join(" "), tabindex: "-1", "data-missed": call.id },
      caller(call, chosen),
      h("div.queue", call.queue || "–"),
      h("div.when", h("span", { title: formatMoment(millisOf(call.openedAt)) }, tick(h("time"), "ago", millisOf(call.openedAt))),
        call.attempts > 1 && h("small", t("missed.lastOne"), " ", tick(h("time"), "ago", millisOf(call.missedAt))),
        h("small", t(`reason.${call.reason ?? "REASON_UNSPECIFIED"}`))),
      h("div.often", h("b", { class: call.attempts > 1 ? "again" : "" }, `${call.attempts}×`),
        h("small", t("missed.today", { n: call.attemptsToday ?? call.attempts }))),
      h("div.claimed", claimed === "mine" ? h("b", t("missed.mine")) : call.claimedBy ? [icon("person"), userName(call.claimedBy)] : h("span.nobody", t("missed.nobody"))),
      h("div.actions", this.actions(call, claimed, busy)),
      chosen && details(call));
  }

  actions(call, claimed, busy) {
    const others = claimed === "others";
    const button = (act, look, name, text, run, disabled) =>
      h(`button${look}`, { type: "button", "data-act": act, disabled: busy || disabled, onclick: run, title: others ? t("missed.taken", { who: userName(call.claimedBy) }) : null },
        icon(name), text);
    const number = dialable(call.from);
    return [
      this.page.phone.mayCall && button("callBack", ".callBack", "phone", t("missed.callBack"), () => this.callBack(call, claimed), others || !number),
      claimed === "mine" ? button("release", "", "release", t("missed.release"), () => this.act(call, "release")) :
        button("claim", "", "claim", t("missed.claim"), () => this.act(call, "claim"), others),
      button("resolve", "", "resolve", t("missed.resolve"), () => this.askNote(call), others),
    ];
  }

  // Whoever calls back says so first, or two would.
  async callBack(call, claimed) {
    if (!this.page.phone.isReady()) return;
    if (claimed !== "mine" && !(await this.act(call, "claim"))) return;
    await this.page.phone.call(dialable(call.from));
  }

  async act(call, action, note) {
    this.busy.add(call.id);
    this.draw();
    try {
      const after = await ask("POST", `/api/v1/missed-calls/${encodeURIComponent(call.id)}/${action}`, note ? { note } : {});
      this.page.board.apply("missedCall", after.resolvedAt ? { id: call.id, gone: true } : after);
      if (action === "resolve") notice(t("missed.done", { who: call.contact?.name ?? showParty(call.from) }));
      return true;
    } catch (error) {
      noticeOf(error);
      return false;
    } finally {
      this.busy.delete(call.id);
      this.draw();
    }
  }

  askNote(call) {
    const note = h("textarea", { name: "note", rows: 4, maxlength: 1300, value: call.note ?? "" });
    const dialog = h("dialog.panel.resolve", { "aria-labelledby": "resolve-title", onclose: () => {
      dialog.remove();
      if (dialog.returnValue === "resolve") this.act(call, "resolve", note.value.trim());
    } },
    h("form", { method: "dialog" },
      h("h2", { id: "resolve-title" }, t("missed.resolveTitle", { who: call.contact?.name ?? showParty(call.from) })),
      h("label.field", h("span", t("missed.note")), note),
      h("div.actions",
        h("button", { value: "cancel", formnovalidate: true }, t("dialog.cancel")),
        h("button.primary", { value: "resolve" }, icon("resolve"), t("missed.resolve")))));
    document.body.append(dialog);
    dialog.showModal();
    note.focus();
  }

  move(by) {
    const rows = [...this.list.children];
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by))];
    next.querySelector("a").focus();
    next.scrollIntoView({ block: "nearest" });
  }

  press(act) {
    const row = [...this.list.children].find((element) => element.contains(document.activeElement));
    const button = row?.querySelector(`[data-act="${act}"]:not(:disabled)`);
    button?.click();
    return Boolean(button);
  }

  toggleResolved() {
    const on = this.more.getAttribute("aria-expanded") !== "true";
    this.more.setAttribute("aria-expanded", String(on));
    setText(this.more, t(on ? "missed.hideResolved" : "missed.showResolved"));
    this.resolved = on ? [] : null;
    if (on) this.loadResolved();
    else showRows(this.old, [], (call) => call.id, resolvedRow);
  }

  async loadResolved() {
    try {
      const { missedCalls = [] } = await ask("GET", "/api/v1/missed-calls?resolved=true");
      if (!this.resolved) return;
      this.resolved = missedCalls.filter((call) => call.resolvedAt).sort((x, y) => millisOf(y.resolvedAt) - millisOf(x.resolvedAt)).slice(0, 200);
      this.draw();
    } catch (error) {
      noticeOf(error);
    }
  }
}

function columns() {
  return h("div.columns", { "aria-hidden": "true" }, ["who", "queue", "when", "often", "claimed"].map((name) => h("span", t(`missed.${name}`))));
}

function caller(call, chosen) {
  const number = showParty(call.from);
  return h("div.who",
    h("a", { href: chosen ? "#missed" : `#missed/${encodeURIComponent(call.id)}`, "data-act": "expand", "aria-expanded": String(chosen) },
      icon("chevron"), h("b", call.contact?.name ?? number)),
    h("span", [call.contact && number, call.contact?.organisation].filter(Boolean).join(" · ")),
    call.note && !chosen && h("span.note", call.note));
}

function details(call) {
  const entries = [
    [t("missed.number"), showParty(call.from)],
    [t("call.factDialled"), call.to && showParty(call.to)],
    [t("missed.waited"), call.wait && formatDuration(secondsOf(call.wait))],
    [t("missed.opened"), formatMoment(millisOf(call.openedAt))],
    [t("missed.last"), formatMoment(millisOf(call.missedAt))],
    [t("missed.failedCallbacks"), call.failedCallbacks && String(call.failedCallbacks)],
    [t("missed.claimedUntil"), call.claimedUntil && formatMoment(millisOf(call.claimedUntil))],
    [t("call.factResponsible"), call.contact?.responsibleExtension || call.contact?.responsibleEmail],
    [t("missed.exchange"), [call.vendor, call.exchange].filter(Boolean).join(" / ")],
    [t("missed.note"), call.note],
  ].filter(([, value]) => value);
  return h("div.details", h("dl.facts", entries.map(([name, value]) => h("div", h("dt", name), h("dd", value)))),
    webLink(call.contact?.url) && h("a.button", { href: webLink(call.contact.url), target: "_blank", rel: "noreferrer" }, icon("link"), t("contact.open")));
}

function resolvedRow(call) {
  return h("li",
    h("div.who", h("b", call.contact?.name ?? showParty(call.from)), h("span", [call.contact && showParty(call.from), call.contact?.organisation].filter(Boolean).join(" · "))),
    h("div.queue", call.queue || "–"),
    h("div.when", tick(h("time"), "ago", millisOf(call.resolvedAt)), h("small", formatMoment(millisOf(call.resolvedAt)))),
    h("div.how", h("b", t(`resolution.${call.resolution ?? "RESOLUTION_UNSPECIFIED"}`)), h("small", userName(call.resolvedBy))),
    h("div.note", call.note ?? ""));
}
