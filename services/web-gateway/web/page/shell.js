// What is around every view: navigation, tools, the banner of lost connections, and help.

import { h, fill, setText } from "./dom.js";
import { icon } from "./icons.js";
import { tick } from "./clock.js";
import { lostConnections, onConnectionChange, stateOf } from "./connections.js";
import { currentLanguage, formatTime, languages, setLanguage, t } from "./language.js";
import { currentTheme, setTheme, themes } from "./theme.js";
import { shortcutsAreOn, turnShortcuts } from "./keys.js";

/** The name of the product, with its sign. */
export const brand = () => h("span.brand", h("img", { src: "/page/icon.svg", alt: "", width: 24, height: 24 }), "Switchhook");

/** A choice of language; changed() is called when the texts are there. */
export function languageChoice(changed) {
  const choose = async (event) => {
    await setLanguage(event.target.value, true);
    changed();
  };
  return h("label.choice", icon("language"), h("span.unseen", t("tools.language")),
    h("select", { onchange: choose }, Object.entries(languages).map(([code, name]) =>
      h("option", { value: code, lang: code, selected: code === currentLanguage() }, name))));
}

/** A button that goes through the themes. */
export function themeButton() {
  const icons = { system: "system", light: "sun", dark: "moon" };
  const button = h("button.quiet", { type: "button", "data-act": "theme", onclick: () => {
    setTheme(themes[(themes.indexOf(currentTheme()) + 1) % themes.length]);
    show();
  } });
  const show = () => {
    const label = t("tools.theme", { theme: t(`theme.${currentTheme()}`) });
    button.setAttribute("aria-label", label);
    button.title = label;
    fill(button, icon(icons[currentTheme()]));
  };
  show();
  return button;
}

/** Shows the page around views. Returns {main, select(name), badge(name, count)}. */
export function showShell({ views, me, pop, redraw, leave }) {
  const main = h("main", { id: "main", tabindex: "-1" });
  const links = new Map(views.map((view) => [view.name, link(view)]));
  const skip = (event) => {
    event.preventDefault();
    main.focus();
  };
  fill(document.getElementById("shell"),
    h("a.skip", { href: "#main", onclick: skip }, t("shell.skip")),
    h("header.bar", brand(),
      h("nav", { "aria-label": t("shell.views") }, h("ul", [...links.values()].map(({ element }) => h("li", element)))),
      h("div.tools", connectionSign(), languageChoice(redraw), themeButton(),
        h("button.quiet", { type: "button", "aria-label": t("help.title"), title: `${t("help.title")} (?)`, onclick: () => showHelp(views) },
          icon("help")),
        h("span.me", { title: `${me.identity.value} · ${me.tenant}` }, me.name || me.identity.value),
        h("button.quiet", { type: "button", "aria-label": t("tools.logOut"), title: t("tools.logOut"), onclick: leave }, icon("logOut")))),
    banner(), main, pop ?? []);
  return {
    main,
    select(name) {
      for (const [key, { element }] of links) {
        if (key === name) element.setAttribute("aria-current", "page");
        else element.removeAttribute("aria-current");
      }
    },
    badge(name, count, label) {
      const { mark } = links.get(name) ?? {};
      if (!mark) return;
      mark.hidden = !count;
      fill(mark, h("span", { "aria-hidden": "true" }, String(count)), h("span.unseen", label));
    },
  };
}

function link(view) {
  const mark = h("span.badge", { hidden: true, "data-source": view.source });
  return { mark, element: h("a", { href: `#${view.name}` }, icon(view.icon), h("span.label", t(`view.${view.name}`)), mark) };
}

let signs = []; // what shows the state of the connections, of the shell that is shown

onConnectionChange(() => signs.forEach((show) => show()));

function connectionSign() {
  const text = h("span");
  const sign = h("span.connection", h("span.dot"), text);
  signs = [() => {
    const state = lostConnections().length ? "lost" : ["board", "phone", "events"].some((name) => stateOf(name) === "connecting")
      ? "connecting" : "live";
    sign.dataset.state = state;
    setText(text, t(`connection.${state}`));
  }];
  signs[0]();
  return sign;
}

function banner() {
  const words = h("p");
  const element = h("div.banner", { role: "alert", hidden: true }, icon("warning"), words);
  const show = () => {
    const lost = lostConnections();
    element.hidden = lost.length === 0;
    if (!lost.length) return fill(words);
    const what = lost.map(([name]) => t(`connection.of.${name}`)).join(", ");
    fill(words, h("strong", t("banner.lost", { what, time: formatTime(lost[0][1]) })), " (",
      tick(h("time", { "aria-live": "off" }), "ago", lost[0][1]), ") ", t("banner.old"));
  };
  signs.push(show);
  show();
  return element;
}

/** Shows the shortcuts. */
export function showHelp(views) {
  const toggle = h("input", { type: "checkbox", checked: shortcutsAreOn(), onchange: (event) => turnShortcuts(event.target.checked) });
  const list = (shortcuts) => h("dl.keys", shortcuts.map(([key, text]) => [h("dt", h("kbd", key)), h("dd", text)]));
  const dialog = h("dialog.panel.help", { "aria-labelledby": "help-title", onclose: () => dialog.remove() },
    h("form", { method: "dialog" },
      h("header", h("h2", { id: "help-title" }, t("help.title")),
        h("button.quiet", { "aria-label": t("dialog.close") }, icon("close"))),
      h("div.columns",
        h("section", h("h3", t("help.everywhere")), list([
          ...views.map((view, i) => [String(i + 1), t(`view.${view.name}`)]), ["?", t("help.title")], ["t", t("help.theme")],
        ])),
        views.filter((view) => view.keys.length).map((view) =>
          h("section", h("h3", t(`view.${view.name}`)), list(view.keys.map(([key, text]) => [key, t(text)]))))),
      h("label.check", toggle, t("help.on"))));
  document.body.append(dialog);
  dialog.showModal();
}
