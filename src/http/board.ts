import { createBullBoard } from "@bull-board/api";
import type { BoardHooks } from "@bull-board/api/typings/app";
import { ExpressAdapter } from "@bull-board/express";
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express";
import { requestOf, sendProblem, type Problem } from "../producers/problem.ts";
import { BOARD_PATH } from "./server.ts";
import type { Audit, AuditLog } from "../queues/audit-store.ts";
import type { Guard } from "./access.ts";
import type { Person } from "./accounts.ts";
import { createBoardActions } from "./board-actions.ts";
import { nameRequest } from "./request-log.ts";
import { boardName, plainName, toAdapters, type BoardQueue, type JobLink } from "./board-queues.ts";
import { createSecurityHeaders } from "./security-headers.ts";

export interface BoardOptions {
  readonly guard: Guard;
  /** Where every action is written before it is done. */
  readonly audit: Audit;
  /** Are the calls allowed that take jobs away or change them? Default: no. */
  readonly dangerous?: boolean;
  readonly queues: readonly BoardQueue[];
  /** Where the app is mounted; default `/board`. */
  readonly basePath?: string;
  /** Links in the board's menu. */
  readonly links?: readonly { readonly text: string; readonly url: string }[];
  /** Where a job's own link leads, say to its job group on the platform. */
  readonly jobLink?: JobLink;
  readonly title?: string;
  /** A badge in the header, say for the environment. */
  readonly environment?: { readonly label: string; readonly color: string; readonly textColor?: string };
  readonly log: AuditLog;
  /** Is Redis away? Then the board says so at once instead of waiting for it. */
  readonly isAway?: () => boolean;
}

export interface Board {
  readonly app: Express;
  /** Shows these queues from now on, in the order of the flow. Closing queues is up to their owner. */
  setQueues(queues: readonly BoardQueue[]): void;
}

/**
 * Bull Board behind a login, a guard against foreign pages, a list of what may be done, and security headers.
 *
 * A queue answers to its BullMQ name too: `/board/queue/publish.sales/<jobId>` leads to the job's page,
 * `/board/api/queues/publish.sales/...` is served, and whoever is no page of a browser is told that name.
 */
export function createBoard(options: BoardOptions): Board {
  const { basePath = BOARD_PATH } = options;
  const names = new Map<string, string>();
  // By the headers of their request: the one object that Bull Board hands on as it came.
  const people = new WeakMap<object, Person>();
  const { log, audit, dangerous = false } = options;
  const whoAsks = (headers: object) => people.get(headers);
  const actions = createBoardActions({ audit, log, dangerous, whoAsks, refuse });
  const adapter = new ExpressAdapter();
  adapter.setBasePath(basePath);
  actions.follow(adapter);
  const bullBoard = createBullBoard({
    queues: [],
    serverAdapter: adapter,
    options: { uiConfig: uiConfig(options), handlerHooks: { after: adaptList(whoAsks, dangerous) } },
  });
  const setQueues = (queues: readonly BoardQueue[]) => {
    names.clear();
    for (const { queue, kind } of queues) names.set(queue.name, boardName(queue.name, kind));
    // Replacing keeps the place of what was there before; emptied first, a new target comes before "parked".
    bullBoard.replaceQueues([]);
    bullBoard.replaceQueues(toAdapters(queues, options.jobLink));
  };
  setQueues(options.queues);

  const router = adapter.getRouter() as Express;
  router.disable("x-powered-by");
  const app = express();
  app.disable("x-powered-by");
  app.use(secure(), admit(options, people), refuseWhileAway(options), byQueueName(names, basePath));
  app.use(basePath, actions.router, router);
  app.use((_req, res) =>
    sendProblem(res, { status: 404, detail: `There is nothing here. The board is at ${basePath}.` }),
  );
  app.use(answerError(options.log));
  return { app, setQueues };
}

function uiConfig(options: BoardOptions) {
  const { title = "publish-relay", links = [], environment } = options;
  return {
    boardTitle: title,
    miscLinks: links.map(({ text, url }) => ({ text, url })),
    hideDocsLink: true,
    overview: { groupByDelimiter: true },
    sortQueues: false,
    // Asks Redis for its list of clients once a queue: 1.6 s a poll with 500 queues.
    showWorkers: false,
    showMetrics: true,
    ...(environment && { environment }),
  };
}

function secure(): RequestHandler {
  const setHeaders = createSecurityHeaders("board");
  return (req, res, next) => {
    setHeaders(req, res);
    next();
  };
}

