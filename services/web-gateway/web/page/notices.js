// Short notices at the edge of the page, and what is said aloud at once.

import { h, setText } from "./dom.js";
import { icon } from "./icons.js";
import { Problem } from "./api.js";
import { t } from "./language.js";

const shownFor = { info: 6_000, error: 15_000 };

/** Shows a notice for a while: of kind "info" or "error". */
export function notice(text, kind = "info") {
  const element = h(`div.notice.${kind}`, icon(kind === "error" ? "warning" : "available"), h("span", text),
    h("button.quiet", { type: "button", "aria-label": t("notice.dismiss"), onclick: () => element.remove() }, icon("close")));
  document.getElementById("notices").append(element);
  setTimeout(() => element.remove(), shownFor[kind]);
}

/** Tells of what went wrong. Whoever is asked to log in again needs no notice. */
export function noticeOf(error) {
  if (error instanceof Problem && error.status === 401) return;
  if (error instanceof Problem) notice(error.message, "error");
  else notice(t("error.unreachable"), "error");
}

/** Says a text to screen readers at once. */
export function announce(text) {
  setText(document.getElementById("alarm"), text);
}
