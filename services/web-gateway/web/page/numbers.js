// Telephone numbers and people, as they are shown.

import { t } from "./language.js";

const groups = { "+420": [3, 3, 3], "+421": [3, 3, 3], "+7": [3, 3, 2, 2], "+1": [3, 3, 4] };

/** Groups the digits of an E.164 number, where it is known how; other numbers are left alone. */
export function groupNumber(number) {
  const prefix = Object.keys(groups).find((code) => number.startsWith(code));
  if (!prefix) return number;
  let rest = number.slice(prefix.length);
  if (rest.length !== groups[prefix].reduce((sum, length) => sum + length)) return number;
  const parts = groups[prefix].map((length) => {
    const part = rest.slice(0, length);
    rest = rest.slice(length);
    return part;
  });
  return [prefix, ...parts].join("\u00a0");
}

/** The number of a party to show; a text for one that is withheld. */
export function showParty(party) {
  const number = party?.e164 || party?.number;
  return number && number !== "anonymous" ? groupNumber(number) : t("number.withheld");
}

/** The number of a party to call; empty for one that is withheld. */
export function dialable(party) {
  const number = party?.e164 || party?.number || "";
  return /^[+*#\d][\d*# -]*$/.test(number) ? number : "";
}

/** A link to somewhere on the web; null for any other, which could be a script. */
export const webLink = (url) => (/^https?:\/\//i.test(url ?? "") ? url : null);

/** The name of an agent. */
export const agentName = (agent) => agent.name || userName(agent.user) || agent.extensions?.join(", ") || agent.id;

/** The name of a user; empty for none. */
export const userName = (user) => user?.login || user?.email || "";

/** Which party of a call is outside, or calls. */
export const otherParty = (call) =>
  ["OUTGOING", "INTERNAL_OUTGOING"].includes(call.direction) ? call.to : call.from;
