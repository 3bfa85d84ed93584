import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { detailOf, type Handler, jobGroupOf, REQUEST_ID } from "../producers/problem.ts";

/** The part of pino that is used here. */
export interface RequestLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  isLevelEnabled(level: string): boolean;
}

/** An id that a proxy or sender gave the request is kept if it can be read aloud. */
const SANE_ID = /^[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}$/;
/** Whoever asks wrongly a thousand times a second fills no disk. */
const LINES_A_SECOND = 20;
const PATH_MAX = 200;

/** The id of a request, in the audit trail and the log: what the asker or a proxy calls it, or a new one. */
export function nameRequest(req: IncomingMessage, res: ServerResponse): string {
  const named = res.getHeader(REQUEST_ID);
  if (typeof named === "string") return named;
  const given = req.headers[REQUEST_ID];
  const id = typeof given === "string" && SANE_ID.test(given) ? given : randomUUID();
  res.setHeader(REQUEST_ID, id);
  return id;
}

/** Gives each request its id, in the answer's header, and the log a line of each that is refused or fails. */
export function createRequestNames(log: RequestLog | undefined): Handler {
  let second = 0;
  let lines = 0;
  let leftOut = 0;
  const mayTell = (): boolean => {
    const now = Math.floor(Date.now() / 1_000);
    if (now !== second) [second, lines] = [now, 0];
    if (lines < LINES_A_SECOND) return ++lines > 0;
    leftOut++;
    return false;
  };

  function tell(
    log: RequestLog,
    requestId: string,
    req: IncomingMessage,
    res: ServerResponse,
    ms: number,
  ): void {
    const { statusCode: status } = res;
    const jobGroupId = jobGroupOf(res);
    const took = jobGroupId !== undefined && status < 400;
    // Who asks for readiness wants to know it each few seconds.
    const level = took
      ? "info"
      : status < 400 || req.url === "/readyz"
        ? "debug"
        : status < 500
          ? "info"
          : "warn";
    if (!log.isLevelEnabled(level) || (level !== "debug" && !took && !mayTell())) return;
    const fields = {
      requestId,
      method: req.method,
      // Without the query, which is nobody's business.
      path: (req.url ?? "").split("?", 1)[0]?.slice(0, PATH_MAX),
      status,
      jobGroupId,
      durationMs: Math.round(ms),
      detail: detailOf(res),
      from: req.socket.remoteAddress,
      ...(leftOut > 0 && !took && { leftOut }),
    };
    if (level !== "debug" && !took) leftOut = 0;
    log[level](
      fields,
      status < 400 ? "request answered" : status < 500 ? "request refused" : "request failed",
    );
  }

  return (req, res) => {
    const id = nameRequest(req, res);
    if (!log) return;
    const startedAt = performance.now();
    res.once("finish", () => tell(log, id, req, res, performance.now() - startedAt));
  };
}