function admit({ guard, log, audit }: BoardOptions, people: WeakMap<object, Person>): RequestHandler {
  return async (req, res, next) => {
    const who = await guard.identify(req);
    if ("status" in who) return refuse(res, who);
    const changes = req.method !== "GET" && req.method !== "HEAD";
    const problem = changes ? guard.mayChange(req, who, "json") : undefined;
    if (problem !== undefined) {
      // Not into the trail: a viewer, or a foreign page, could fill it until it has lost what operators did.
      log.warn(
        {
          who: who.name,
          role: who.role,
          from: who.from,
          method: req.method,
          url: req.originalUrl,
          ...problem,
        },
        "a change was refused",
      );
      // Its own page, or a script of the operator's.
      if (problem.status === 415) {
        const asked = {
          who: who.name,
          role: who.role,
          from: who.from,
          requestId: nameRequest(req, res),
          action: "a call that is no JSON",
          detail: `${problem.detail} Asked: ${req.method} ${req.originalUrl}`,
        };
        await audit.refused(asked);
      }
      return refuse(res, problem);
    }
    people.set(req.headers, who);
    next();
  };
}

function refuseWhileAway({ isAway = () => false, basePath = "/board" }: BoardOptions): RequestHandler {
  return (req, res, next) => {
    if (!req.path.startsWith(`${basePath}/api/`) || !isAway()) return next();
    refuse(res, {
      status: 503,
      detail: "Redis does not answer just now: the board shows again when it is back.",
    });
  };
}

/** Bull Board's page shows `error` and `message` of an answer; others read the problem's own members. */
function refuse(res: Parameters<RequestHandler>[1], problem: Problem): void {
  sendProblem(res, problem, { error: { key: "ERRORS.FORBIDDEN" }, message: problem.detail });
}

/**
 * A page leaves out the buttons that would be refused, as far as Bull Board has a word for them; the guard does not
 * depend on it. A script is told BullMQ's names: only the page needs the groups in them.
 */
const adaptList =
  (whoAsks: (headers: object) => Person | undefined, dangerous: boolean): NonNullable<BoardHooks["after"]> =>
  ({ route, request }, result) => {
    const { queues } = result.body as { queues?: { name: string }[] };
    if (route !== "/api/queues" || queues === undefined) return result;
    const readOnly = whoAsks(request.headers)?.role === "operator" ? {} : NO_CONTROLS;
    const controls = { ...(dangerous ? {} : NO_DANGERS), ...readOnly };
    const name = (given: string) => (isPage(request.headers) ? given : plainName(given));
    return {
      ...result,
      body: { queues: queues.map((queue) => ({ ...queue, name: name(queue.name), ...controls })) },
    };
  };

const NO_DANGERS = { allowCompletedRetries: false, supportsGlobalRateLimit: false };
const NO_CONTROLS = { readOnlyMode: true, allowRetries: false, allowCompletedRetries: false };

/** A page names itself; over plain http, where browsers send no Sec-Fetch headers, too. */
const isPage = ({ referer, "sec-fetch-site": site }: Readonly<Record<string, unknown>>): boolean =>
  referer !== undefined || site !== undefined;

const ACTIVE_QUEUE = /^([^?]*\/api\/queues\?(?:[^#]*&)?activeQueue=)([^&#]*)/;

/** Leads BullMQ's name of a queue to the name that the board groups it under. */
function byQueueName(names: ReadonlyMap<string, string>, basePath: string): RequestHandler {
  const api = `${basePath}/api/queues/`;
  const page = `${basePath}/queue/`;
  return (req, res, next) => {
    req.url = req.url.replace(ACTIVE_QUEUE, (all, before: string, queue: string) => {
      const name = names.get(decodeURIComponent(queue));
      return name === undefined ? all : `${before}${encodeURIComponent(name)}`;
    });
    const start = req.url.startsWith(api) ? api : req.url.startsWith(page) ? page : undefined;
    if (start === undefined) return next();
    const [, queue = "", rest = ""] = /^([^/?]*)(.*)$/s.exec(req.url.slice(start.length)) ?? [];
    const name = names.get(decodeURIComponent(queue));
    if (name === undefined) return next();
    const url = `${start}${encodeURIComponent(name)}${rest}`;
    if (start === page) return res.redirect(302, url);
    req.url = url;
    next();
  };
}

function answerError(log: BoardOptions["log"]): ErrorRequestHandler {
  return (error: unknown, _req, res, next) => {
    if (res.headersSent) return next(error);
    if (error instanceof URIError) {
      return refuse(res, { status: 400, detail: "The address is not percent-encoded UTF-8: encode it." });
    }
    const { status } = error as { status?: unknown };
    if (typeof status === "number" && status >= 400 && status < 500) {
      return refuse(res, { status, detail: `The body cannot be read: ${String((error as Error).message)}` });
    }
    log.warn({ err: error, ...requestOf(res) }, "the board could not answer");
    refuse(res, {
      status: 500,
      detail: "The board could not answer: the relay's log says why. Is Redis there?",
    });
  };
}
