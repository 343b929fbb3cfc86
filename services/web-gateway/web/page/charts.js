// Two small charts, each with its figures as a table for those who do not see it.

import { h, svg } from "./dom.js";
import { millisOf, secondsOf } from "./clock.js";
import { formatDuration, formatHour, formatLongDuration, formatNumber, t } from "./language.js";
import { agentName } from "./numbers.js";

const shown = ["answered", "missed", "abandoned"];

/** Calls by hour: answered, missed and abandoned on top of each other, so that the whole bar is what was offered. */
export function callsByHour(statistics) {
  const begins = millisOf(statistics.beginsAt);
  const hours = trimmed((statistics.hours ?? []).map((figures, i) => ({
    label: formatHour(begins + i * 3_600_000, statistics.timezone),
    offered: figures.offered ?? 0, answered: figures.answered ?? 0, missed: figures.missed ?? 0, abandoned: figures.abandoned ?? 0,
  })), millisOf(statistics.countedUntil) - begins);
  const most = roundUp(Math.max(4, ...hours.map((hour) => hour.offered)));
  const columns = ["offered", ...shown];
  return figure("chart.hours", t("chart.byHour"), legend(shown.map((name) => [name, t(`figure.${name}`)])),
    hoursDrawing(hours, most),
    table(t("chart.byHour"), [t("chart.hour"), ...columns.map((name) => t(`figure.${name}`))],
      hours.map((hour) => [hour.label, ...columns.map((name) => formatNumber(hour[name]))])));
}

// To a number whose half is a round one, too.
function roundUp(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  const step = power >= 100 ? power / 2 : Math.max(2, power);
  return Math.ceil(most / step) * step;
}

// From the first call to now, and ten hours at least.
function trimmed(hours, elapsed) {
  const first = hours.findIndex((hour) => hour.offered > 0);
  const current = Math.min(hours.length - 1, Math.max(0, Math.floor(elapsed / 3_600_000)));
  const from = Math.max(0, Math.min(first < 0 ? 7 : first, current, hours.length - 10));
  return hours.slice(from, Math.max(current + 1, from + 10));
}

function hoursDrawing(hours, most) {
  const width = 320, height = 150, left = 28, bottom = 20, top = 8;
  const step = (width - left) / Math.max(1, hours.length);
  const scale = (height - bottom - top) / most;
  const floor = height - bottom;
  const lines = [0, most / 2, most].map((value) => [
    svg("line.grid", { x1: left, x2: width, y1: floor - value * scale, y2: floor - value * scale }),
    svg("text.axis", { x: left - 6, y: floor - value * scale + 4, "text-anchor": "end" }, String(value)),
  ]);
  const bars = hours.map((hour, i) => {
    let y = floor;
    return svg("g", svg("title", `${hour.label}:00 – ${shown.map((name) => `${t(`figure.${name}`)} ${hour[name]}`).join(", ")}`),
      shown.map((name) => {
        y -= hour[name] * scale;
        return hour[name] > 0 &&
          svg(`rect.${name}`, { x: left + i * step + step * 0.16, width: step * 0.68, y, height: hour[name] * scale });
      }),
      svg("text.axis", { x: left + (i + 0.5) * step, y: height - 5, "text-anchor": "middle" }, hour.label));
  });
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, lines, bars);
}

/** The states of agents, in the order in which they are drawn, with the names of their colours. */
export const states = {
  ON_CALL: "onCall", RINGING: "ringing", WRAP_UP: "wrapUp", AVAILABLE: "available", PAUSED: "paused", UNKNOWN: "unknown",
};

/** Time in each state by agent, without the time logged out. */
export function timeInState(statistics, most = 12) {
  const agents = (statistics.agents ?? []).map((agent) => ({ name: agentName(agent), states: timesOf(agent) }))
    .filter((agent) => agent.states.total > 0).sort((x, y) => y.states.total - x.states.total).slice(0, most);
  const longest = Math.max(3600, ...agents.map((agent) => agent.states.total));
  const used = Object.keys(states).filter((state) => agents.some((agent) => agent.states[state]));
  return figure("chart.states", t("chart.timeInState"), legend(used.map((state) => [states[state], t(`state.${state}`)])),
    h("div.bars", { "aria-hidden": "true" }, agents.map((agent) => [
      h("span.name", agent.name), stateBar(agent.states, longest), h("span.total", formatLongDuration(agent.states.total)),
    ])),
    table(t("chart.timeInState"), [t("chart.agent"), ...used.map((state) => t(`state.${state}`))],
      agents.map((agent) => [agent.name, ...used.map((state) => formatDuration(agent.states[state] ?? 0))])));
}

function timesOf(agent) {
  const times = { total: 0 };
  for (const { state, time } of agent.states ?? []) {
    if (!(state in states)) continue;
    times[state] = (times[state] ?? 0) + secondsOf(time);
    times.total += secondsOf(time);
  }
  return times;
}

function stateBar(times, longest) {
  let x = 0;
  return svg("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none" }, Object.keys(states).map((state) => {
    const width = ((times[state] ?? 0) / longest) * 100;
    const bar = width > 0 && svg(`rect.${states[state]}`, { x, y: 0, width, height: 10 },
      svg("title", `${t(`state.${state}`)} ${formatDuration(times[state])}`));
    x += width;
    return bar;
  }));
}

function figure(tag, title, key, drawing, data) {
  return h(`figure.${tag}`, h("figcaption", h("h2", title), key), drawing, data);
}

function legend(entries) {
  return h("ul.legend", { "aria-hidden": "true" }, entries.map(([name, text]) => h("li", h(`span.swatch.${name}`), text)));
}

function table(title, columns, rows) {
  return h("div.unseen", h("table", h("caption", title),
    h("thead", h("tr", columns.map((column) => h("th", { scope: "col" }, column)))),
    h("tbody", rows.map(([name, ...values]) =>
      h("tr", h("th", { scope: "row" }, name), values.map((value) => h("td", value)))))));
}
