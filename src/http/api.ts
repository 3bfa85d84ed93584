import type { IncomingMessage, ServerResponse } from "node:http";
import { createAccept, within, type AcceptDeps } from "../producers/accept-report.ts";
import { sendJson, sendMethodNotAllowed, sendProblem, type Handler } from "../producers/problem.ts";
import { MAX_BODY_BYTES, readBody, refuseType, sendTooLarge } from "../producers/read-body.ts";
import { createSecretCheck } from "../producers/secrets.ts";
import { decide, type Resolve } from "./decision.ts";

/** What the API can do; a route whose function is absent is 404. */
export interface ApiDeps extends AcceptDeps {
  /** The whole story of a job group; `undefined` when nothing is known of it. */
  readonly story?: (jobGroupId: number) => Promise<unknown>;
  readonly explain?: (jobGroupId: number) => Promise<unknown>;
  readonly resolve?: Resolve;
}

export interface ApiOptions {
  /** Bearer tokens; with none, everything is 401. */
  readonly tokens: readonly string[];
  /** Default 65,536. */
  readonly maxBytes?: number;
  /** How long a look-up may take before 503; default 10,000 (`explain` asks the platform). */
  readonly lookUpTimeoutMs?: number;
}

interface Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The part of the path that names what is asked about. */
  readonly id: string;
  /** Which of the tokens was shown, from 1. */
  readonly token: number;
}

interface Route {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  readonly run: (call: Call) => Promise<void>;
}

/** The handler of `/v1/*`, for backend services and operators' scripts. */
export function createApi(deps: ApiDeps, options: ApiOptions): Handler {
  const { maxBytes = MAX_BODY_BYTES, lookUpTimeoutMs = 10_000 } = options;
  const tokens = options.tokens.filter((token) => token.length > 0);
  const whichToken = createSecretCheck(tokens);
  const routes = createRoutes(deps, maxBytes, lookUpTimeoutMs);

  return (req, res) => {
    const given = BEARER.exec(req.headers.authorization ?? "")?.[1];
    const token = given === undefined ? 0 : whichToken(given) + 1;
    if (token === 0) return refuseToken(res, tokens.length === 0, given !== undefined);
    const path = (req.url ?? "").split("?", 1)[0] ?? "";
    const here = routes.filter((route) => route.path.test(path));
    if (here.length === 0) return sendProblem(res, { status: 404, detail: NO_ROUTE });
    const route = here.find(({ method }) => method === req.method);
    if (route === undefined) return sendMethodNotAllowed(res, here.map(({ method }) => method).join(", "));
    const id = decode(route.path.exec(path)?.[1] ?? "");
    if (id === undefined) {
      return sendProblem(res, {
        status: 400,
        detail: "The id in the path is not percent-encoded UTF-8: encode it.",
      });
    }
    route.run({ req, res, id, token }).catch((error: unknown) => {
      deps.log?.warn({ err: error, path }, "call of the API failed: answered 503");
      sendProblem(res, { status: 503, detail: AWAY, headers: { "retry-after": "2" } });
    });
  };
}

const BEARER = /^bearer +(\S+)\s*$/i;
const NO_ROUTE =
  "There is no such route. See POST /v1/completions, GET /v1/job-groups/{id}, GET /v1/job-groups/{id}/explain and " +
  "POST /v1/tasks/{id}/resolve, as far as this relay serves them.";
const AWAY =
  "The relay cannot answer just now: Redis, or the platform if it was asked, does not answer. Ask again.";

function createRoutes(deps: ApiDeps, maxBytes: number, lookUpTimeoutMs: number): readonly Route[] {
  const { story, explain, resolve } = deps;
  const accept = createAccept(deps);
  const routes: Route[] = [
    {
      method: "POST",
      path: /^\/v1\/completions$/,
      run: (call) =>
        withBody(
          call,
          maxBytes,
          (body) => new Promise((done) => accept(body, "api", call.req, call.res, done)),
        ),
    },
  ];
  if (story !== undefined) {
    const run = (call: Call) => lookUp(call, (id) => within(lookUpTimeoutMs, story(id)));
    routes.push({ method: "GET", path: /^\/v1\/job-groups\/([^/]+)$/, run });
  }
  if (explain !== undefined) {
    const run = (call: Call) => lookUp(call, (id) => within(lookUpTimeoutMs, explain(id)));
    routes.push({ method: "GET", path: /^\/v1\/job-groups\/([^/]+)\/explain$/, run });
  }
  if (resolve !== undefined) {
    const run = (call: Call) =>
      withBody(call, maxBytes, (body) =>
        decide(call, body, (id, decision) => within(lookUpTimeoutMs, resolve(id, decision))),
      );
    routes.push({ method: "POST", path: /^\/v1\/tasks\/([^/]+)\/resolve$/, run });
  }
  return routes;
}

async function withBody(call: Call, maxBytes: number, use: (body: Buffer) => Promise<void>): Promise<void> {
  const { req, res } = call;
  const wrongType = refuseType(req);
  if (wrongType !== undefined) return sendProblem(res, wrongType);
  const body = await new Promise<Buffer | "too-large" | "aborted">((done) => readBody(req, maxBytes, done));
  if (body === "aborted") return;
  if (body === "too-large") return sendTooLarge(req, res, maxBytes);
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
