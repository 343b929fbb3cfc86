// The page: who is logged in, which view is shown, and what rings.

import { ask, logOut, mayHaveSession, onSessionEnd, Problem, resume, takeTokenFromURL } from "./api.js";
import { Board } from "./board.js";
import { tickAll } from "./clock.js";
import { forgetConnections, isLost, lostConnections, onConnectionChange } from "./connections.js";
import { fill, h } from "./dom.js";
import { listenToKeys, setPageShortcuts, setViewShortcuts } from "./keys.js";
import { preferredLanguage, setLanguage, t } from "./language.js";
import { showLogin } from "./login.js";
import { noticeOf } from "./notices.js";
import { showCalls } from "./cards.js";
import { Phone } from "./phone.js";
import { brand, showHelp, showShell } from "./shell.js";
import { applyTheme } from "./theme.js";
import calls from "./calls.js";
import events from "./events.js";
import missed from "./missed.js";
import wallboard from "./wallboard.js";

const board = new Board();
const phone = new Phone();
const page = { board, phone, me: null };

let views = []; // those that the person may see
let shell = null;
let pop = null; // the calls, beside views that do not show them
let open = null; // the view that is shown: {view, part}

applyTheme();
await setLanguage(preferredLanguage());
listenToKeys();
setInterval(() => tickAll(isLost), 1000);
onSessionEnd(() => leave(true));
addEventListener("hashchange", route);
board.addEventListener("change", showState);
phone.addEventListener("change", showState);
onConnectionChange(showState);
start();

async function start() {
  const given = takeTokenFromURL();
  if (!given && !mayHaveSession()) return login();
  for (let wait = 1000; ; wait = Math.min(15_000, wait * 2)) {
    try {
      if (!given) await resume();
      return await enter();
    } catch (problem) {
      if (problem instanceof Problem && problem.status < 500) {
        if (!document.querySelector("main.login")) login();
        return;
      }
      showWaiting();
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

function showWaiting() {
  fill(document.getElementById("shell"), h("main.login", { id: "main" }, h("div.panel", brand(), h("p", { role: "status" }, t("error.unreachable")))));
}

function login(ended = false) {
  showLogin({ ended, done: enter, again: () => login(ended) });
}

async function enter() {
  page.me = await ask("GET", "/api/v1/me");
  const rights = page.me.rights;
  views = [wallboard, missed, calls, events].filter((view) => rights.includes(view.right));
  if (rights.includes("wallboard")) board.start();
  if (rights.includes("calls")) phone.start(page.me);
  draw();
}

// Draws everything anew, also in another language.
function draw() {
  closeView();
  pop?.close();
  pop = phone.wanted ? showCalls(h("aside.pop", { "aria-label": t("view.calls") }), page) : null;
  shell = showShell({ views, me: page.me, pop: pop?.element, redraw: draw, leave: () => leave(false) });
  setPageShortcuts({
    ...Object.fromEntries(views.map((view, i) => [String(i + 1), () => { location.hash = view.name; }])),
    "?": () => showHelp(views),
    t: () => document.querySelector("[data-act=theme]").click(),
  });
  route();
  showState();
}

async function leave(ended) {
  reset();
  if (!ended) await logOut();
  login(ended);
}

function reset() {
  closeView();
  pop?.close();
  pop = shell = null;
  board.stop();
  phone.stop();
  forgetConnections();
  setPageShortcuts({});
}

function route() {
  if (takeTokenFromURL()) {
    reset();
    return enter().catch(noticeOf);
  }
  if (!shell) return;
  if (!views.length) return fill(shell.main, h("p.empty", t("error.noRights")));
  const [name, ...rest] = location.hash.slice(1).split("/");
  const view = views.find((v) => v.name === name) ?? views[0];
  const argument = decoded(rest.join("/"));
  shell.select(view.name);
  document.body.dataset.view = view.name;
  if (open?.view === view) {
    open.part.navigate?.(argument);
  } else {
    closeView();
    fill(shell.main);
    open = { view, part: view.open(shell.main, page, argument) };
    setViewShortcuts(open.part.shortcuts ?? {});
  }
  showState();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function closeView() {
  open?.part.close?.();
  open = null;
  setViewShortcuts({});
}

// The badges and the window's title, which say what matters in a tab that nobody looks at.
function showState() {
  if (!shell) return;
  const waiting = board.missedCalls.size;
  shell.badge("missed", waiting, t("badge.missed", { n: waiting }));
  const ringing = phone.ringing();
  shell.badge("calls", ringing.length, t("badge.ringing", { n: ringing.length }));
  const name = open ? t(`view.${open.view.name}`) : "";
  const rest = `${waiting ? `(${waiting}) ` : ""}${name} – Switchhook`;
  document.title = lostConnections().length ? `⚠ ${t("connection.lost")} – ${rest}` : ringing.length ? `☎ ${phone.nameOf(ringing[0])}` : rest;
}
