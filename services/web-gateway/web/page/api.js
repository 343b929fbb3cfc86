// The gateway's HTTP API. The access token lives in this module and nowhere else; the session is a cookie that scripts cannot see.

import { compareWithServer, now } from "./clock.js";
import { store, stored } from "./memory.js";

/** An answer that is a refusal: an RFC 9457 problem. */
export class Problem extends Error {
  constructor(status, detail, retryAfter) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

let token = null; // {text, expires, renewAt}
let hasSession = false;
let renewing = null;
let onEnd = () => {};

/** Calls a function when the session has ended and somebody has to log in again. */
export function onSessionEnd(fn) {
  onEnd = fn;
}

/** Whether somebody was logged in here when the page was closed. */
export const mayHaveSession = () => stored("session") !== null;

/** Takes the token out of the URL's fragment. Returns whether there was one. */
export function takeTokenFromURL() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return false;
  history.replaceState(null, "", location.pathname + location.search);
  token = { text: given, expires: Infinity, renewAt: Infinity };
  hasSession = false;
  return true;
}

/** Logs in. */
export async function logIn(tenant, login, password) {
  keep(await send("POST", "/api/v1/login", { tenant, login, password }));
}

/** Logs out, here and at the gateway. */
export async function logOut() {
  if (hasSession) await send("DELETE", "/api/v1/session").catch(() => {});
  forget();
}

function keep(answer) {
  const expires = Date.parse(answer.expiresAt);
  const left = expires - now();
  token = { text: answer.token, expires, renewAt: expires - Math.min(60_000, left / 4) };
  hasSession = true;
  store("session", "yes");
}

function forget() {
  token = null;
  hasSession = false;
  store("session", null);
}

/** Resolves to a token that is good for a while yet; a stream or socket that was refused asks for a fresh one. */
export async function accessToken(fresh = false) {
  if (token && !fresh && now() < token.renewAt) return token.text;
  if (token && !hasSession) {
    if (!fresh) return token.text;
    return end();
  }
  renewing ??= renew().finally(() => { renewing = null; });
  await renewing;
  return token.text;
}

async function renew() {
  try {
    keep(await send("POST", "/api/v1/session"));
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) end();
    throw problem;
  }
}

function end() {
  forget();
  onEnd();
  throw new Problem(401, "");
}

/** Takes up the session of the cookie. */
export const resume = () => accessToken(true);

/** Asks for something as who is logged in. Returns what the answer's JSON says; refusals are thrown as Problem. */
export async function ask(method, path, body) {
  try {
    return await send(method, path, body, await accessToken());
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    return send(method, path, body, await accessToken(true));
  }
}

async function send(method, path, body, bearer) {
  const response = await fetch(path, {
    method,
    headers: headersFor(bearer, body),
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    signal: AbortSignal.timeout(20_000),
  });
  compareWithServer(response.headers.get("Date"));
  if (!response.ok) throw await problemOf(response);
  return response.status === 204 ? null : response.json();
}

function headersFor(bearer, body) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  return headers;
}

async function problemOf(response) {
  const said = await response.json().catch(() => ({}));
  return new Problem(response.status, said.detail ?? said.title ?? response.statusText, Number(response.headers.get("Retry-After")));
}

/** Opens a stream of server-sent events. */
export async function openStream(path, fresh, signal) {
  const response = await fetch(path, { headers: headersFor(await accessToken(fresh)), cache: "no-store", signal });
  compareWithServer(response.headers.get("Date"));
  if (!response.ok) throw await problemOf(response);
  return response.body;
}
