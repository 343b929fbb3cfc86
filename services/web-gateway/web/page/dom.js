// Elements without templates: data only ever becomes text or an attribute, never markup.

const svgNamespace = "http://www.w3.org/2000/svg";

/** Makes an HTML element: h("button.primary", {onclick, disabled: true}, "Save"). Properties that are null or false are left out. */
export function h(tag, properties, ...children) {
  return build((name) => document.createElement(name), tag, properties, children);
}

/** Makes an SVG element, in the same way. */
export function svg(tag, properties, ...children) {
  return build((name) => document.createElementNS(svgNamespace, name), tag, properties, children);
}

function build(create, tag, properties, children) {
  const [name, ...classes] = tag.split(".");
  const element = create(name);
  if (isContent(properties)) {
    children.unshift(properties);
    properties = null;
  }
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value == null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") classes.push(...value.split(" ").filter(Boolean));
    else if (key === "value" || key === "checked") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  if (classes.length) element.setAttribute("class", classes.join(" "));
  element.append(...children.flat(2).filter((child) => child != null && child !== false));
  return element;
}

function isContent(value) {
  return typeof value !== "object" || value instanceof Node || Array.isArray(value);
}

/** Replaces what an element holds. */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat(2).filter((child) => child != null && child !== false));
}

/** Sets a text, without work for the browser and screen readers when it is the same. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Shows items as children of an element: make(item) is called for new items and for those that are no longer the same object.
 * The others are left alone, and the focus stays where it was.
 */
export function showRows(parent, items, keyOf, make) {
  const before = parent.rowsByKey ?? new Map();
  const after = new Map();
  const active = parent.contains(document.activeElement) ? document.activeElement : null;
  let lost = null;
  for (const item of items) {
    const key = keyOf(item);
    const old = before.get(key);
    if (old?.item === item) {
      after.set(key, old);
      continue;
    }
    after.set(key, { item, element: make(item) });
    if (old?.element.contains(active)) lost = { key, act: active.dataset.act };
  }
  for (const [key, row] of before) if (after.get(key)?.element !== row.element) row.element.remove();
  let next = parent.firstElementChild;
  for (const { element } of after.values()) {
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  parent.rowsByKey = after;
  if (lost) refocus(after.get(lost.key).element, lost.act);
}

function refocus(row, act) {
  const same = act && row.querySelector(`[data-act="${CSS.escape(act)}"]:not(:disabled)`);
  (same || row.querySelector("button:not(:disabled), a[href]") || row).focus();
}
