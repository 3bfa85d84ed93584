import { createBullBoard } from "@bull-board/api";
import type { BoardHooks } from "@bull-board/api/typings/app";
import { ExpressAdapter } from "@bull-board/express";
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from "express";
import { requestOf, sendProblem, type Problem } from "../producers/problem.ts";
import { BOARD_PATH } from "./server.ts";
import { createAdmit, type BoardAccess } from "./board-access.ts";
import { boardName, plainName, toAdapters, type BoardQueue, type JobLink } from "./board-queues.ts";

export interface BoardOptions extends BoardAccess {
  readonly queues: readonly BoardQueue[];
  /** Where the app is mounted; default `/board`. */
  readonly basePath?: string;
  /** Links in the board's menu. */
  readonly links?: readonly { readonly text: string; readonly url: string }[];
  /** Where a job's own link leads, say to its job group on the platform. */
  readonly jobLink?: JobLink;
  readonly title?: string;
  /** A badge in the header, say for the environment. */
  readonly environment?: { readonly label: string; readonly color: string };
  readonly log?: { warn(fields: object, message: string): void };
  /** Is Redis away? Then the board says so at once instead of waiting for it. */
  readonly isAway?: () => boolean;
}

export interface Board {
  readonly app: Express;
  /** Shows these queues from now on, in the order of the flow. Closing queues is up to their owner. */
  setQueues(queues: readonly BoardQueue[]): void;
}

/** Set by us on each request that is let in, after whatever the asker sent under this name. */
const ROLE_HEADER = "x-publish-relay-role";

/**
 * Bull Board behind a login, a guard against foreign pages, and security headers.
 *
 * A queue answers to its BullMQ name too: `/board/queue/publish.sales/<jobId>` leads to the job's page,
 * `/board/api/queues/publish.sales/...` is served, and whoever is no page of a browser is told that name.
 */
export function createBoard(options: BoardOptions): Board {
  const { basePath = BOARD_PATH } = options;
  const names = new Map<string, string>();
  const adapter = new ExpressAdapter();
  adapter.setBasePath(basePath);
  const bullBoard = createBullBoard({
    queues: [],
    serverAdapter: adapter,
    options: { uiConfig: uiConfig(options), handlerHooks: { after: adaptList } },
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
  app.use(securityHeaders, guard(options), refuseWhileAway(options), byQueueName(names, basePath));
  app.use(basePath, router);
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
    ...(environment && { environment }),
  };
}

/** No frame, no foreign script, no request elsewhere: the page's web font is left out, so it also loads offline. */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; " +
    "connect-src 'self'; worker-src 'self' blob:; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

const securityHeaders: RequestHandler = (req, res, next) => {
  for (const [name, value] of Object.entries(HEADERS)) res.setHeader(name, value);
  // Job data must not stay in caches; the files have names that change with their content.
  if (!req.path.includes("/static/")) res.setHeader("cache-control", "no-store");
  next();
};

function guard(access: BoardAccess): RequestHandler {
  const admit = createAdmit(access);
  return (req, res, next) => {
    const who = admit(req);
    if ("status" in who) return refuse(res, who);
    req.headers[ROLE_HEADER] = who.role;
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
 * A viewer's page leaves out the buttons that would be refused; the guard does not depend on it. A script is told
 * BullMQ's names: only the page needs the groups in them.
 */
const adaptList: NonNullable<BoardHooks["after"]> = ({ route, request }, result) => {
  const { queues } = result.body as { queues?: { name: string }[] };
  if (route !== "/api/queues" || queues === undefined) return result;
  const readOnly = request.headers[ROLE_HEADER] === "viewer" ? NO_CONTROLS : {};
  const name = (given: string) => (isPage(request.headers) ? given : plainName(given));
  return {
    ...result,
    body: { queues: queues.map((queue) => ({ ...queue, name: name(queue.name), ...readOnly })) },
  };
};

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
    log?.warn({ err: error, ...requestOf(res) }, "the board could not answer");
    refuse(res, {
      status: 500,
      detail: "The board could not answer: the relay's log says why. Is Redis there?",
    });
  };
}
