// Switchhook in a web page: who calls, and calls by a click. README.md tells how. Apache-2.0.
//
// Of a person's tabs one leads, by a Web Lock: it has the socket, and tells the others over a BroadcastChannel. All of them keep
// the calls and the last sequence, so any can go on where it was.

const ACTIONS = { // what each may carry: the gateway refuses anything else
  originate: ["to", "callerid", "line", "actionid"],
  hangupcall: ["uniqueid", "line", "actionid"],
  transfer: ["to", "type", "data", "line", "actionid"],
};
const INCOMING = ["incoming", "incomingLocal"];
const DIALS = 'a[href^="tel:" i],[data-switchhook-number]';
const KEPT = `a,button,input,textarea,select,option,script,style,pre,code,[contenteditable],${DIALS}`;
// Numbers in texts are international: others may be amounts, dates or orders.
const NUMBER = /(^|[^\w+.,/-])((?:\+|00(?=\d{1,3} ))[1-9](?:[ \u00a0.()-]{0,2}\d){7,15})(?![\w+]|[.,:/-]\d)/g;

const locks = globalThis.navigator?.locks; // none in an insecure context: there each tab is on its own
const newId = () => Date.now().toString(36) + Math.random().toString(36).slice(2);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const problem = (reason, more) => Object.assign(new Error(reason), { reason, ...more });
const digits = (text) => text.replace("(0)", "").replace(/[^\d+*#]/g, "");

export default class Switchhook {
  /** Whether frames come now. While they do not, `calls` is old. */
  connected = false;

  #options;
  #id = newId();
  #handlers = {};
  #rules = new Set();
  #popped = []; // calls, where there is no storage
  #pending = new Map(); // actions without a result, by actionid

  #run; // an AbortController, from auth to close
  #name; // of what the person's tabs share
  #channel;
  #leads;
  #up; // the gateway's word that let us in

  #open = new Map(); // frames of the calls that go on, by call and line
  #last = 0; // sequence of the last frame
  #seen; // which frames of that sequence came; undefined: all

  #socket;
  #token;
  #fresh = 0; // until when the token is good
  #heard; // when the socket said something last
  #attempt = 0;
  #retry; // timers
  #renewal;
  #watch;

  constructor(options = {}) {
    const url = new URL(options.url ?? "/ws/v1", import.meta.url);
    url.protocol = url.protocol.replace("http", "ws");
    this.#options = { ...options, url: url.href };
    if (options.token && options.identityValue) this.#start();
  }

  /** Says who this is. The token is a string or a function that gets one. For the same identity again, it renews the token. */
  auth(token, identityType, identityValue) {
    const o = this.#options;
    const same = this.#run && o.identityType === identityType && o.identityValue === identityValue;
    if (!same) this.close();
    Object.assign(o, { token, identityType, identityValue });
    this.#fresh = 0;
    if (!same) this.#start();
    else if (this.#retry) this.#connect();
    else if (this.#leads && this.connected) this.#renew();
  }

  /** Leaves, until auth is called. If this tab led, another one takes over. */
  close() {
    if (!this.#run) return;
    this.#run.abort();
    [this.#retry, this.#renewal, this.#watch].forEach(clearTimeout);
    const socket = this.#socket;
    this.#run = this.#leads = this.#channel = this.#socket = this.#retry = this.#seen = undefined;
    this.#last = this.#fresh = this.#attempt = 0;
    socket?.close(1000);
    this.#open.clear();
    this.#giveUp("closed");
    if (this.connected) this.#down({ code: 1000, reason: "closed" });
  }

  /** The calls that go on, by uniqueId. */
  get calls() {
    const calls = new Map();
    for (const call of this.#open.values()) { // of a call on several lines, the one that talks
      if (calls.get(call.uniqueId)?.event !== "Answered") calls.set(call.uniqueId, call);
    }
    return calls;
  }

  on(event, fn) {
    (this.#handlers[event] ??= new Set()).add(fn);
    return () => this.off(event, fn);
  }

  off(event, fn) {
    this.#handlers[event]?.delete(fn);
  }

  originate(params) { return this.#act("originate", params); }
  hangupcall(params) { return this.#act("hangupcall", params); }
  transfer(params) { return this.#act("transfer", params); }

  /** An action in the vendor's style: nobody has to look after the promise. */
  emit(name, params) {
    const promise = this.#act(name, params);
    promise.catch(() => {});
    return promise;
  }

  /** Shows calls as they ring, each in one tab only. */
  pop(rule) {
    if (typeof rule === "function") rule = { show: rule };
    this.#rules.add(rule);
    this.calls.forEach((call) => this.#pop(call));
    return () => this.#rules.delete(rule);
  }

  /** Dials `tel:` links and elements with data-switchhook-number on a click or Enter. */
  clickToCall(root = document) {
    const stop = new AbortController();
    const dial = (e) => {
      const it = e.target.closest?.(DIALS);
      if (!it || e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || e.repeat || e.defaultPrevented) return;
      // On links and buttons, Enter makes a click of its own.
      if (e.key && (e.key !== "Enter" || it !== e.target || it.matches("a[href],button"))) return;
      const href = it.getAttribute("href");
      const tel = /^tel:/i.test(href) ? decodeURIComponent(href.slice(4).split(";")[0]) : it.textContent;
      const to = digits(it.dataset.switchhookNumber || tel);
      if (!to) return;
      e.preventDefault();
      this.originate({ to }).catch((error) => this.#fire("error", error));
    };
    for (const event of ["click", "keydown"]) root.addEventListener(event, dial, { signal: stop.signal });
    return () => stop.abort();
  }

  /** Makes `tel:` links of the international numbers in texts. */
  linkNumbers(root = document.body) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    for (const text of texts) {
      if (text.parentElement?.closest(KEPT)) continue;
      const parts = [];
      let from = 0;
      for (const { index, 1: before, 2: number } of text.data.matchAll(NUMBER)) {
        const to = digits(number).replace(/^00/, "+");
        if (to.length > 16) continue;
        const link = document.createElement("a");
        link.href = `tel:${to}`;
        link.textContent = number;
        parts.push(text.data.slice(from, index + before.length), link);
        from = index + before.length + number.length;
      }
      if (from) text.replaceWith(...parts, text.data.slice(from));
    }
  }

  #fire(event, detail) {
    const handlers = this.#handlers[event];
    if (event === "error" && !handlers?.size) console.error("switchhook:", detail);
    handlers?.forEach((fn) => {
      try { fn(detail); } catch (error) { reportError(error); }
    });
  }

  // Between the tabs.

  #start() {
    const { url, scope, identityType, identityValue } = this.#options;
    const { signal } = this.#run = new AbortController();
    this.#name = ["switchhook", url, scope, identityType, identityValue].join(" ");
    addEventListener("online", () => this.#wake(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake(), { signal });
    if (!locks) return this.#lead();
    const channel = this.#channel = new BroadcastChannel(this.#name);
    channel.onmessage = ({ data }) => this.#hear(data);
    signal.addEventListener("abort", () => channel.close());
    locks.request(this.#name, { signal }, () => {
      if (signal.aborted) return;
      this.#lead();
      // Not before the others have heard why: they may be at the end, too.
      return new Promise((done) => signal.addEventListener("abort", () => setTimeout(done, 100)));
    }).catch(() => {}); // aborted
    channel.postMessage({ hello: this.#id });
  }

  #tell(message) {
    this.#channel?.postMessage(message);
    this.#hear(message);
  }

  #hear({ frame, up, down, hello, to, state, act, wake }) {
    if (frame) this.#take(frame);
    if (down) this.#down(down);
    if (up) {
      this.#connected(up);
      if (!this.#leads && !this.#last) this.#channel.postMessage({ hello: this.#id });
    }
    if (to === this.#id) {
      [up, this.#open, this.#last, this.#seen] = state;
      if (up && !this.connected) this.#connected(up);
      if (this.#last) this.#snapshot({ event: "snapshot", seq: this.#last, calls: [...this.#open.values()] });
    }
    if (!this.#leads) return;
    if (hello) {
      this.#channel.postMessage({ to: hello, state: [this.connected && this.#up, this.#open, this.#last, this.#seen] });
    }
    if (act) this.#send(act);
    if (wake) this.#wake();
  }

  #connected(up) {
    this.#up = up;
    this.connected = true;
    this.#fire("connected", up);
    // An action that was sent before is done once all the same, by its actionid.
    for (const { frame, accepted } of this.#pending.values()) accepted || this.#send(frame);
  }

  #down(down) {
    this.connected = false;
    this.#fire("disconnected", down);
    if (down.code === 4400 || down.code === 1009) this.#giveUp(down.reason);
    if (down.code === 4403 || down.code === 4404) this.#end(down);
  }

  #end({ code, reason }) {
    this.close();
    this.#fire("error", problem(reason, { code }));
  }

  /** Comes back at once, or sees whether the socket is alive, when the browser may have been away. */
  #wake() {
    if (!this.#leads) this.#channel.postMessage({ wake: true });
    else if (this.#retry) this.#connect();
    else if (this.connected && Date.now() - this.#heard > 2e4) this.#renew();
  }

  // The socket of the tab that leads.

  #lead() {
    this.#leads = true;
    if (this.connected) this.#tell({ down: { code: 1001, reason: "the tab that led has gone", retry: 0 } });
    this.#connect();
  }

  async #connect() {
    const run = this.#run;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const token = await this.#getToken();
    if (run !== this.#run) return;
    if (!token) return this.#later({ code: 4401, reason: "no token" });
    const socket = this.#socket = new WebSocket(this.#options.url);
    this.#await(socket);
    socket.onopen = () => this.#auth(token, this.#last && { last: this.#last, had: this.#seen?.size });
    socket.onclose = (e) => this.#lost(socket, e);
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#heard = Date.now();
      clearTimeout(this.#watch);
      const frame = JSON.parse(data);
      if (frame.event !== "authresponse") this.#tell({ frame });
      else if (frame.ok) this.#welcome(frame);
    };
  }

  #auth(token, more) {
    const { identityType, identityValue } = this.#options;
    this.#socket?.send(JSON.stringify({ action: "auth", token, identityType, identityValue, ...more }));
  }

  async #getToken() {
    const { token } = this.#options;
    if (Date.now() < this.#fresh) return this.#token;
    try {
      this.#token = typeof token === "function" ? await token() : token;
    } catch (error) {
      this.#fire("error", problem(`no token: ${error?.message ?? error}`));
      return;
    }
    if (token !== this.#options.token) return this.#getToken(); // auth was called meanwhile
    this.#fresh = Infinity; // until the gateway says
    return this.#token;
  }

  #welcome(up) {
    const { token } = this.#options;
    const left = Date.parse(up.expires) - Date.now();
    clearTimeout(this.#renewal);
    this.#attempt = 0;
    if (left > 0) { // else this clock is wrong, and 4401 will tell
      this.#fresh = Date.now() + left * 0.8;
      const renew = () => {
        this.#fresh = 0;
        this.#renew();
      };
      if (typeof token === "function") this.#renewal = setTimeout(renew, Math.min(left * 0.8, 36e5));
    }
    if (this.connected) this.#up = up;
    else this.#tell({ up });
  }

  /** Sends a token on the open socket, which must answer. */
  async #renew() {
    const socket = this.#socket;
    const token = await this.#getToken();
    if (socket !== this.#socket) return;
    clearTimeout(this.#renewal);
    if (token) {
      this.#await(socket);
      this.#auth(token);
    } else this.#renewal = setTimeout(() => this.#renew(), 5e3);
  }

  #await(socket) {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(() => {
      socket.close();
      this.#lost(socket, { code: 1006, reason: "no answer" });
    }, 1e4);
  }

  #lost(socket, { code, reason }) {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    clearTimeout(this.#watch);
    clearTimeout(this.#renewal);
    if (code === 4401) this.#fresh = 0;
    this.#later({ code, reason });
  }

  #later(down) {
    const { token } = this.#options;
    const retry = 250 + Math.random() * Math.min(3e4, 1e3 * 2 ** this.#attempt++);
    this.#retry = setTimeout(() => this.#connect(), retry);
    this.#tell({ down: { ...down, retry } });
    // Without another token this tab gives up. One that has may take over.
    if (down.code === 4401 && typeof token !== "function" && token === this.#options.token) this.#end(down);
  }

  // Actions.

  #act(action, params = {}) {
    return new Promise((resolve, reject) => {
      const frame = { action };
      const actionid = String(params.actionid ?? newId());
      if (!this.#run) throw problem("auth comes first", { actionid });
      if (!ACTIONS[action]) throw problem(`there is no action ${action}`, { actionid });
      if (this.#pending.has(actionid)) throw problem("the actionid is in use", { actionid });
      for (const key of ACTIONS[action]) {
        if (params[key] != null) frame[key] = key === "data" ? params[key] : String(params[key]);
      }
      frame.actionid = actionid;
      const settle = (answer) => {
        clearTimeout(timer);
        this.#pending.delete(actionid);
        if (answer.result === "succeeded") resolve(answer);
        else reject(problem(answer.reason || answer.result, answer));
      };
      const timer = setTimeout(() => settle({ actionid, result: "unknown", reason: "no answer in time" }), 2e4);
      this.#pending.set(actionid, { frame, settle });
      this.#send(frame);
    });
  }

  /** Sends an action. What cannot be sent now is sent once connected. */
  #send(frame) {
    if (!this.#leads) this.#channel.postMessage({ act: frame });
    else if (this.connected) this.#socket.send(JSON.stringify(frame));
  }

  #giveUp(reason) {
    for (const [actionid, { settle }] of this.#pending) settle({ actionid, result: "unknown", reason });
  }

  // Frames.

  #take(frame) {
    const { event, seq, uniqueId, line, actionid } = frame;
    const at = `${uniqueId} ${line}`;
    if (event === "snapshot") {
      this.#open = new Map(frame.calls.map((call) => [`${call.uniqueId} ${call.line}`, call]));
      this.#last = seq;
      this.#seen = undefined;
      return this.#snapshot(frame);
    }
    if (seq) { // several frames may share one
      const name = `${event} ${at} ${actionid}`;
      if (seq < this.#last || seq === this.#last && (!this.#seen || this.#seen.has(name))) return;
      if (seq === this.#last) this.#seen.add(name);
      else if (this.#last || this.#leads) { // a tab that knows nothing yet needs a snapshot
        this.#last = seq;
        this.#seen = new Set([name]);
      }
    }
    if (event === "Hangup") this.#open.delete(at);
    else if (event === "Contact") {
      for (const [key, call] of this.#open) {
        if (call.uniqueId === uniqueId) this.#open.set(key, { ...call, contact: frame.contact });
      }
    } else if (event === "Ringing" || event === "Answered") this.#open.set(at, frame);
    this.#fire(event, frame);
    this.#pop(frame);
    const action = this.#pending.get(actionid);
    if (frame.result === "accepted" && action) action.accepted = true;
    else if (frame.result) action?.settle(frame);
  }

  #snapshot(frame) {
    this.#fire("snapshot", frame);
    frame.calls.forEach((call) => this.#pop(call));
  }

  // Pops.

  async #pop(call) {
    const fits = ({ when }) =>
      Object.entries({ direction: INCOMING, ...when }).every(([key, value]) => [value].flat().includes(call[key]));
    const rules = [...this.#rules].filter(fits);
    if (call.event !== "Ringing" || !rules.length) return;
    if (document.hidden) await sleep(200); // a tab that is seen comes first
    if (await this.#claim(call.uniqueId)) rules.forEach((rule) => this.#show(rule, call));
  }

  /** Whether this tab is the one that pops a call. */
  #claim(id) {
    const key = `${this.#name} pops`;
    const first = () => {
      try { this.#popped = JSON.parse(localStorage[key] ?? "[]"); } catch {} // not allowed
      if (this.#popped.includes(id)) return false;
      this.#popped = [...this.#popped.slice(-49), id];
      try { localStorage[key] = JSON.stringify(this.#popped); } catch {}
      return true;
    };
    if (!locks) return first();
    return new Promise((tell) => locks.request(`${key} ${id}`, { ifAvailable: true }, async (lock) => {
      const mine = !!lock && first();
      tell(mine);
      if (mine) await sleep(6e4); // other processes see the storage late
    }));
  }

  async #show({ show, url, target, wait = /\{contact\}/.test(url) ? 1e3 : 0 }, call) {
    call = this.calls.get(call.uniqueId) ?? call; // its contact may have come meanwhile
    if (wait && !call.contact) {
      let off;
      const known = new Promise((done) => { off = this.on("Contact", (c) => c.uniqueId === call.uniqueId && done()); });
      await Promise.race([known, sleep(wait)]);
      off();
      call = this.calls.get(call.uniqueId);
      if (!call) return; // it is over
    }
    if (show) return show(call);
    const values = { ...call, number: INCOMING.includes(call.direction) ? call.from : call.to, contact: call.contact?.name };
    const href = url.replace(/\{(\w+)\}/g, (_, key) => encodeURIComponent(values[key] ?? ""));
    const page = open(href, target ?? "_blank");
    if (!page) this.#fire("error", problem("the browser blocked a pop", { url: href }));
    else if (!target) page.opener = null;
  }
}
