import type { IncomingMessage, ServerResponse } from "node:http";
import { usual } from "./answer.ts";
import { cut, deliver, send, takesEffect } from "./deliver.ts";
import { readJson } from "./read-json.ts";
import type { LoggedRequest } from "./request-log.ts";
import { routeOf } from "./route.ts";
import { answerOf } from "./routes.ts";
import type { World } from "./world.ts";

/** What a caller outside may do while requests are served. */
export interface ServeHooks {
  onRequest(entry: LoggedRequest): void;
  onAnswer(entry: LoggedRequest): void;
}

/** Serves one platform request: log, faults, the platform's answer, and the fault's way to deliver it. */
export async function servePlatform(
  req: IncomingMessage,
  res: ServerResponse,
  world: World,
  hooks: ServeHooks,
): Promise<void> {
  const method = req.method ?? "GET";
  const url = req.url ?? "/";
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const route = routeOf(method, path);
  const jobGroupId = path.startsWith("/v4/jobGroups/") ? Number(route.id) : undefined;
  const authorization = tokenOf(req, world);
  const entry = world.log.add({
    at: Date.now(),
    method,
    path: url,
    kind: route.kind,
    requestId: crypto.randomUUID(),
    token: authorization.state,
    ...(jobGroupId !== undefined && { jobGroupId }),
  });
  res.once("close", () => {
    entry.answeredAt = Date.now();
    entry.result ??= "client-left";
    hooks.onAnswer(entry);
  });

  const early = world.faults.beforeRead({ on: route.kind, jobGroupId });
  if (early !== undefined) {
    entry.fault = early.kind;
    hooks.onRequest(entry);
    return cut(entry, res, "reset");
  }
  const body = method === "GET" ? undefined : await readJson(req);
  if (req.errored !== null) return;
  if (body !== undefined) entry.body = body;
  const fault = world.faults.ofAnswer({ on: route.kind, jobGroupId, ...targetOf(body) });
  if (fault !== undefined) entry.fault = fault.kind;

  const query = new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1));
  const applies = fault === undefined || takesEffect(fault);
  const { token } = authorization;
  const answer = applies
    ? answerOf({ method, path, query, route, headers: req.headers, token, body }, world)
    : undefined;
  if (answer?.publishJobId !== undefined) entry.publishJobId = answer.publishJobId;
  hooks.onRequest(entry);
  if (fault === undefined) return send(entry, res, answer ?? usual(500));
  deliver(entry, res, fault, answer, world);
}

function tokenOf(
  req: IncomingMessage,
  { platform }: World,
): { state: LoggedRequest["token"]; token: string | undefined } {
  const [, token] = /^Bearer (.+)$/i.exec(req.headers.authorization ?? "") ?? [];
  if (token === undefined) return { state: "missing", token };
  const known = platform.tokens.get(token);
  if (known === undefined) return { state: "unknown", token: undefined };
  if (Date.now() >= known.expiresAt) return { state: "expired", token: undefined };
  return { state: "ok", token };
}

function targetOf(body: unknown): { connection?: number; table?: string } {
  if (typeof body !== "object" || body === null) return {};
  const { connection, table } = body as { connection?: { id?: unknown }; table?: unknown };
  return {
    ...(typeof connection?.id === "number" && { connection: connection.id }),
    ...(typeof table === "string" && { table }),
  };
}
