import type { ServerResponse } from "node:http";
import { type Answer, usual } from "./answer.ts";
import type { Fault } from "./faults.ts";
import type { LoggedRequest } from "./request-log.ts";
import type { World } from "./world.ts";

/** Faults that strike the answer alone: the request took effect, unless the fault says `apply: false`. */
const APPLIED = new Set<Fault["kind"]>([
  "apply-and-drop",
  "apply-and-504",
  "slow",
  "bad-json",
  "wrong-shape",
  "headers-then-hang",
]);

/** Whether the platform acts on the request that this fault strikes. */
export function takesEffect(fault: Fault): boolean {
  return fault.apply ?? APPLIED.has(fault.kind);
}

/** Answers as the fault wants it: other words, late, cut off or not at all. */
export function deliver(
  entry: LoggedRequest,
  res: ServerResponse,
  fault: Fault,
  answer: Answer | undefined,
  world: World,
): void {
  const headers = fault.headers ?? {};
  const real = answer ?? usual(500);
  switch (fault.kind) {
    case "drop":
    case "apply-and-drop":
      return cut(entry, res, "dropped");
    case "reset-before-read":
      return cut(entry, res, "reset");
    case "status":
      return send(entry, res, statusAnswer(fault));
    case "apply-and-504":
      return send(entry, res, usual(504));
    case "slow": {
      const timer = setTimeout(
        () => send(entry, res, real),
        world.dice().span(fault.ms ?? 40_000, `slow/${entry.n}`),
      );
      res.once("close", () => clearTimeout(timer));
      return;
    }
    case "bad-json":
      return send(entry, res, { status: 200, body: '{"jobgroupId":', contentType: "application/json" });
    case "wrong-shape":
      return send(entry, res, { status: 200, body: fault.body ?? { surprise: ["not", "the", "shape"] } });
    case "redirect": {
      const location = fault.location ?? "http://127.0.0.1:9/elsewhere";
      return send(entry, res, {
        status: fault.status ?? 302,
        body: undefined,
        headers: { ...headers, location },
      });
    }
    case "headers-then-hang":
      entry.result = "hung";
      res.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      res.write("{");
      return;
    case "ok-but-ignored":
      return send(entry, res, {
        status: 200,
        body: { jobgroupId: entry.jobGroupId, reason: "JobStarted", sessionId: crypto.randomUUID() },
      });
    case "stuck":
    case "late":
    case "long":
    case "fail":
    case "cancel":
    case "own-group":
      throw new Error(`${fault.kind} is no fault of the answer`);
  }
}

function statusAnswer(fault: Fault): Answer {
  const answer = usual(fault.status ?? 500, fault.retryAfterSeconds);
  const retry: Record<string, string> =
    fault.retryAfterSeconds === undefined ? {} : { "x-retry-after": String(fault.retryAfterSeconds) };
  const headers = { ...answer.headers, ...retry, ...fault.headers };
  if (fault.body === undefined) return { ...answer, headers };
  const isText = typeof fault.body === "string";
  return { status: answer.status, body: fault.body, headers, ...(isText && { contentType: "text/html" }) };
}

/** Writes an answer with the platform's request id. */
export function send(entry: LoggedRequest, res: ServerResponse, answer: Answer): void {
  if (res.destroyed) return;
  entry.result = answer.status;
  const text = textOf(answer);
  res.writeHead(answer.status, {
    "x-trifacta-request-id": entry.requestId,
    "content-type": answer.contentType ?? "application/json; charset=utf-8",
    ...(answer.status !== 304 && { "content-length": Buffer.byteLength(text) }),
    ...answer.headers,
  });
  res.end(text);
}

/** Ends the connection without an answer: closed, or reset. */
export function cut(entry: LoggedRequest, res: ServerResponse, result: "dropped" | "reset"): void {
  entry.result = result;
  if (result === "reset") res.socket?.resetAndDestroy();
  else res.destroy();
}

function textOf({ body, contentType }: Answer): string {
  if (body === undefined) return "";
  return contentType !== undefined && typeof body === "string" ? body : JSON.stringify(body);
}
