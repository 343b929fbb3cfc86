// The form to log in.

import { logIn, Problem } from "./api.js";
import { fill, h } from "./dom.js";
import { t } from "./language.js";
import { store, stored } from "./memory.js";
import { brand, languageChoice, themeButton } from "./shell.js";

/** Shows the form; done() is called when somebody has logged in, and may refuse. */
export function showLogin({ ended = false, done, again }) {
  const tenant = field("tenant", { autocomplete: "organization", value: stored("tenant") ?? "" });
  const login = field("login", { autocomplete: "username", value: stored("login") ?? "" });
  const password = field("password", { type: "password", autocomplete: "current-password" });
  const error = h("p.error", { role: "alert" });
  const button = h("button.primary", { type: "submit" }, t("login.submit"));
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    error.textContent = "";
    try {
      await logIn(tenant.input.value.trim(), login.input.value.trim(), password.input.value);
      store("tenant", tenant.input.value.trim());
      store("login", login.input.value.trim());
      await done();
    } catch (problem) {
      error.textContent = explain(problem);
      button.disabled = false;
      password.input.select();
    }
  };
  document.title = `${t("login.title")} – Switchhook`;
  fill(document.getElementById("shell"), h("main.login", { id: "main" },
    h("form.panel", { onsubmit: submit }, brand(), h("h1", t("login.title")),
      ended && h("p.hint", { role: "status" }, t("login.ended")),
      tenant.label, login.label, password.label, error, button),
    h("div.tools", languageChoice(again), themeButton())));
  [tenant, login, password].find(({ input }) => input.value === "").input.focus();
}

function field(name, properties) {
  const input = h("input", { name, required: true, spellcheck: "false", autocapitalize: "none", ...properties });
  return { input, label: h("label.field", h("span", t(`login.${name}`)), input) };
}

function explain(problem) {
  if (!(problem instanceof Problem)) return t("error.unreachable");
  if (problem.status === 401) return t("login.wrong");
  if (problem.status === 429) return t("login.slow", { n: problem.retryAfter || 1 });
  return problem.message;
}
