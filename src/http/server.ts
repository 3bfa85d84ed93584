import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerClientError } from "./client-error.ts";
import { createRequestNames, type RequestLog } from "./request-log.ts";
import { sendProblem, type Handler } from "../producers/problem.ts";

/** What answers each route; a route whose handler is absent is 404. */
export interface Routes {
  readonly healthz: Handler;
  readonly readyz: Handler;
  readonly metrics?: Handler;
  readonly webhook?: Handler;
  readonly webhookCheck?: Handler;
  readonly api?: Handler;
  /** The operators' own pages, under the paths that `isPagePath` names. */
  readonly pages?: Handler;
  readonly isPagePath?: (path: string) => boolean;
  /** The Express app; nothing else passes through Express. */
  readonly board?: Handler;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** A whole request must have arrived within it; default 15,000. */
  readonly requestTimeoutMs?: number;
  /** Its headers within that; default 10,000. */
  readonly headersTimeoutMs?: number;
  /** How long `close` waits for requests in flight; default 5,000. */
  readonly closeTimeoutMs?: number;
  /** Told of each request that is refused or fails. */
  readonly log?: RequestLog;
}

export interface HttpServer {
  /** Rejects with words for the operator when the address cannot be had. */
  listen(): Promise<{ readonly port: number }>;
  /** Takes no new connection, lets requests in flight end, and is done within `closeTimeoutMs`. */
  close(): Promise<void>;
}

export const WEBHOOK_PATH = "/webhooks/designer-cloud";
const WEBHOOK_CHECK_PATH = `${WEBHOOK_PATH}/check`;
export const BOARD_PATH = "/board";

/** Longer than the idle time of usual load balancers (60 s), so that it is they who hang up. */
const KEEP_ALIVE_MS = 65_000;
/** How often slow senders are looked for; Node's default of 30 s would make its time limits vague. */
const SLOW_CHECK_MS = 1_000;
const CLOSE_IDLE_EVERY_MS = 50;

/** The one server of a process, on node:http. */
export function createHttpServer(routes: Routes, options: HttpServerOptions): HttpServer {
  const { requestTimeoutMs = 15_000, headersTimeoutMs = 10_000, closeTimeoutMs = 5_000 } = options;
  const name = createRequestNames(options.log);
  const route = createRouter(routes);
  const server = createServer(
    {
      requestTimeout: requestTimeoutMs,
      headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: Math.min(SLOW_CHECK_MS, requestTimeoutMs),
      // Asked for by the router: Node would refuse without a word.
      requireHostHeader: false,
    },
    (req, res) => {
      name(req, res);
      route(req, res);
    },
  );
  server.on("clientError", answerClientError);
  server.on("checkExpectation", (req: IncomingMessage, res: ServerResponse) => {
    name(req, res);
    sendProblem(res, { status: 417, detail: "Send no header Expect, or Expect: 100-continue." });
  });
  let closing: Promise<void> | undefined;
  return {
    listen: () => listen(server, options),
    close: () => (closing ??= close(server, closeTimeoutMs)),
  };
}

function createRouter(routes: Routes): Handler {
  const exact = new Map<string, Handler>();
  const add = (path: string, handler: Handler | undefined) =>
    handler !== undefined && exact.set(path, handler);
  add(WEBHOOK_PATH, routes.webhook);
  add(WEBHOOK_CHECK_PATH, routes.webhookCheck);
  add("/healthz", routes.healthz);
  add("/readyz", routes.readyz);
  add("/metrics", routes.metrics);
  add(BOARD_PATH, routes.board);
  const known = [
    ...[...exact.keys()].map((path) => (path.startsWith(WEBHOOK_PATH) ? `POST ${path}` : `GET ${path}`)),
    ...(routes.api === undefined ? [] : ["/v1/..."]),
  ].join(", ");
  return (req, res) => {
    if (req.headers.host === undefined && req.httpVersion === "1.1") {
      return sendProblem(res, { status: 400, detail: "The header Host is missing: HTTP/1.1 asks for it." });
    }
    const url = req.url ?? "/";
    const query = url.indexOf("?");
    const path = query === -1 ? url : url.slice(0, query);
    const handler =
      exact.get(path) ??
      (path === "/v1" || path.startsWith("/v1/")
        ? routes.api
        : path.startsWith(`${BOARD_PATH}/`)
          ? routes.board
          : routes.isPagePath?.(path)
            ? routes.pages
            : undefined);
    if (handler !== undefined) handler(req, res);
    else sendProblem(res, { status: 404, detail: `There is nothing here. The routes are: ${known}.` });
  };
}

function listen(server: Server, options: HttpServerOptions): Promise<{ port: number }> {
  const { host, port } = options;
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) =>
      reject(new Error(whyNot(error, host, port), { cause: error }));
    server.once("error", failed);
    server.listen(port, host, () => {
      server.off("error", failed);
      resolve({ port: (server.address() as AddressInfo).port });
    });
  });
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number): string {
  switch (error.code ?? "") {
    case "EADDRINUSE":
      return `Port ${port} on ${host} is taken: set PORT to a free one, or stop the program that listens there.`;
    case "EACCES":
      return `Port ${port} on ${host} may not be used by this user: set PORT to one from 1024 up.`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `${host} is no address of this machine: set HOST to one, or to 0.0.0.0 for all.`;
    default:
      return `Cannot listen on ${host}:${port}: ${error.message}`;
  }
}

async function close(server: Server, timeoutMs: number): Promise<void> {
  if (!server.listening) return;
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  // close() drops the connections that are idle now; the others become idle as their requests end.
  const idle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  const deadline = setTimeout(() => server.closeAllConnections(), timeoutMs);
  await ended;
  clearInterval(idle);
  clearTimeout(deadline);
}
