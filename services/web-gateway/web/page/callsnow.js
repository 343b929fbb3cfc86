// The calls that go on, as the wallboard lists them: who waits comes first, the longest on top.

import { fill, h, showRows } from "./dom.js";
import { icon } from "./icons.js";
import { markLate, millisOf, secondsOf, tick } from "./clock.js";
import { formatNumber, t } from "./language.js";
import { agentName, otherParty, showParty } from "./numbers.js";

const phases = ["queued", "ringing", "dialing", "talking"];

/** Shows the calls of a board in an element. */
export function callsNow(parent, board) {
  if (!parent.list) {
    parent.list = h("ol.calllist");
    parent.none = h("p.hint", t("wallboard.noCalls"));
    parent.counts = h("ul.legend");
    fill(parent, h("header", h("h2", t("wallboard.calls")), parent.counts), parent.list, parent.none);
  }
  const calls = [...board.calls.values()].map((call) => ({ call, phase: phaseOf(call) })).filter(({ phase }) => phase);
  calls.sort((x, y) => phases.indexOf(x.phase) - phases.indexOf(y.phase) || sinceOf(x) - sinceOf(y));
  showRows(parent.list, calls.map(({ call }) => call), (call) => call.id, (call) => row(call, board));
  parent.none.hidden = calls.length > 0;
  const counts = phases.map((phase) => [phase, calls.filter((call) => call.phase === phase).length]).filter(([, n]) => n);
  fill(parent.counts, counts.map(([phase, n]) => h("li", `${t(`phase.${phase}`)} `, h("b", formatNumber(n)))));
}

function phaseOf({ call, talking, answeredAt, ringing }) {
  if (call.kind === "ENDED") return null;
  if (talking?.length || answeredAt) return "talking";
  if (call.direction === "OUTGOING" || call.direction === "INTERNAL_OUTGOING") return "dialing";
  return ringing?.length ? "ringing" : "queued";
}

const sinceOf = ({ call, phase }) => millisOf(phase === "talking" && call.answeredAt ? call.answeredAt : call.startedAt);

function row(status, board) {
  const phase = phaseOf(status);
  const since = sinceOf({ call: status, phase });
  const { contact } = status;
  const number = showParty(otherParty(status.call));
  const level = (board.statistics?.queues ?? []).find((day) => (day.queue ?? "") === (status.call.queue ?? ""))?.serviceLevel;
  const element = h(`li.${phase}`,
    icon({ queued: "waiting", ringing: "ringing", dialing: "outgoing", talking: "onCall" }[phase]),
    h("span.party", h("b", contact?.name ?? number), contact && h("small", number)),
    h("span.where", [h("span.phase", t(`phase.${phase}`)), whom(status, board), status.call.queue].filter(Boolean)
      .flatMap((part, i) => (i ? [" · ", part] : [part]))),
    tick(h("time"), "for", since));
  return level && (phase === "queued" || phase === "ringing") ? markLate(element, since + 1000 * secondsOf(level)) : element;
}

function whom({ talking, ringing, call }, board) {
  const extensions = talking?.length ? talking : ringing?.length ? ringing : call.extension ? [call.extension] : [];
  if (extensions.length > 2) return t("phase.phones", { n: extensions.length });
  return extensions.map((extension) => {
    const agent = board.agentAt(extension);
    return agent ? agentName(agent) : extension;
  }).join(", ");
}
