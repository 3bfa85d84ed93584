import { createHash } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { requestOf, sendJson, sendProblem, setJobGroup } from "./problem.ts";
import { parseJson } from "./read-body.ts";
import { parseReport, type CompletionReport, type ReportSource, type TestReport } from "./report.ts";

/** Puts a completion durably on the queue; `duplicate` only when nothing changed. */
export type Report = (report: CompletionReport) => Promise<{ completion: string; duplicate: boolean }>;

/** The part of pino that is used here. */
interface Log {
  warn(fields: object, message: string): void;
}

export interface AcceptDeps {
  readonly report: Report;
  readonly log?: Log;
  /** Told of each completion that was taken, before its 202. */
  readonly taken?: (duplicate: boolean) => void;
  /** What showed who the sender is, for the answer to a test: `the signature is good`. */
  readonly proof?: string;
}

/** An add may take this long before the sender is told to come again, so that 503 is there within a second. */
export const REPORT_TIMEOUT_MS = 800;
/** When to come again while Redis is away. */
export const RETRY_LATER = { "retry-after": "2" };
/** While Redis is away each request fails: one line a second is enough to act on. */
const WARN_EVERY_MS = 1_000;

/**
 * Answers a report whose sender is known: 202 once it is durable, 200 for a test, 400 or 503. Calls `answered` once the
 * answer is given.
 */
export type Accept = (
  body: Buffer,
  source: ReportSource,
  req: Pick<IncomingMessage, "headers">,
  res: ServerResponse,
  answered: () => void,
) => void;

/** Builds what the webhook and the HTTP API have in common: from a raw body to the answer. */
export function createAccept(deps: AcceptDeps): Accept {
  const warn = createThrottledWarn(deps.log);
  return (body, source, { headers }, res, answered) => {
    const json = parseJson(body);
    if ("status" in json) {
      sendProblem(res, json);
      return answered();
    }
    const parsed = parseReport(json.value, source);
    if (parsed.kind === "malformed") {
      sendProblem(res, { status: 400, detail: parsed.detail });
      return answered();
    }
    if (parsed.kind === "test") {
      sendJson(res, 200, tellTest(parsed, deps.proof));
      return answered();
    }
    const report = { ...parsed.report, ...deliveryOf(headers) };
    within(REPORT_TIMEOUT_MS, deps.report(report)).then(
      ({ completion, duplicate }) => {
        deps.taken?.(duplicate);
        setJobGroup(res, report.jobGroupId);
        sendJson(res, 202, { completion, duplicate });
        answered();
      },
      (error: unknown) => {
        warn(
          { err: error, jobGroupId: report.jobGroupId, source, ...requestOf(res) },
          "completion was not taken: answered 503",
        );
        sendProblem(res, {
          status: 503,
          detail: AWAY_DETAIL,
          headers: RETRY_LATER,
        });
        answered();
      },
    );
  };
}

/** The answer to a test delivery. */
export interface ToldTest {
  readonly test: true;
  readonly detail: string;
  readonly understood: object;
}

/** What a test delivery is told: that it was let in, why it counts as a test, and what was understood of it. */
export function tellTest(test: TestReport, proof: string | undefined): ToldTest {
  const letIn = proof === undefined ? "it was let in" : `it was let in (${proof})`;
  return {
    test: true,
    detail: `This was a test delivery: ${letIn}, but ${test.mark}, so nothing is published. A real run of the flow sends the id.`,
    understood: {
      ...(proof !== undefined && { sender: proof }),
      status: test.status ?? null,
      labels: test.labels,
    },
  };
}

// A report that timed out may still have landed: the retry has the same id, so it is merged.
export const AWAY_DETAIL =
  "The relay cannot store the report just now. Send it again: it is safe to repeat, the same job is never taken twice.";

/** What senders name a delivery with: Standard Webhooks, GitHub, clients that repeat themselves, proxies. */
const DELIVERY_HEADERS = ["webhook-id", "x-github-delivery", "idempotency-key", "x-request-id"] as const;
const MAX_DELIVERY_CHARS = 200;

/** The name that the sender gave this delivery, if it gave it one. */
export function deliveryOf(headers: IncomingHttpHeaders): { delivery?: string } {
  for (const name of DELIVERY_HEADERS) {
    const value = headers[name];
    if (typeof value === "string" && value.length > 0)
      return { delivery: value.slice(0, MAX_DELIVERY_CHARS) };
  }
  const signature = headers["x-webhook-signature"];
  // A sender that names nothing signs the time with the body: the same signature is the same delivery.
  if (typeof signature !== "string" || !signature.includes("t=")) return {};
  return { delivery: `signed ${createHash("sha256").update(signature).digest("hex").slice(0, 16)}` };
}

/** Rejects when the work takes longer; what it does later goes unheard. */
export function within<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
    work.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}

/** Warns at most once a second, with how many were left out. */
export function createThrottledWarn(log: Log | undefined): Log["warn"] {
  let quietUntil = 0;
  let suppressed = 0;
  return (fields, message) => {
    const now = Date.now();
    if (now < quietUntil) {
      suppressed++;
      return;
    }
    log?.warn({ ...fields, suppressed }, message);
    quietUntil = now + WARN_EVERY_MS;
    suppressed = 0;
  };
}
