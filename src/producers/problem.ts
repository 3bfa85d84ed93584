import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";

/** What node:http calls for a request. */
export type Handler = (req: IncomingMessage, res: ServerResponse) => void;

/** A refusal: `detail` says what to change, and goes to whoever asked, so it holds no secret. */
export interface Problem {
  readonly status: number;
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * Answers with RFC 9457 problem details.
 *
 * `members` are extra members of the document, for clients that look for their own.
 */
export function sendProblem(
  res: ServerResponse,
  problem: Problem,
  members?: Readonly<Record<string, unknown>>,
): void {
  told.set(res, problem.detail);
  const document = problemDocument(problem, { ...requestOf(res), ...members });
  send(res, problem.status, "application/problem+json", JSON.stringify(document), problem.headers);
}

/** The document itself. about:blank says that the status alone tells the kind; its title is then the status' own words. */
export function problemDocument(
  { status, detail }: Problem,
  members?: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail, ...members };
}

const told = new WeakMap<ServerResponse, string>();

/** What a refused request was told; for the log. */
export const detailOf = (res: ServerResponse): string | undefined => told.get(res);

const about = new WeakMap<ServerResponse, number>();

/** The request reported this job group, and its report was taken. */
export const setJobGroup = (res: ServerResponse, jobGroupId: number): void => void about.set(res, jobGroupId);

/** The job group whose report was taken with this request; for the log. */
export const jobGroupOf = (res: ServerResponse): number | undefined => about.get(res);

/** The header that names a request, in its question and its answer. */
export const REQUEST_ID = "x-request-id";

/** The id of the request that is answered, as a field of a log line or a problem. */
export function requestOf(res: ServerResponse): { readonly requestId?: string } {
  const id = res.getHeader(REQUEST_ID);
  return typeof id === "string" ? { requestId: id } : {};
}

/** Answers with JSON. */
export function sendJson(
  res: ServerResponse,
  status: number,
  value: unknown,
  headers?: Readonly<Record<string, string>>,
): void {
  send(res, status, "application/json", JSON.stringify(value), headers);
}

/** 405, with the methods that the route knows. */
export function sendMethodNotAllowed(res: ServerResponse, allow: string): void {
  sendProblem(res, { status: 405, detail: `Use ${allow} for this route.`, headers: { allow } });
}

function send(
  res: ServerResponse,
  status: number,
  type: string,
  body: string,
  headers?: Readonly<Record<string, string>>,
): void {
  // The asker may be gone, or a time limit has already answered.
  if (res.headersSent || res.destroyed) return;
  const length = Buffer.byteLength(body);
  if (headers === undefined) {
    res.writeHead(status, { "content-type": type, "content-length": length });
  } else {
    res.writeHead(status, { "content-type": type, "content-length": length, ...headers });
  }
  res.end(body);
}
