/** Gets a token from the page's own server, which keeps the API key. */
export type Token = string | (() => string | Promise<string>);

export type IdentityType = "login" | "line" | "email";

export interface Options {
  /** The gateway's WebSocket, `wss://host/ws/v1`. Without it, the one of the server that this module came from. */
  url?: string;
  /** With an identity, the connection begins at once; otherwise `auth` begins it. */
  token?: Token;
  identityType?: IdentityType;
  identityValue?: string;
  /** The tenant, where pages of one origin serve several: people of the same name then share nothing. */
  scope?: string;
}

export type Direction = "incoming" | "outgoing" | "incomingLocal" | "outgoingLocal";

/** Who an outside number belongs to. */
export interface Contact {
  name: string;
  organisation?: string;
  /** The contact's page in the CRM. */
  url?: string;
  /** The extension of who looks after the contact. */
  responsible?: string;
  responsibleEmail?: string;
  /** Who takes the call for the responsible, who cannot now. */
  fallback?: string;
  directory?: string;
}

/** What happens to a call at one line. */
export interface Call {
  event: "Ringing" | "Answered" | "Hangup";
  seq: number;
  from: string;
  to: string;
  uniqueId: string;
  direction: Direction;
  /** The extension. */
  line: string;
  /** The queue that the call came from; empty for none. */
  queue: string;
  /** Since when it rings or talks, or when it ended; RFC 3339. */
  time: string;
  contact?: Contact;
  /** For Hangup: who took the call that rang here. */
  closedBy?: { line: string; login?: string };
  /** For Hangup, such as `normal` or `answered_elsewhere`. */
  cause?: string;
}

export interface Result {
  event: string;
  actionid: string;
  result: "accepted" | "refused" | "succeeded" | "failed" | "unknown";
  reason?: string;
  seq?: number;
}

export interface Problem extends Error {
  reason: string;
  /** The close code that ended the connection for good. */
  code?: number;
  /** What a browser did not open. */
  url?: string;
  /** Of an action, and what became of it; `unknown` when nobody knows. */
  actionid?: string;
  result?: "refused" | "failed" | "unknown";
}

export interface Events {
  Ringing: Call;
  Answered: Call;
  Hangup: Call;
  /** A call's contact became known. */
  Contact: { event: "Contact"; seq: number; uniqueId: string; line: string; contact: Contact };
  /** The calls that go on, in place of what was missed. */
  snapshot: { event: "snapshot"; seq: number; calls: Call[] };
  originateresponse: Result;
  hangupcallresponse: Result;
  transferresponse: Result;
  connected: { lines?: string[]; rights?: string[]; expires?: string };
  /** There is no connection, or an attempt failed; the next one is in `retry` milliseconds, if there is one. */
  disconnected: { code: number; reason: string; retry?: number };
  error: Problem;
}

export interface Rule {
  /** Is called with the call; or else `url` is opened. */
  show?: (call: Call) => void;
  /** A template: `{number}` (the other party's), `{contact}` (the name), `{queue}`, and other fields of a call, escaped. */
  url?: string;
  /** The window to open it in, as in `window.open`; a new one unless given. */
  target?: string;
  /** Which calls: fields and the value, or values, that they may have. `direction` is incoming unless given. */
  when?: { [field in "queue" | "direction" | "line" | "from" | "to"]?: string | string[] };
  /** How many milliseconds to wait for a contact that is not known yet; 1000 if the template has one, else 0. */
  wait?: number;
}

export interface Originate { to: string; callerid?: string; line?: string; actionid?: string }
export interface HangupCall { uniqueid?: string; line?: string; actionid?: string }
export interface Transfer {
  /** For `blind` and `attended`; `complete` and `cancel` are of an attended one. */
  to?: string;
  type: "blind" | "attended" | "complete" | "cancel";
  data?: unknown;
  line?: string;
  actionid?: string;
}

export default class Switchhook {
  constructor(options?: Options);

  /** Whether frames come now. While they do not, `calls` is old. */
  readonly connected: boolean;
  /** The calls that go on, by uniqueId. */
  readonly calls: Map<string, Call>;

  /** Says who this is, and begins. For the same identity again, it renews the token. */
  auth(token: Token, identityType: IdentityType, identityValue: string): void;
  /** Leaves, until `auth` is called. If this tab led, another one takes over. */
  close(): void;

  /** Returns what ends it. */
  on<E extends keyof Events>(event: E, fn: (detail: Events[E]) => void): () => void;
  off<E extends keyof Events>(event: E, fn: (detail: Events[E]) => void): void;

  /** Resolves when the exchange has done it, and rejects with a Problem otherwise, at the latest after 20 s. */
  originate(params: Originate): Promise<Result>;
  hangupcall(params?: HangupCall): Promise<Result>;
  transfer(params: Transfer): Promise<Result>;
  /** The same in the vendor's style: the promise may be left alone. */
  emit(name: "originate", params: Originate): Promise<Result>;
  emit(name: "hangupcall", params?: HangupCall): Promise<Result>;
  emit(name: "transfer", params: Transfer): Promise<Result>;

  /** Shows calls as they ring, each in one tab only. Returns what ends it. */
  pop(rule: ((call: Call) => void) | Rule): () => void;
  /** Dials `tel:` links and elements with `data-switchhook-number` on a click or Enter. Returns what ends it. */
  clickToCall(root?: EventTarget): () => void;
  /** Makes `tel:` links of the international numbers in texts. */
  linkNumbers(root?: Node): void;
}
