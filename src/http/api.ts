import type { IncomingMessage, ServerResponse } from "node:http";
import { createAcceptBatch, isBatch, MAX_BATCH, MAX_BATCH_BYTES } from "../producers/accept-batch.ts";
import { createAccept, within, type AcceptDeps } from "../producers/accept-report.ts";
import {
  requestOf,
  sendJson,
  sendMethodNotAllowed,
  sendProblem,
  type Handler,
} from "../producers/problem.ts";
import { MAX_BODY_BYTES, readBody, refuseType, sendTooLarge } from "../producers/read-body.ts";
import { createSecretCheck } from "../producers/secrets.ts";
import type { Audit } from "../queues/audit-store.ts";
import { readAuditQuery } from "./audit-route.ts";
import { type AskedFrom, decide, type Resolve } from "./decision.ts";
import { createOpenApi, type RouteName } from "./openapi.ts";
import { type Replay, replay as answerReplay } from "./replay-route.ts";
import { nameRequest } from "./request-log.ts";
import { run as answerRun, type RunRoute } from "./run-route.ts";

/** What the API can do; a route whose function is absent is 404. */
export interface ApiDeps extends AcceptDeps {
  /** The whole story of a job group; `undefined` when nothing is known of it. */
  readonly story?: (jobGroupId: number) => Promise<unknown>;
  readonly explain?: (jobGroupId: number) => Promise<unknown>;
  readonly resolve?: Resolve;
  readonly run?: RunRoute;
  readonly replay?: Replay;
  readonly audit?: Audit["list"];
}

export interface ApiOptions {
  /** Bearer tokens; with none, everything is 401. */
  readonly tokens: readonly string[];
  /** Of a single report or a decision; default 65,536. A batch may have 1,048,576. */
  readonly maxBytes?: number;
  /** How long a look-up may take before 503; default 10,000 (`explain` asks the platform). */
  readonly lookUpTimeoutMs?: number;
  /** The asker's address; default: the connection's. */
  readonly addressOf?: (req: IncomingMessage) => string;
}

interface Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The part of the path that names what is asked about. */
  readonly id: string;
  /** Which of the tokens was shown, from 1. */
  readonly token: number;
  readonly asked: AskedFrom;
}

interface Route {
  readonly name: RouteName;
  readonly run: (call: Call) => Promise<void>;
}

/** The handler of `/v1/*`, for backend services and operators' scripts. */
export function createApi(deps: ApiDeps, options: ApiOptions): Handler {
  const { maxBytes = MAX_BODY_BYTES, lookUpTimeoutMs = 10_000 } = options;
  const { addressOf = (req) => req.socket.remoteAddress ?? "unknown" } = options;
  const tokens = options.tokens.filter((token) => token.length > 0);
  const whichToken = createSecretCheck(tokens);
  const routes = createRoutes(deps, maxBytes, lookUpTimeoutMs).map(({ name, run }) => {
    const [method = "", template = ""] = name.split(" ");
    const pattern = template.replaceAll(".", "\\.").replace("{id}", "([^/]+)");
    return { method, path: new RegExp(`^${pattern}$`), name, run };
  });
  const noRoute = `There is no such route. This relay serves ${routes.map(({ name }) => name).join(", ")}.`;

  return (req, res) => {
    const given = BEARER.exec(req.headers.authorization ?? "")?.[1];
    const token = given === undefined ? 0 : whichToken(given) + 1;
    if (token === 0) return refuseToken(res, tokens.length === 0, given !== undefined);
    const path = (req.url ?? "").split("?", 1)[0] ?? "";
    const here = routes.filter((route) => route.path.test(path));
    if (here.length === 0) return sendProblem(res, { status: 404, detail: noRoute });
    const route = here.find(({ method }) => method === req.method);
    if (route === undefined) return sendMethodNotAllowed(res, here.map(({ method }) => method).join(", "));
    const id = decode(route.path.exec(path)?.[1] ?? "");
    if (id === undefined) {
      return sendProblem(res, {
        status: 400,
        detail: "The id in the path is not percent-encoded UTF-8: encode it.",
      });
    }
    const asked = { from: addressOf(req), requestId: nameRequest(req, res) };
    route.run({ req, res, id, token, asked }).catch((error: unknown) => {
      deps.log?.warn({ err: error, path, ...requestOf(res) }, "call of the API failed: answered 503");
      sendProblem(res, { status: 503, detail: AWAY, headers: { "retry-after": "2" } });
    });
  };
}

const BEARER = /^bearer +(\S+)\s*$/i;
const AWAY =
  "The relay cannot answer just now: Redis, or the platform if it was asked, does not answer. Ask again.";

