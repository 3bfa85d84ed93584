import { type AddressTrouble, PlatformError, type PlatformFailure } from "../errors.ts";
import { troubleOfAnswer, troubleOfEvent, troubleOfReading } from "./address-trouble.ts";
import type { Answer, NoAnswer } from "./exchange.ts";
import {
  clip,
  type PlatformWords,
  readWords,
  sayAlreadyPublished,
  sayPublishRuns,
} from "./platform-words.ts";
import { readableReason } from "./readable-reason.ts";
import { askedToWaitMs, type AnswerHeaders, header } from "./retry-after.ts";
import { type CallKind, judge, type TransportEvent } from "./retry-table.ts";

/** A call, as messages name it. */
export interface CallName {
  readonly kind: CallKind;
  readonly method: "GET" | "PUT" | "POST";
  readonly path: string;
}

/** What the failures of one call are told with. */
export interface Telling {
  readonly call: CallName;
  /** Has DESIGNER_CLOUD_URL a path, which stands in `call` too? */
  readonly hasPrefix: boolean;
  /** Where the token comes from. */
  readonly tokenFrom: string;
  readonly nowMs: number;
  /** Takes the token out of a text. */
  readonly redact: (text: string) => string;
}

/** The failure that an answer other than 2xx stands for. */
export function refusal(answer: Answer, telling: Telling): PlatformError {
  const { call, redact } = telling;
  const words = readWords(answer.body, redact);
  const spoken = `${words.name ?? ""} ${words.text}`;
  const sameTarget =
    call.kind === "publish" && MAY_BE_SAME_TARGET.has(answer.status) && sayAlreadyPublished(spoken);
  const said = sameTarget ? "same target" : sayPublishRuns(spoken) ? "busy" : undefined;
  const family = `${Math.floor(answer.status / 100)}xx`;
  const rows = [
    ...(said ? [`${answer.status} ${said}`, `${family} ${said}`] : []),
    `${answer.status}`,
    family,
  ];
  const verdict = judge(call.kind, rows);
  const retryAfterMs = askedToWaitMs(
    { status: answer.status, headers: answer.headers, words: words.text },
    telling.nowMs,
  );
  const requestId = requestIdOf(answer.headers, redact);
  const hint = hintFor(answer, words, telling);
  const address = troubleOfAnswer(answer.status, words.name, requestId, telling);
  const message =
    `${whoOf(address)} answered ${answer.status}${words.name ? ` ${words.name}` : ""} to ${call.method} ${call.path}` +
    `${hint ? `: ${hint}` : ""}${words.text ? `: "${words.text}"` : ""}${inBrackets(requestId)}`;
  return tell(message, redact, {
    ...verdict,
    status: answer.status,
    code: words.name ?? `HTTP_${answer.status}`,
    ...(requestId ? { requestId } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(sameTarget && verdict.next === "refused" ? { sameTarget } : {}),
    ...(said === "busy" && verdict.next === "unknown" ? { saysBusy: true } : {}),
    ...(address ? { address } : {}),
  });
}

/** The failure of a call that got no usable answer. */
export function noAnswer(outcome: NoAnswer, { call, redact }: Telling): PlatformError {
  const requestId = outcome.headers && requestIdOf(outcome.headers, redact);
  const sent = outcome.sent ? "" : "; nothing was sent";
  const detail = clip(redact(readableReason(outcome.words)), 200);
  const address = troubleOfEvent(outcome.event, call);
  const message =
    `${call.method} ${call.path}: ${EVENT_WORDS[outcome.event]} (${outcome.code}${detail ? `, ${detail}` : ""})` +
    `${sent}${inBrackets(requestId)}`;
  return tell(message, redact, {
    ...judge(call.kind, [outcome.event]),
    code: outcome.code,
    ...(outcome.status === undefined ? {} : { status: outcome.status }),
    ...(requestId ? { requestId } : {}),
    ...(address ? { address } : {}),
  });
}

/** The failure that a 2xx stands for when it cannot be read. */
export function unreadable(
  answer: Answer,
  problem: { event: "bad-json" | "wrong-shape"; words: string },
  telling: Telling,
): PlatformError {
  const { call, redact } = telling;
  const requestId = requestIdOf(answer.headers, redact);
  const address = troubleOfReading(requestId, call);
  const message =
    `${whoOf(address)} answered ${answer.status} to ${call.method} ${call.path}, but ${EVENT_WORDS[problem.event]}: ` +
    `${clip(redact(problem.words), 200)}${inBrackets(requestId)}`;
  return tell(message, redact, {
    ...judge(call.kind, [problem.event]),
    status: answer.status,
    code: problem.event === "bad-json" ? "BAD_JSON" : "WRONG_SHAPE",
    ...(requestId ? { requestId } : {}),
    ...(address ? { address } : {}),
  });
}

/** Who is not known to be the platform is not called by its name. */
const whoOf = (address: AddressTrouble | undefined): string =>
  address === "stranger" || address === "redirect" ? "The server at DESIGNER_CLOUD_URL" : "Designer Cloud";

/** `x-trifacta-request-id`: what the vendor's support asks for. */
export function requestIdOf(headers: AnswerHeaders, redact: (text: string) => string): string | undefined {
  const requestId = header(headers, "x-trifacta-request-id");
  return requestId === undefined ? undefined : clip(redact(requestId), 100);
}

/** The platform does not know what was asked for (and not: it does not know the route). */
export function isNotFound(error: unknown): error is PlatformError {
  if (!(error instanceof PlatformError) || error.failure.next !== "refused") return false;
  const { status, code } = error.failure;
  if (code === "DataNotFoundException") return true;
  return (status === 404 || status === 410) && code !== "RouteNotFoundException";
}

// No `cause`: the message says all, and undici's errors can carry bytes of the answer, which may repeat the token.
function tell(message: string, redact: (text: string) => string, failure: PlatformFailure): PlatformError {
  return new PlatformError(redact(message), failure);
}

function inBrackets(requestId: string | undefined): string {
  return requestId ? ` (request id ${requestId})` : "";
}

const MAY_BE_SAME_TARGET: ReadonlySet<number> = new Set([400, 409, 422]);

const EVENT_WORDS: Record<TransportEvent, string> = {
  "no-token": "there is no access token to send",
  "dns-failure": "the host of DESIGNER_CLOUD_URL was not found",
  "connection-refused": "the connection was refused",
  "tls-failure":
    "the TLS handshake failed; check that DESIGNER_CLOUD_URL is right about https, host and port, and that this machine trusts its certificate (NODE_EXTRA_CA_CERTS)",
  "connect-timeout": "no connection in time",
  "no-connection": "no connection could be made",
  "no-free-connection": "no connection became free in time",
  "send-window-over": "the time in which it could be sent was over",
  "stopped-before-sending": "it was stopped",
  "stopped-after-sending": "it was stopped before an answer came",
  "headers-timeout": "no answer in time",
  "body-timeout": "the answer did not end in time",
  "connection-lost": "the connection was lost before the answer was complete",
  "not-http": "the answer is not HTTP",
  "too-large": "the answer is larger than 5 MB",
  "bad-json": "that is no JSON",
  "wrong-shape": "the JSON is not of the expected shape",
};

function hintFor(answer: Answer, words: PlatformWords, { call, tokenFrom }: Telling): string | undefined {
  if (answer.status >= 300 && answer.status < 400) {
    return `it redirects to ${redirectTarget(answer.headers)}, which is not followed; set DESIGNER_CLOUD_URL to the address that answers itself`;
  }
  if (answer.status === 401)
    return `the access token is missing, expired or of another workspace; put a good one into ${tokenFrom}`;
  if (call.kind === "publish" && words.name === "RouteNotFoundException")
    return "this tenant has no publish route";
  if (call.kind === "create" && words.name === "RouteNotFoundException")
    return "this tenant has no route for that";
  return undefined;
}

/** Without the query: it may carry a session. */
function redirectTarget(headers: AnswerHeaders): string {
  const location = header(headers, "location");
  if (location === undefined) return "an address that it does not name";
  return clip(location.replace(/[?#].*$/s, ""), 200);
}
