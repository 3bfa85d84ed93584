import type { GateReason, Next } from "../errors.ts";

/**
 * `publish` is the one PUT that changes something; a `read` can be repeated at will; a `create` makes a new object each
 * time, so one that may have arrived is never sent again by itself. A `run` starts a job group: one that may have arrived
 * may be sent again with the same execution id, and only so, since the platform runs each id once.
 */
export type CallKind = "publish" | "read" | "create" | "run";

/** What is to be done after something happened to a call. */
export interface Verdict {
  readonly next: Next;
  readonly gate?: GateReason;
}

/** What happens to a call that gets no usable answer. The first nine are before anything was sent. */
export type TransportEvent =
  | "no-token"
  | "dns-failure"
  | "connection-refused"
  | "tls-failure"
  | "connect-timeout"
  | "no-connection"
  | "no-free-connection"
  | "send-window-over"
  | "stopped-before-sending"
  | "stopped-after-sending"
  | "headers-timeout"
  | "body-timeout"
  | "connection-lost"
  | "not-http"
  | "too-large"
  | "bad-json"
  | "wrong-shape";

const REFUSED: Verdict = { next: "refused" };
const BUSY: Verdict = { next: "busy" };
const RETRY: Verdict = { next: "retry" };
const NOT_SENT: Verdict = { next: "not-sent" };
const UNKNOWN: Verdict = { next: "unknown" };
const UNAUTHORIZED: Verdict = { next: "gate", gate: "unauthorized" };
const THROTTLED: Verdict = { next: "gate", gate: "throttled" };
const AWAY: Verdict = { next: "gate", gate: "away" };

/**
 * The one place that decides whether a call may be repeated.
 * A row is an event, a status or a family of statuses (the fallback), each also with what its words say.
 */
export const RETRY_TABLE = {
  publish: {
    "no-token": UNAUTHORIZED,
    "dns-failure": AWAY,
    "connection-refused": AWAY,
    "tls-failure": AWAY,
    "connect-timeout": AWAY,
    "no-connection": AWAY,
    "no-free-connection": AWAY,
    "send-window-over": NOT_SENT,
    "stopped-before-sending": NOT_SENT,
    "stopped-after-sending": UNKNOWN,
    "headers-timeout": UNKNOWN,
    "body-timeout": UNKNOWN,
    "connection-lost": UNKNOWN,
    "not-http": UNKNOWN,
    "too-large": UNKNOWN,
    "bad-json": UNKNOWN,
    "wrong-shape": UNKNOWN,
    // 303 is how a server says "done, see there"; the other redirects say that nothing was done here.
    "303": UNKNOWN,
    "3xx": AWAY,
    "400": REFUSED,
    "401": UNAUTHORIZED,
    "401 busy": UNAUTHORIZED,
    "403": REFUSED,
    "404": REFUSED,
    "404 busy": REFUSED,
    "405": REFUSED,
    "408": UNKNOWN,
    "408 busy": UNKNOWN,
    "409": BUSY,
    "409 same target": REFUSED,
    "410": REFUSED,
    "415": REFUSED,
    "422": REFUSED,
    "425": RETRY,
    "429": THROTTLED,
    "429 busy": THROTTLED,
    "4xx": REFUSED,
    "4xx busy": BUSY,
    "500": UNKNOWN,
    "502": UNKNOWN,
    "503": UNKNOWN,
    "504": UNKNOWN,
    "5xx": UNKNOWN,
  },
  read: {
    "no-token": UNAUTHORIZED,
    "dns-failure": AWAY,
    "connection-refused": AWAY,
    "tls-failure": AWAY,
    "connect-timeout": AWAY,
    "no-connection": AWAY,
    "no-free-connection": AWAY,
    "send-window-over": NOT_SENT,
    "stopped-before-sending": NOT_SENT,
    "stopped-after-sending": NOT_SENT,
    "headers-timeout": RETRY,
    "body-timeout": RETRY,
    "connection-lost": AWAY,
    "not-http": RETRY,
    "too-large": RETRY,
    "bad-json": RETRY,
    "wrong-shape": RETRY,
    "3xx": AWAY,
    "401": UNAUTHORIZED,
    "408": RETRY,
    "425": RETRY,
    "429": THROTTLED,
    "4xx": REFUSED,
    "500": RETRY,
    "502": AWAY,
    "503": AWAY,
    "504": AWAY,
    "5xx": RETRY,
  },
  create: {
    "no-token": UNAUTHORIZED,
    "dns-failure": AWAY,
    "connection-refused": AWAY,
    "tls-failure": AWAY,
    "connect-timeout": AWAY,
    "no-connection": AWAY,
    "no-free-connection": AWAY,
    "send-window-over": NOT_SENT,
    "stopped-before-sending": NOT_SENT,
    "stopped-after-sending": UNKNOWN,
    "headers-timeout": UNKNOWN,
    "body-timeout": UNKNOWN,
    "connection-lost": UNKNOWN,
    "not-http": UNKNOWN,
    "too-large": UNKNOWN,
    "bad-json": UNKNOWN,
    "wrong-shape": UNKNOWN,
    "303": UNKNOWN,
    "3xx": AWAY,
    "401": UNAUTHORIZED,
    "408": UNKNOWN,
    "429": THROTTLED,
    "4xx": REFUSED,
    "5xx": UNKNOWN,
  },
  run: {
    "no-token": UNAUTHORIZED,
    "dns-failure": AWAY,
    "connection-refused": AWAY,
    "tls-failure": AWAY,
    "connect-timeout": AWAY,
    "no-connection": AWAY,
    "no-free-connection": AWAY,
    "send-window-over": NOT_SENT,
    "stopped-before-sending": NOT_SENT,
    "stopped-after-sending": UNKNOWN,
    "headers-timeout": UNKNOWN,
    "body-timeout": UNKNOWN,
    "connection-lost": UNKNOWN,
    "not-http": UNKNOWN,
    "too-large": UNKNOWN,
    "bad-json": UNKNOWN,
    "wrong-shape": UNKNOWN,
    "303": UNKNOWN,
    // The execution id ran already: this call started nothing.
    "304": REFUSED,
    "3xx": AWAY,
    "401": UNAUTHORIZED,
    "408": UNKNOWN,
    "429": THROTTLED,
    "4xx": REFUSED,
    "5xx": UNKNOWN,
  },
} as const satisfies Record<CallKind, Record<TransportEvent, Verdict> & Record<string, Verdict>>;

/** The verdict on the first of `rows` that the table has; of rows that nobody foresaw, the careful one. */
export function judge(call: CallKind, rows: readonly string[]): Verdict {
  const table: Readonly<Record<string, Verdict>> = RETRY_TABLE[call];
  for (const row of rows) {
    const verdict = table[row];
    if (verdict) return verdict;
  }
  return call === "read" ? RETRY : UNKNOWN;
}
