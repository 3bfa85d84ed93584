import type { Handler } from "../producers/problem.ts";
import type { WebhookResult } from "./metrics/webhook-results.ts";

/** What came of a request whose answer has this status. */
const RESULTS: Readonly<Record<number, WebhookResult>> = {
  200: "test",
  400: "malformed",
  401: "unauthorized",
  405: "wrong-method",
  413: "too-large",
  415: "wrong-type",
  429: "too-many",
  503: "unavailable",
};

/**
 * Tells of each request how it ended: by its answer's status, `other` for one that is not listed, `aborted` when the
 * sender hung up before. A 202 is not told here: its status does not say whether it was a duplicate.
 */
export function countAnswers(handler: Handler, told: (result: WebhookResult) => void): Handler {
  return (req, res) => {
    res.once("close", () => {
      if (!res.writableFinished) told("aborted");
      else if (res.statusCode !== 202) told(RESULTS[res.statusCode] ?? "other");
    });
    handler(req, res);
  };
}
