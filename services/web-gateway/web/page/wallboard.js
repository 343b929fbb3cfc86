// The wallboard: who does what, which calls go on, and how the day is. Made to be read from across the room.

import { fill, h, setText, showRows, svg } from "./dom.js";
import { icon } from "./icons.js";
import { markLate, millisOf, now, secondsOf, tick } from "./clock.js";
import { callsByHour, states, timeInState } from "./charts.js";
import { callsNow } from "./callsnow.js";
import { isLost } from "./connections.js";
import { formatDuration, formatNumber, formatShare, formatTime, t } from "./language.js";
import { agentName, otherParty, showParty } from "./numbers.js";

const drawEvery = 200; // milliseconds: events come by the hundred, and nobody reads so fast
const figuresOld = 90_000; // milliseconds behind which figures count as old

// The order of agents: who is busy with callers first. Others are but named.
const order = ["RINGING", "ON_CALL", "WRAP_UP", "AVAILABLE", "PAUSED"];
const isPresent = (agent) => order.includes(agent.state);

export default {
  name: "wallboard", icon: "wallboard", source: "board", right: "wallboard",
  keys: [["f", "wallboard.fullScreen"]],
  open(main, page, argument) {
    const { board } = page;
    const parts = {
      tiles: h("section.tiles", { "aria-label": t("wallboard.today") }),
      legend: h("ul.legend"), agents: h("ul.agents"), away: h("div.away"),
      calls: h("section.panel.now"), queues: h("section.panel.queues"), hours: h("section.panel"), states: h("section.panel"),
    };
    const root = h("div.wallboard", { "data-source": "board" },
      h("header.title", h("h1", t("view.wallboard")), h("span.counted"), h("time.clock"), fullScreenButton()),
      parts.tiles,
      h("section.panel.people", h("header", h("h2", t("wallboard.agents")), parts.legend), parts.agents, parts.away),
      parts.calls, parts.queues, parts.hours, parts.states);
    parts.states.classList.add("timeInState");
    const loading = h("p.empty", { role: "status" }, t("loading"));
    fill(main, loading, root);

    let drawn = {};
    let timer = null;
    const draw = () => {
      timer = null;
      loading.hidden = board.known;
      root.hidden = !board.known;
      if (!board.known) return;
      showAgents(parts, board);
      callsNow(parts.calls, board);
      showTiles(parts.tiles, board);
      if (drawn.statistics !== board.statistics) showFigures(parts, board);
      drawn = { statistics: board.statistics };
      refit();
      showAge(root, board);
    };
    const refit = () => fitWall(root, `${parts.agents.childElementCount} ${board.agents.size}`);
    const soon = () => { timer ??= setTimeout(draw, drawEvery); };
    const watch = setInterval(() => {
      showAge(root, board);
      refit(); // the banner may have come or gone
    }, 1000);
    const leaveFullScreen = () => { if (!document.fullscreenElement) setWall(false); };
    board.addEventListener("change", soon);
    document.addEventListener("fullscreenchange", leaveFullScreen);
    addEventListener("resize", refit);
    setWall(argument === "wall");
    draw();
    return {
      navigate(next) {
        setWall(next === "wall");
        refit();
      },
      shortcuts: { f: toggleFullScreen, Escape: () => setWall(false) },
      close() {
        board.removeEventListener("change", soon);
        document.removeEventListener("fullscreenchange", leaveFullScreen);
        removeEventListener("resize", refit);
        clearTimeout(timer);
        clearInterval(watch);
        setWall(false);
        fitWall(root, "");
      },
    };
  },
};

// A screen on the wall may also be pointed at #wallboard/wall: a browser goes to full screen at somebody's wish only.
function setWall(on) {
  const { classList } = document.documentElement;
  if (on && !classList.contains("wall")) navigator.wakeLock?.request("screen").then(keepAwake, () => {}); // it may be forbidden
  classList.toggle("wall", on);
  if (!on && document.fullscreenElement) document.exitFullscreen();
}

function keepAwake(lock) {
  const watch = setInterval(() => {
    if (document.documentElement.classList.contains("wall")) return;
    clearInterval(watch);
    lock.release();
  }, 1000);
}

function toggleFullScreen() {
  const on = !document.documentElement.classList.contains("wall");
  setWall(on);
  if (on) document.documentElement.requestFullscreen?.().catch(() => {});
}

