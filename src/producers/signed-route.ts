import type { IncomingMessage, ServerResponse } from "node:http";
import { requestOf, sendMethodNotAllowed, sendProblem, type Handler } from "./problem.ts";
import { MAX_BODY_BYTES, readBody, refuseType, sendTooLarge } from "./read-body.ts";
import type { Verify } from "./signatures.ts";

export interface SignedRouteDeps {
  readonly verify: Verify;
  readonly log?: { warn(fields: object, message: string): void };
}

export interface SignedRouteOptions {
  /** Default 65,536. */
  readonly maxBytes?: number;
  /** Requests being read or answered before others are asked to wait; default 2,000. */
  readonly maxInFlight?: number;
}

/** Answers a request whose signature is good; calls `answered` once, when the answer is given. */
export type Take = (body: Buffer, req: IncomingMessage, res: ServerResponse, answered: () => void) => void;

/**
 * Builds routes that only somebody with a secret gets into: POST, of a type that is JSON, not too large, and signed.
 * All routes of one door share the limit of requests in flight.
 */
export function createSignedDoor(
  { verify, log }: SignedRouteDeps,
  options: SignedRouteOptions = {},
): (take: Take) => Handler {
  const { maxBytes = MAX_BODY_BYTES, maxInFlight = 2_000 } = options;
  let inFlight = 0;

  const done = () => {
    inFlight--;
  };

  /** The signature is checked on the raw bytes before anything in them is looked at. */
  const check = (
    take: Take,
    req: IncomingMessage,
    res: ServerResponse,
    body: Buffer | "too-large" | "aborted",
  ) => {
    if (body === "aborted") return done();
    if (body === "too-large") {
      sendTooLarge(req, res, maxBytes);
      return done();
    }
    try {
      const refusal = verify(req.headers, body);
      if (refusal === undefined) return take(body, req, res, done);
      sendProblem(res, { status: 401, detail: refusal });
    } catch (error) {
      // Thrown inside a stream's event, it would end the process.
      log?.warn({ err: error, ...requestOf(res) }, "webhook could not be handled: answered 500");
      sendProblem(res, { status: 500, detail: "The relay made a mistake: its log says which." });
    }
    done();
  };

  return (take) => (req, res) => {
    if (req.method !== "POST") return sendMethodNotAllowed(res, "POST");
    if (inFlight >= maxInFlight) {
      const detail = "Too many webhooks are in flight: send it again in a second.";
      return sendProblem(res, { status: 429, detail, headers: { "retry-after": "1" } });
    }
    const wrongType = refuseType(req);
    if (wrongType !== undefined) return sendProblem(res, wrongType);
    inFlight++;
    readBody(req, maxBytes, (body) => check(take, req, res, body));
  };
}
