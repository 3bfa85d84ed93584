import type { AppControllerRoute } from "@bull-board/api/typings/app";
import type { ExpressAdapter } from "@bull-board/express";
import express, { type RequestHandler, type Router } from "express";
import type { Problem } from "../producers/problem.ts";
import { askedFor, type Audit, type AuditEntry, type AuditLog, jobGroupOf } from "../queues/audit-store.ts";
import type { Person } from "./accounts.ts";
import { plainName } from "./board-queues.ts";
import { BOARD_ROUTES, type BoardAction, whyOff } from "./board-routes.ts";
import { nameRequest } from "./request-log.ts";

export interface BoardActionsOptions {
  readonly audit: Audit;
  readonly log: AuditLog;
  /** Are the dangerous calls allowed? */
  readonly dangerous: boolean;
  /** The person who was let in with the request that has these headers. */
  readonly whoAsks: (headers: object) => Person | undefined;
  readonly refuse: (res: Parameters<RequestHandler>[1], problem: Problem) => void;
}

type Row = (typeof BOARD_ROUTES)[number];
type Call = NonNullable<Parameters<AppControllerRoute["handler"]>[0]>;

/**
 * Lets through what the table of calls allows, once it is written in the audit trail. `router` stands in front of Bull
 * Board's, and `follow` goes around its handlers, where it writes how each action went.
 */
export function createBoardActions(options: BoardActionsOptions): {
  readonly router: Router;
  readonly follow: (adapter: ExpressAdapter) => void;
} {
  // By its headers: the one object that Bull Board hands to its handlers as it came.
  const matched = new WeakMap<object, Row>();
  const endings = new WeakMap<object, Awaited<ReturnType<typeof askedFor>>>();
  const router = express.Router();
  for (const row of BOARD_ROUTES) {
    const found: RequestHandler = (req, _res, next) => {
      matched.set(req.headers, row);
      next();
    };
    const pass: RequestHandler = (_req, _res, next) => next("router");
    const path = row.only ?? row.route;
    if (row.kind === "read") router[row.method](path, found, pass);
    else router[row.method](path, found, readJson(row, options), write(row, options, endings), pass);
  }
  router.use("/api", async (req, res) => {
    const changes = req.method !== "GET" && req.method !== "HEAD";
    const detail = `${NOT_LISTED.detail} Asked: ${req.method} ${req.originalUrl}`;
    if (changes) await tellOf(req, res, options, { action: "a call that is not listed", detail });
    options.refuse(res, NOT_LISTED);
  });

  const guarded = (route: AppControllerRoute): AppControllerRoute => ({
    ...route,
    handler: async (call) => {
      const row = call && matched.get(call.headers);
      // Never so while both routers read paths alike.
      if (call === undefined || row?.route !== route.route || row.method !== route.method)
        return { status: 403, body: { error: { key: "ERRORS.FORBIDDEN" } } };
      return finish(route, call, endings.get(call.headers));
    },
  });
  return {
    router,
    follow: (adapter) => {
      const set = adapter.setApiRoutes.bind(adapter);
      adapter.setApiRoutes = (routes) => set(routes.map(guarded));
    },
  };
}

/** Nothing is done that the trail does not hold. */
function write(
  row: BoardAction,
  options: BoardActionsOptions,
  endings: WeakMap<object, Awaited<ReturnType<typeof askedFor>>>,
): RequestHandler {
  const { audit, log, dangerous, whoAsks, refuse } = options;
  return async (req, res, next) => {
    const who = whoAsks(req.headers);
    if (who === undefined) return refuse(res, NOT_LISTED);
    const asked = entryOf(row, req.params, req.body);
    if (row.kind === "dangerous" && !dangerous) {
      const why = whyOff(row);
      // Why first: a long body is cut.
      const detail = asked.detail === undefined ? why : `${why} Asked: ${asked.detail}`;
      await tellOf(req, res, options, { ...asked, detail });
      return refuse(res, { status: 403, detail: why });
    }
    const entry = { ...asked, ...asker(who), requestId: nameRequest(req, res) };
    try {
      endings.set(req.headers, await askedFor(audit, entry, log));
    } catch (error) {
      log.warn({ err: error, audit: entry }, "the audit trail could not be written: the action was refused");
      return refuse(res, UNWRITTEN);
    }
    next();
  };
}

/** A body that cannot be read was an operator's try as well. */
function readJson(row: BoardAction, options: BoardActionsOptions): RequestHandler {
  const read = express.json();
  return (req, res, next) =>
    read(req, res, (error?: unknown) => {
      if (error === undefined) return next();
      const detail = `The body cannot be read: ${error instanceof Error ? error.message : "it is no JSON"}`;
      void tellOf(req, res, options, { ...entryOf(row, req.params, undefined), detail }).then(() =>
        next(error),
      );
    });
}

const asker = ({ name, role, from }: Person) => ({ who: name, role, from });

async function tellOf(
  req: Parameters<RequestHandler>[0],
  res: Parameters<RequestHandler>[1],
  { whoAsks, audit }: BoardActionsOptions,
  entry: ReturnType<typeof entryOf>,
): Promise<void> {
  const who = whoAsks(req.headers);
  if (who) await audit.refused({ ...entry, ...asker(who), requestId: nameRequest(req, res) });
}

async function finish(
  route: AppControllerRoute,
  call: Call,
  end: Awaited<ReturnType<typeof askedFor>> | undefined,
): ReturnType<typeof answerOf> {
  try {
    const answer = await answerOf(route, call);
    const { status = 200 } = answer;
    if (status < 400) await end?.({ outcome: "done" });
    else await end?.({ outcome: "refused", detail: `Bull Board answered ${status}` });
    return answer;
  } catch (error) {
    await end?.({ outcome: "failed", detail: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

const answerOf = async (route: AppControllerRoute, call: Call) => route.handler(call);

function entryOf(
  row: BoardAction,
  params: object,
  body: unknown,
): Pick<AuditEntry, "action"> & Partial<AuditEntry> {
  const { queueName, jobId, queueStatus, schedulerId } = params as Record<string, string | undefined>;
  const queue = queueName === undefined ? undefined : plainName(queueName);
  const target = queue?.startsWith("publish.") ? queue.slice("publish.".length) : undefined;
  const jobGroupId = jobId === undefined ? undefined : jobGroupOf(jobId);
  const sent = typeof body === "object" && body !== null && Object.keys(body).length > 0;
  const detail = [queueStatus, schedulerId, sent && JSON.stringify(body)].filter(Boolean).join(" ");
  return {
    action: row.action,
    ...(queue !== undefined && { queue }),
    ...(target !== undefined && { target }),
    ...(jobId !== undefined && { taskId: jobId }),
    ...(jobGroupId !== undefined && { jobGroupId }),
    ...(detail !== "" && { detail }),
  };
}

const NOT_LISTED: Problem = {
  status: 403,
  detail: "This call is none of those that the relay lets the board make, so it is refused.",
};
const UNWRITTEN: Problem = {
  status: 503,
  detail: "The audit trail cannot be written, so nothing was changed: Redis does not answer. Ask again.",
  headers: { "retry-after": "2" },
};
