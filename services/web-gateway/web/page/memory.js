// What this browser remembers between visits. Never a token.

const prefix = "switchhook.";

/** What was stored under a name; null for nothing, and where the browser does not allow it. */
export function stored(name) {
  try {
    return localStorage.getItem(prefix + name);
  } catch {
    return null;
  }
}

/** Stores a text under a name; null forgets it. */
export function store(name, value) {
  try {
    if (value === null) localStorage.removeItem(prefix + name);
    else localStorage.setItem(prefix + name, value);
  } catch {
    // Then it is asked again next time.
  }
}