function createRoutes(deps: ApiDeps, maxBytes: number, lookUpTimeoutMs: number): readonly Route[] {
  const { story, explain, resolve, replay, run: runRoute, audit } = deps;
  const routes: Route[] = [{ name: "POST /v1/completions", run: takeReports(deps, maxBytes) }];
  if (story !== undefined) {
    const run = (call: Call) => lookUp(call, (id) => within(lookUpTimeoutMs, story(id)));
    routes.push({ name: "GET /v1/job-groups/{id}", run });
  }
  if (explain !== undefined) {
    const run = (call: Call) => lookUp(call, (id) => within(lookUpTimeoutMs, explain(id)));
    routes.push({ name: "GET /v1/job-groups/{id}/explain", run });
  }
  if (resolve !== undefined) {
    const run = (call: Call) =>
      withBody(call, maxBytes, undefined, (body) =>
        decide(call, body, (...decision) => within(lookUpTimeoutMs, resolve(...decision))),
      );
    routes.push({ name: "POST /v1/tasks/{id}/resolve", run });
  }
  if (replay !== undefined) {
    // Not cut off by a timeout: it goes on to its end, and answers with what was done.
    const run = (call: Call) =>
      withBody(call, maxBytes, undefined, (body) => answerReplay(call, body, replay));
    routes.push({ name: "POST /v1/replays", run });
  }
  if (runRoute !== undefined) {
    // It has its own time limit.
    const run = (call: Call) =>
      withBody(call, maxBytes, undefined, (body) => answerRun(call, body, runRoute));
    routes.push({ name: "POST /v1/runs", run });
  }
  if (audit !== undefined) {
    const run = async ({ req, res }: Call) => {
      const query = readAuditQuery(req.url ?? "");
      if ("status" in query) return sendProblem(res, query);
      sendJson(res, 200, await within(lookUpTimeoutMs, audit(query)), NO_STORE);
    };
    routes.push({ name: "GET /v1/audit", run });
  }
  let document: object | undefined;
  routes.push({
    name: "GET /v1/openapi.json",
    run: async ({ res }) => sendJson(res, 200, (document ??= createOpenApi(routes.map(({ name }) => name)))),
  });
  return routes;
}

/** One report, or a batch of them: which it is shows in the body alone. */
function takeReports(deps: ApiDeps, maxBytes: number): Route["run"] {
  const accept = createAccept(deps);
  const acceptBatch = createAcceptBatch(deps);
  const tooLarge = `The body is larger than ${MAX_BATCH_BYTES} bytes: send the batch in smaller parts (a single report may have ${maxBytes} bytes, an array ${MAX_BATCH} reports).`;
  const tooLargeAlone = `A single report may have ${maxBytes} bytes, and this has more: send only the job group's id, its status and the labels that rules look at. A batch (an array) may have ${MAX_BATCH_BYTES} bytes.`;
  return (call) =>
    withBody(call, MAX_BATCH_BYTES, tooLarge, async (body) => {
      const { req, res } = call;
      if (isBatch(body)) return acceptBatch(body, "api", req, res);
      if (body.length > maxBytes) return sendProblem(res, { status: 413, detail: tooLargeAlone });
      await new Promise<void>((done) => accept(body, "api", req, res, done));
    });
}

async function withBody(
  call: Call,
  maxBytes: number,
  tooLarge: string | undefined,
  use: (body: Buffer) => Promise<void>,
): Promise<void> {
  const { req, res } = call;
  const wrongType = refuseType(req);
  if (wrongType !== undefined) return sendProblem(res, wrongType);
  const body = await new Promise<Buffer | "too-large" | "aborted">((done) => readBody(req, maxBytes, done));
  if (body === "aborted") return;
  if (body === "too-large") return sendTooLarge(req, res, maxBytes, tooLarge);
  await use(body);
}

async function lookUp(call: Call, find: (jobGroupId: number) => Promise<unknown>): Promise<void> {
  const { res, id } = call;
  const jobGroupId = /^[1-9]\d*$/.test(id) ? Number(id) : Number.NaN;
  if (!Number.isSafeInteger(jobGroupId)) {
    const detail =
      "The id in the path must be a job group's id: a positive whole number, like /v1/job-groups/31.";
    return sendProblem(res, { status: 400, detail });
  }
  const found = await find(jobGroupId);
  if (found === undefined) {
    return sendProblem(res, { status: 404, detail: `Nothing is known of job group ${jobGroupId}.` });
  }
  sendJson(res, 200, found, NO_STORE);
}

const NO_STORE = { "cache-control": "no-store" };

function refuseToken(res: ServerResponse, noneSet: boolean, given: boolean): void {
  const detail = noneSet
    ? "This relay has no API tokens, so /v1 lets nobody in: set API_TOKENS where it runs."
    : given
      ? "This bearer token is not known: it must be one of API_TOKENS."
      : "Send the header Authorization: Bearer <token>, with one of API_TOKENS.";
  sendProblem(res, { status: 401, detail, headers: { "www-authenticate": 'Bearer realm="publish-relay"' } });
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
