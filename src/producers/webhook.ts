import type { IncomingMessage, ServerResponse } from "node:http";
import { createAccept, type AcceptDeps } from "./accept-report.ts";
import { sendMethodNotAllowed, sendProblem, type Handler } from "./problem.ts";
import { MAX_BODY_BYTES, readBody, refuseType, sendTooLarge } from "./read-body.ts";
import type { Verify } from "./signatures.ts";

export interface WebhookDeps extends AcceptDeps {
  readonly verify: Verify;
}

export interface WebhookOptions {
  /** Default 65,536. */
  readonly maxBytes?: number;
  /** Requests being read or stored before others are asked to wait; default 2,000. */
  readonly maxInFlight?: number;
}

/**
 * The route that Designer Cloud's webhook tasks call. The completion is durably on the queue before the 202;
 * no other work is done in the request.
 */
export function createWebhook(deps: WebhookDeps, options: WebhookOptions = {}): Handler {
  const { maxBytes = MAX_BODY_BYTES, maxInFlight = 2_000 } = options;
  const accept = createAccept(deps);
  let inFlight = 0;

  const done = () => {
    inFlight--;
  };

  /** The signature is checked on the raw bytes before anything in them is looked at. */
  const take = (req: IncomingMessage, res: ServerResponse, body: Buffer | "too-large" | "aborted") => {
    if (body === "aborted") return done();
    if (body === "too-large") {
      sendTooLarge(req, res, maxBytes);
      return done();
    }
    try {
      const refusal = deps.verify(req.headers, body);
      if (refusal === undefined) return accept(body, "webhook", req, res, done);
      sendProblem(res, { status: 401, detail: refusal });
    } catch (error) {
      // Thrown inside a stream's event, it would end the process.
      deps.log?.warn({ err: error }, "webhook could not be handled: answered 500");
      sendProblem(res, { status: 500, detail: "The relay made a mistake: its log says which." });
    }
    done();
  };

  return (req, res) => {
    if (req.method !== "POST") return sendMethodNotAllowed(res, "POST");
    if (inFlight >= maxInFlight) {
      const detail = "Too many webhooks are in flight: send it again in a second.";
      return sendProblem(res, { status: 429, detail, headers: { "retry-after": "1" } });
    }
    const wrongType = refuseType(req);
    if (wrongType !== undefined) return sendProblem(res, wrongType);
    inFlight++;
    readBody(req, maxBytes, (body) => take(req, res, body));
  };
}
