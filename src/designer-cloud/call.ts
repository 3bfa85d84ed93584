import type { Dispatcher } from "undici";
import type { z } from "zod";
import { type ExchangeLimits, exchange } from "./exchange.ts";
import { type CallName, noAnswer, refusal, requestIdOf, type Telling, unreadable } from "./failure.ts";
import { hiding, type TokenHiding } from "./hiding.ts";
import { dateOf } from "./retry-after.ts";

/** What calls are made with. */
export interface CallDeps {
  readonly connections: Dispatcher;
  /** The path before `/v4`. */
  readonly prefix: string;
  readonly token: () => string | Promise<string>;
  /** Where the token comes from, as messages name it. */
  readonly tokenFrom: string;
  /** What takes a token out of answers and messages. */
  readonly hidingOf: (token: string) => TokenHiding;
  readonly limits: ExchangeLimits;
  readonly now: () => number;
}

/** What a call may carry. */
interface CallOptions {
  readonly body?: string;
  /** Beside the usual ones. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly mayStillSend?: () => boolean;
  readonly signal?: AbortSignal | undefined;
  /** What the body holds that no message may repeat. */
  readonly secrets?: readonly string[];
}

/**
 * Makes one call and reads its answer; whatever goes wrong is thrown as a `PlatformError`. `at` is the platform's time
 * of the answer in epoch milliseconds, cut to the second.
 */
export async function callPlatform<T>(
  deps: CallDeps,
  name: CallName,
  schema: z.ZodType<T>,
  { body, headers: more = {}, mayStillSend, signal, secrets = [] }: CallOptions,
): Promise<{ status: number; requestId: string | undefined; at: number | undefined; value: T }> {
  const token = await currentToken(deps, name);
  const hides = deps.hidingOf(token);
  const redact = secrets.length === 0 ? hides.redact : hiding([token, ...secrets]);
  const headers = {
    authorization: `Bearer ${token}`,
    accept: "application/json",
    "user-agent": "publish-relay",
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    ...more,
  };
  const outcome = await exchange(
    deps.connections,
    {
      method: name.method,
      path: deps.prefix + name.path,
      headers,
      ...(body === undefined ? {} : { body }),
      ...(mayStillSend ? { mayStillSend } : {}),
      signal,
    },
    deps.limits,
  );
  const call = { ...name, path: deps.prefix + name.path };
  const telling: Telling = {
    call,
    hasPrefix: deps.prefix !== "",
    tokenFrom: deps.tokenFrom,
    nowMs: deps.now(),
    redact,
  };
  if (outcome.kind === "no-answer") throw noAnswer(outcome, telling);
  if (outcome.status >= 300) throw refusal(outcome, telling);
  // A publish job's own error may repeat the token too.
  const read = parseAnswer(hides.cut(outcome.body), schema);
  if ("event" in read) throw unreadable(outcome, read, telling);
  const requestId = requestIdOf(outcome.headers, redact);
  return { status: outcome.status, requestId, at: dateOf(outcome.headers), value: read.value };
}

async function currentToken(
  { token: source, tokenFrom }: Pick<CallDeps, "token" | "tokenFrom">,
  call: CallName,
): Promise<string> {
  const failed = (words: string) =>
    noAnswer(
      { kind: "no-answer", event: "no-token", code: "NO_TOKEN", words, sent: false },
      { call, hasPrefix: false, tokenFrom, nowMs: 0, redact: (text) => text },
    );
  let token: string;
  try {
    token = await source();
  } catch (error) {
    throw failed(error instanceof Error ? error.message : "");
  }
  // What a header cannot carry must fail here: undici's own words might repeat it.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw failed(`${tokenFrom} is empty, or holds spaces or other characters that a token has not`);
  return token;
}

function parseAnswer<T>(
  body: string,
  schema: z.ZodType<T>,
): { value: T } | { event: "bad-json" | "wrong-shape"; words: string } {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    return {
      event: "bad-json",
      words: body.trim() === "" ? "it is empty" : `it begins with ${body.trimStart().slice(0, 4_000)}`,
    };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { value: parsed.data };
  const problems = parsed.error.issues
    .slice(0, 3)
    .map((issue) => `${issue.path.join(".") || "answer"}: ${issue.message}`);
  return { event: "wrong-shape", words: problems.join("; ") };
}
