// The screen pop: a card for each call of the person, with what can be done about it.

import { h, showRows } from "./dom.js";
import { icon } from "./icons.js";
import { tick } from "./clock.js";
import { t } from "./language.js";
import { groupNumber, webLink } from "./numbers.js";

/** Keeps showing the calls that go on in an element. Returns {element, close}. */
export function showCalls(element, page) {
  element.dataset.source = "phone";
  const draw = () => showRows(element, [...page.phone.current.values()].reverse(), (call) => call.id, (call) => card(call, page));
  page.phone.addEventListener("change", draw);
  draw();
  return { element, close: () => page.phone.removeEventListener("change", draw) };
}

function card(call, page) {
  return h("article.call", { "data-phase": call.phase === "ringing" && call.outgoing ? "calling" : call.phase, "data-call": call.id, "data-closed": Boolean(call.over?.closedBy) },
    h("header", icon(iconOf(call)), h("span.phase", phaseText(call)),
      call.phase === "over" ? h("time") : tick(h("time"), "for", call.since)),
    who(call),
    facts(call),
    call.phase === "over" || !page.phone.mayCall ? null : actions(call, page));
}

function iconOf(call) {
  if (call.phase === "talking") return "onCall";
  if (call.phase === "over") return "hangUp";
  return call.outgoing ? "outgoing" : "ringing";
}

function phaseText(call) {
  if (call.phase === "over" && call.over.closedBy) {
    const { login, line } = call.over.closedBy;
    return t("call.closedBy", { who: login ? `${login} (${line})` : line });
  }
  if (call.phase === "over") return t(call.answered ? "call.over" : "call.notAnswered");
  if (call.phase === "talking") return t("call.talking");
  return t(call.outgoing ? "call.calling" : "call.ringing");
}

function who(call) {
  const number = call.number ? groupNumber(call.number) : t("number.withheld");
  const { contact } = call;
  if (!contact?.name) return h("div.who", h("p.name.number", number), h("p.organisation", t("contact.unknown")));
  return h("div.who",
    h("p.name", contact.name), contact.organisation && h("p.organisation", contact.organisation), h("p.number", number),
    webLink(contact.url) && h("a.button", { href: webLink(contact.url), target: "_blank", rel: "noreferrer" }, icon("link"), t("contact.open")));
}

function facts(call) {
  const { frame, contact } = call;
  const entries = [
    [t("call.factQueue"), frame.queue],
    [t("call.factDialled"), call.outgoing ? "" : frame.to && groupNumber(frame.to)],
    [t("call.factLine"), frame.line],
    [t("call.factResponsible"), contact?.responsible || contact?.responsibleEmail],
  ].filter(([, value]) => value);
  return h("dl.facts", entries.map(([name, value]) => h("div", h("dt", name), h("dd", value))));
}

function actions(call, page) {
  const { phone } = page;
  const hangUp = h("button.danger", { type: "button", "data-act": "hangUp", onclick: () => phone.hangUp(call) }, icon("hangUp"),
    t(call.phase === "ringing" && !call.outgoing ? "call.reject" : "call.hangUp"));
  if (call.phase !== "talking") return h("div.actions", hangUp);
  if (phone.consulting.has(call.id)) return h("div.actions", finishing(call, phone, "complete"), finishing(call, phone, "cancel"), hangUp);
  const form = transferForm(call, page);
  const toggle = h("button", { type: "button", "data-act": "transfer", "aria-expanded": "false", onclick: () => {
    form.hidden = !form.hidden;
    toggle.setAttribute("aria-expanded", String(!form.hidden));
    if (!form.hidden) form.querySelector("input").focus();
  } }, icon("transfer"), t("call.transfer"));
  return [h("div.actions", toggle, hangUp), form];
}

function finishing(call, phone, type) {
  return h(`button${type === "complete" ? ".primary" : ""}`, { type: "button", "data-act": type, onclick: () => phone.transfer(call, "", type) },
    icon(type === "complete" ? "transfer" : "release"), t(`transfer.${type}`));
}

function transferForm(call, page) {
  const list = `colleagues-${call.id}`;
  const to = h("input", { name: "to", type: "tel", required: true, list, autocomplete: "off", "aria-label": t("transfer.to"), placeholder: t("transfer.to") });
  const send = (type) => to.reportValidity() && page.phone.transfer(call, to.value.trim(), type);
  return h("form.transfer", { hidden: true, onsubmit: (event) => {
    event.preventDefault();
    send("blind");
  } },
  to,
  h("datalist", { id: list }, colleagues(page).map(([extension, name]) => h("option", { value: extension }, name))),
  h("button.primary", { type: "submit" }, t("transfer.blind")),
  h("button", { type: "button", onclick: () => send("attended") }, t("transfer.attended")));
}

function colleagues({ board, phone }) {
  return [...board.agents.values()].flatMap((agent) => (agent.extensions ?? []).map((extension) =>
    [extension, agent.name || agent.user?.login || extension])).filter(([extension]) => !phone.lines.includes(extension));
}
