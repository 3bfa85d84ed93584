/** What a route answers; `body` is sent as JSON, or as it is when `contentType` is set. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  /** For the request log: the publish that this request started. */
  readonly publishJobId?: number;
}

export function ok(body: unknown): Answer {
  return { status: 200, body };
}

/** The platform's way to say no. */
export function exception(
  status: number,
  name: string,
  message: string,
  details: string | null = null,
): Answer {
  return { status, body: { exception: { name, message, details } } };
}

export function notFound(what: string, id: number | string): Answer {
  return exception(404, "DataNotFoundException", `${what} not found`, `No ${what} with id ${id}`);
}

export function routeNotFound(method: string, path: string): Answer {
  return exception(404, "RouteNotFoundException", "Route not found", `${method} ${path} does not exist`);
}

export function tooManyRequests(retryAfterSeconds: number, limit = 30, resetAt?: number): Answer {
  const reset = String(resetAt ?? Date.now() + retryAfterSeconds * 1000);
  const headers: Record<string, string> = { "x-retry-after": String(retryAfterSeconds) };
  for (const who of ["user", "workspace"]) {
    headers[`x-rate-limit-${who}-limit`] = String(limit);
    headers[`x-rate-limit-${who}-remaining`] = "0";
    headers[`x-rate-limit-${who}-reset`] = reset;
  }
  const details = `API quota reached for user. Wait ${retryAfterSeconds} seconds before making another request.`;
  return { ...exception(429, "TooManyRequestsException", "Too many requests", details), headers };
}

const USUAL: Record<number, [name: string, message: string]> = {
  400: ["ValidationFailed", "The request is not valid"],
  401: ["UnauthorizedException", "Missing or expired access token"],
  403: ["AccessControlException", "You do not have the permission to do this"],
  404: ["RouteNotFoundException", "Route not found"],
  409: ["ConflictException", "The request conflicts with the state of the object"],
  410: ["GoneException", "The object is gone"],
  415: ["UnsupportedMediaTypeException", "Content-Type must be application/json"],
  500: ["InternalServerError", "Something went wrong"],
  503: ["ServiceUnavailableException", "The service is unavailable"],
};

/** The answer that goes with a status when nothing else is said; a proxy's HTML for 502 and 504. */
export function usual(status: number, retryAfterSeconds = 1): Answer {
  if (status === 429) return tooManyRequests(retryAfterSeconds);
  if (status === 502 || status === 504) {
    const title = status === 502 ? "502 Bad Gateway" : "504 Gateway Time-out";
    const body = `<html><head><title>${title}</title></head><body><center><h1>${title}</h1></center></body></html>\n`;
    return { status, body, contentType: "text/html" };
  }
  const [name, message] = USUAL[status] ?? ["UnexpectedException", `Answer with status ${status}`];
  return exception(status, name, message);
}
