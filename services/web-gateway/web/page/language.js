// The language of the page: texts, plural forms, numbers and times.

import { stored, store } from "./memory.js";

/** The languages, by their own names. */
export const languages = { en: "English", cs: "Čeština", sk: "Slovenčina", ru: "Русский" };

let language = "en";
let texts = {};
let plural = new Intl.PluralRules("en");
let formats = {};

/** The code of the language that is shown. */
export const currentLanguage = () => language;

/** The one that was chosen before, else the first of the browser's that there is. */
export function preferredLanguage() {
  const wanted = [stored("language"), ...navigator.languages].map((code) => (code ?? "").slice(0, 2).toLowerCase());
  return wanted.find((code) => code in languages) ?? "en";
}

/** Changes the language. */
export async function setLanguage(code, remember = false) {
  texts = (await import(`./i18n/${code}.js`)).default;
  language = code;
  plural = new Intl.PluralRules(code);
  formats = {};
  document.documentElement.lang = code;
  if (remember) store("language", code);
}

/** A text by its key. {name} stands for a parameter; a text with plural forms goes by the parameter n. */
export function t(key, parameters = {}) {
  let text = texts[key];
  if (text === undefined) {
    console.error(`no text ${key} in ${language}`);
    return key;
  }
  if (typeof text === "object") text = text[plural.select(parameters.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = parameters[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? formatNumber(value) : value;
  });
}

function format(name, make) {
  return (formats[name] ??= make());
}

/** A whole number. */
export function formatNumber(value) {
  return format("number", () => new Intl.NumberFormat(language)).format(value);
}

/** A share between 0 and 1. */
export function formatShare(value) {
  return format("share", () => new Intl.NumberFormat(language, { style: "percent" })).format(value);
}

/** A duration in seconds, as 0:07, 12:34 or 1:02:03. */
export function formatDuration(seconds) {
  const whole = Math.floor(seconds);
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A duration in seconds to read aloud: 2 hours 5 minutes. */
export function formatLongDuration(seconds) {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.round((seconds % 3600) / 60);
  const unit = (name, value) =>
    format(name, () => new Intl.NumberFormat(language, { style: "unit", unit: name, unitDisplay: "short" })).format(value);
  return [hours && unit("hour", hours), (minutes || !hours) && unit("minute", minutes)].filter(Boolean).join(" ");
}

/** How long ago something was, given in seconds: 5 min. ago. */
export function formatAgo(seconds) {
  const relative = format("ago", () => new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" }));
  if (seconds < 5) return relative.format(0, "second");
  if (seconds < 60) return relative.format(-Math.floor(seconds), "second");
  if (seconds < 3600) return relative.format(-Math.floor(seconds / 60), "minute");
  if (seconds < 86400) return relative.format(-Math.floor(seconds / 3600), "hour");
  return relative.format(-Math.floor(seconds / 86400), "day");
}

/** A time of day, with seconds; a dash for none. */
export function formatTime(millis) {
  if (Number.isNaN(millis)) return "–";
  return format("time", () => new Intl.DateTimeFormat(language, { timeStyle: "medium", hourCycle: "h23" })).format(millis);
}

/** A time with its day, unless that is today; a dash for none. */
export function formatMoment(millis) {
  if (Number.isNaN(millis)) return "–";
  if (new Date(millis).toDateString() === new Date().toDateString()) return formatTime(millis);
  const options = { day: "numeric", month: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return format("moment", () => new Intl.DateTimeFormat(language, options)).format(millis);
}

/** The hour of a moment in a time zone. */
export function formatHour(millis, timeZone) {
  return format(`hour ${timeZone}`, () =>
    new Intl.DateTimeFormat("en-GB", { hour: "2-digit", hourCycle: "h23", timeZone: timeZone || undefined })).format(millis);
}