// On a wall nobody scrolls: everything shrinks until all agents are there. It depends on their number and the room alone, as
// letters that keep changing their size cannot be read.
function fitWall(root, agents) {
  const { style, classList } = document.documentElement;
  const key = classList.contains("wall") ? `${agents} ${innerWidth} ${innerHeight} ${isLost("board")}` : "";
  if (root.fitted === key) return;
  root.fitted = key;
  style.removeProperty("--fit");
  const people = root.querySelector(".people");
  for (let fit = 1; key && fit > 0.5 && people.scrollHeight > people.clientHeight; fit -= 0.04) style.setProperty("--fit", String(fit));
}

function fullScreenButton() {
  return h("button.quiet", { type: "button", title: `${t("wallboard.fullScreen")} (f)`, "aria-label": t("wallboard.fullScreen"), onclick: toggleFullScreen },
    icon("fullScreen"));
}

// Figures that nobody counts any more are old, even when the connection is fine.
function showAge(root, board) {
  setText(root.querySelector(".clock"), formatTime(now()));
  const counted = millisOf(board.statistics?.countedUntil);
  const old = now() - counted > figuresOld;
  root.classList.toggle("oldFigures", old);
  setText(root.querySelector(".counted"), Number.isNaN(counted) ? "" : t(old ? "wallboard.countedOld" : "wallboard.counted", { time: formatTime(counted) }));
}

// Tiles.

function showTiles(parent, board) {
  const total = totals(board.statistics);
  const waiting = [...board.calls.values()].filter(isWaiting);
  const longest = Math.min(...waiting.map((call) => millisOf(call.startedAt)));
  const tiles = [
    { name: "waiting", value: formatNumber(waiting.length), since: waiting.length ? longest : NaN, late: serviceTime(board, waiting) },
    { name: "level", value: total?.offered ? formatShare(total.within / total.offered) : "–", share: total?.offered ? total.within / total.offered : 0,
      note: total ? t("tile.levelNote", { within: total.within, n: total.offered }) : "" },
    { name: "offered", value: total ? formatNumber(total.offered) : "–" },
    { name: "answered", value: total ? formatNumber(total.answered) : "–", note: total?.offered ? formatShare(total.answered / total.offered) : "" },
    { name: "missed", value: total ? formatNumber(total.missed) : "–", note: t("tile.missedNote", { n: board.missedCalls.size }) },
    { name: "abandoned", value: total ? formatNumber(total.abandoned) : "–", note: total?.offered ? formatShare(total.abandoned / total.offered) : "" },
  ];
  const rows = tiles.map((tile) => ({ ...tile, text: JSON.stringify(tile) }));
  parent.shown ??= new Map();
  const same = rows.map((row) => (parent.shown.get(row.name)?.text === row.text ? parent.shown.get(row.name) : row));
  parent.shown = new Map(same.map((row) => [row.name, row]));
  showRows(parent, same, (tile) => tile.name, makeTile);
}

function makeTile(tile) {
  const note = Number.isNaN(tile.since ?? NaN) ? h("span", tile.note ?? "") :
    h("span", t("tile.longest"), " ", tick(h("time"), "for", tile.since));
  const element = h(`div.tile.${tile.name}`, { class: tile.value === "0" ? "zero" : "" },
    h("span.label", t(`tile.${tile.name}`)), h("span.value", tile.value), h("span.note", note),
    tile.share !== undefined && meter(tile.share));
  return tile.late ? markLate(element, tile.late) : element;
}

const isWaiting = ({ call, answeredAt, talking }) =>
  call.direction === "INCOMING" && !answeredAt && !talking?.length && call.kind !== "ENDED";

function serviceTime(board, waiting) {
  const queues = new Map((board.statistics?.queues ?? []).map((day) => [day.queue ?? "", secondsOf(day.serviceLevel)]));
  const late = waiting.map((call) => millisOf(call.startedAt) + 1000 * (queues.get(call.call.queue ?? "") || Infinity));
  return late.length ? Math.min(...late) : null;
}

function totals(statistics) {
  if (!statistics) return null;
  const total = { offered: 0, answered: 0, missed: 0, abandoned: 0, within: 0 };
  for (const { calls, answeredWithin } of statistics.queues ?? []) {
    for (const name of ["offered", "answered", "missed", "abandoned"]) total[name] += calls?.[name] ?? 0;
    total.within += answeredWithin ?? 0;
  }
  return total;
}

