// My calls: the screen pop, what was before, and a dial pad.

import { fill, h, setText, showRows } from "./dom.js";
import { icon } from "./icons.js";
import { tick } from "./clock.js";
import { showCalls } from "./cards.js";
import { stateOf } from "./connections.js";
import { formatTime, t } from "./language.js";
import { store, stored } from "./memory.js";
import { groupNumber } from "./numbers.js";

const letters = ["", "", "ABC", "DEF", "GHI", "JKL", "MNO", "PQRS", "TUV", "WXYZ"];

export default {
  name: "calls", icon: "calls", source: "phone", right: "calls",
  keys: [["d", "help.dial"], ["h", "help.hangUp"]],
  open(main, page) {
    const { phone } = page;
    const pad = dialPad(phone);
    const cards = showCalls(h("div.current"), page);
    const idle = h("p.empty");
    const recent = h("ol.recent");
    const none = h("p.hint", t("recent.none"));
    fill(main, h("div.callsview",
      h("h1.unseen", t("view.calls")),
      h("section.mine", { "aria-label": t("calls.now") }, cards.element, idle),
      phone.mayCall && h("section.panel.pad", h("h2", t("calls.dial")), pad.element),
      h("section.panel.history", h("header", h("h2", t("calls.recent")), notifyChoice()), recent, none)));
    const draw = () => {
      idle.hidden = phone.current.size > 0;
      fill(idle, icon("phone"), h("span", idleText(phone)));
      showRows(recent, phone.recent, (entry) => entry.id, (entry) => recentRow(entry, phone));
      none.hidden = phone.recent.length > 0;
    };
    phone.addEventListener("change", draw);
    draw();
    return {
      shortcuts: {
        d: () => pad.focus(),
        h: () => { for (const call of phone.current.values()) if (call.phase !== "over") return void phone.hangUp(call); },
      },
      close() {
        phone.removeEventListener("change", draw);
        cards.close();
      },
    };
  },
};

function idleText(phone) {
  if (phone.problem || !phone.wanted) return t("calls.noLine");
  if (stateOf("phone") === "connecting") return t("loading");
  return phone.lines.length ? t("calls.idle", { lines: phone.lines.join(", ") }) : t("calls.idleAnyLine");
}

function recentRow(entry, phone) {
  const number = entry.number ? groupNumber(entry.number) : t("number.withheld");
  const state = entry.closedBy ? t("call.closedBy", { who: entry.closedBy }) : t(entry.answered ? "recent.answered" : "recent.missed");
  return h("li", { class: entry.answered || entry.closedBy ? "" : "missed" },
    icon(entry.outgoing ? "outgoing" : "incoming"),
    h("div.who", h("strong", entry.name || number),
      h("span", [entry.name && number, entry.organisation, entry.queue].filter(Boolean).join(" · "))),
    h("div.when", h("span", { title: formatTime(entry.at) }, tick(h("time"), "ago", entry.at)), h("span", state)),
    entry.number && phone.mayCall && h("button", { type: "button", "aria-label": t("recent.call", { who: entry.name || number }), title: t("missed.callBack"),
      onclick: () => phone.call(entry.number) }, icon("phone")));
}

function dialPad(phone) {
  const input = h("input", { type: "tel", name: "number", autocomplete: "off", "aria-label": t("dial.number"), placeholder: t("dial.number") });
  const call = h("button.primary.wide", { type: "submit" }, icon("phone"), t("dial.call"));
  const enter = (key) => {
    input.setRangeText(key, input.selectionStart, input.selectionEnd, "end");
    input.focus();
  };
  const erase = () => {
    const at = input.selectionEnd;
    if (input.selectionStart === at && at > 0) input.setRangeText("", at - 1, at, "end");
    else input.setRangeText("");
    input.focus();
  };
  const keys = [..."123456789*0#"].map((key) => h("button.key", { type: "button", onclick: () => enter(key) },
    h("span", key), h("small", { "aria-hidden": "true" }, key === "0" ? "+" : letters[Number(key)] ?? "")));
  const element = h("form", { onsubmit: async (event) => {
    event.preventDefault();
    const number = input.value.replace(/[\s().-]/g, "");
    if (!number) return input.focus();
    call.disabled = true;
    if (await phone.call(number)) input.value = "";
    call.disabled = false;
  } },
  h("div.number", input, h("button.quiet", { type: "button", "aria-label": t("dial.erase"), onclick: erase }, icon("erase"))),
  h("div.keys", keys), call);
  return { element, focus: () => input.focus() };
}

// Whether the browser shall tell of a ringing call while another window is in front.
function notifyChoice() {
  if (!("Notification" in window)) return null;
  const box = h("input", { type: "checkbox", checked: stored("notify") === "yes" && Notification.permission === "granted" });
  const note = h("span.hint");
  box.addEventListener("change", async () => {
    const allowed = box.checked && (await Notification.requestPermission()) === "granted";
    setText(note, box.checked && !allowed ? t("notify.denied") : "");
    box.checked = allowed;
    store("notify", allowed ? "yes" : null);
  });
  return h("label.check", box, icon("bell"), h("span", t("notify.on")), note);
}