function meter(share) {
  return svg("svg.meter", { viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect.rail", { width: 100, height: 4, rx: 2 }), svg("rect.fill", { width: 100 * share, height: 4, rx: 2 }));
}

// Agents.

function showAgents(parts, board) {
  const agents = [...board.agents.values()].sort((x, y) =>
    order.indexOf(x.state) - order.indexOf(y.state) || millisOf(x.since) - millisOf(y.since) || x.id.localeCompare(y.id));
  const calls = new Map([...board.calls.values()].map((call) => [call.call.key, call]));
  parts.tilesShown ??= new Map();
  const present = agents.filter(isPresent).map((agent) => {
    const call = calls.get(agent.callKey) ?? null;
    const before = parts.tilesShown.get(agent.id);
    return before?.agent === agent && before.call === call ? before : { agent, call };
  });
  parts.tilesShown = new Map(present.map((tile) => [tile.agent.id, tile]));
  showRows(parts.agents, present, ({ agent }) => agent.id, ({ agent, call }) => agentTile(agent, call));
  parts.agents.classList.toggle("many", present.length > 16);
  showAway(parts, agents.filter((agent) => !isPresent(agent)));
  const counts = order.map((state) => [state, present.filter(({ agent }) => agent.state === state).length]).filter(([, n]) => n);
  fill(parts.legend, counts.map(([state, n]) => h("li", h(`span.swatch.${states[state]}`), `${t(`state.${state}`)} `, h("b", formatNumber(n)))));
}

function showAway(parts, agents) {
  const lines = [["wallboard.away", agents.filter(({ state }) => state === "LOGGED_OUT")],
    ["wallboard.unknown", agents.filter(({ state }) => state !== "LOGGED_OUT")]]
    .filter(([, group]) => group.length)
    .map(([key, group]) => `${t(key, { n: group.length })} ${group.map(agentName).sort().join(", ")}`);
  if (parts.awayShown === lines.join("\n")) return;
  parts.awayShown = lines.join("\n");
  fill(parts.away, lines.map((line) => h("p", line)));
}

function agentTile(agent, call) {
  const name = states[agent.state];
  const extensions = (agent.extensions ?? []).join(", ");
  return h(`li.agent.${name}`,
    h("span.name", icon(name), h("b", agentName(agent)), extensions !== agentName(agent) && h("small", extensions)),
    doing(agent, call),
    tick(h("time"), "for", millisOf(agent.since)));
}

// The colour and the icon say the state already: where there is more to tell, its name is for screen readers.
function doing(agent, call) {
  const state = t(`state.${agent.state}`);
  const more = detail(agent, call);
  return h("span.doing", call ? [h("span.unseen", `${state}: `), more] : [state, more].filter(Boolean).join(" · "));
}

function detail(agent, call) {
  if (agent.state === "PAUSED") return agent.pauseReason;
  if (call) return call.contact?.name ?? showParty(otherParty(call.call));
  return agent.state === "AVAILABLE" || agent.state === "WRAP_UP" ? (agent.queues ?? []).join(", ") : "";
}

// Figures of the day.

const byQueue = (x, y) => Number(!x.queue) - Number(!y.queue) || (x.queue ?? "").localeCompare(y.queue ?? "");

function showFigures(parts, { statistics }) {
  if (!statistics) {
    for (const part of [parts.queues, parts.hours, parts.states]) fill(part, h("p.empty", t("wallboard.noFigures")));
    return;
  }
  fill(parts.hours, callsByHour(statistics));
  fill(parts.states, timeInState(statistics));
  fill(parts.queues, h("h2", t("wallboard.queues")), queueTable(statistics.queues ?? []));
}

function queueTable(queues) {
  const columns = ["level", "offered", "answered", "missed", "abandoned"];
  return h("table",
    h("thead", h("tr", h("th", { scope: "col" }, t("wallboard.queue")), columns.map((name) => h("th", { scope: "col" }, t(`column.${name}`))),
      h("th", { scope: "col" }, t("column.wait")))),
    h("tbody", queues.toSorted(byQueue).map(({ queue, calls = {}, answeredWithin = 0, serviceLevel }) => h("tr",
      h("th", { scope: "row" }, queue || t("wallboard.noQueue"),
        serviceLevel && h("small", t("wallboard.within", { n: secondsOf(serviceLevel) }))),
      h("td.level", calls.offered ? h("div", meter(answeredWithin / calls.offered), h("b", formatShare(answeredWithin / calls.offered))) : "–"),
      columns.slice(1).map((name) => h("td", { class: !calls[name] ? "zero" : name }, formatNumber(calls[name] ?? 0))),
      h("td", calls.wait?.count ? formatDuration(secondsOf(calls.wait.total) / calls.wait.count) : "–")))));
}
