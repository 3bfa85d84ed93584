import type { ServerResponse } from "node:http";
import { type AcceptDeps, tellTest, within } from "./accept-report.ts";
import { requestOf, sendJson, sendProblem } from "./problem.ts";
import { parseJson } from "./read-body.ts";
import { type CompletionReport, parseReport } from "./report.ts";
import type { Take } from "./signed-route.ts";

/** Finds out what would come of a report, without doing anything; rejects when Redis does not answer. */
export type Foresee = (report: CompletionReport) => Promise<object>;

/** The platform is asked for each check: a check address that was set as a webhook must not use up its quota. */
const CHECKS_AT_ONCE = 8;
/** Longer than Redis and the platform may take together. */
const FORESEE_TIMEOUT_MS = 8_000;
const NO_STORE = { "cache-control": "no-store" };

/** Answers the check of a report: 200 with what would happen, 400 for one that would be refused, 429 or 503. */
export function createTakeCheck(foresee: Foresee, { proof, log }: Omit<AcceptDeps, "report">): Take {
  let running = 0;

  const check = async (report: CompletionReport, res: ServerResponse): Promise<void> => {
    const { jobGroupId, status = null, labels } = report;
    const understood = { ...(proof !== undefined && { sender: proof }), jobGroupId, status, labels };
    running++;
    try {
      const found = await within(FORESEE_TIMEOUT_MS, foresee(report));
      sendJson(res, 200, { check: true, understood, ...found }, NO_STORE);
    } catch (error) {
      log?.warn(
        { err: error, jobGroupId, ...requestOf(res) },
        "a check of a webhook could not be made: answered 503",
      );
      sendProblem(res, { status: 503, detail: AWAY_DETAIL, headers: { "retry-after": "2" } });
    } finally {
      running--;
    }
  };

  return (body, _req, res, answered) => {
    const json = parseJson(body);
    if ("status" in json) {
      sendProblem(res, json);
      return answered();
    }
    const parsed = parseReport(json.value, "webhook");
    switch (parsed.kind) {
      case "malformed":
        sendProblem(res, { status: 400, detail: parsed.detail });
        return answered();
      case "test":
        sendJson(res, 200, { check: true, ...tellTest(parsed, proof), tasks: [] }, NO_STORE);
        return answered();
      case "report":
        if (running < CHECKS_AT_ONCE) return void check(parsed.report, res).finally(answered);
        sendProblem(res, { status: 429, detail: BUSY_DETAIL, headers: { "retry-after": "1" } });
        return answered();
    }
  };
}

const BUSY_DETAIL = `${CHECKS_AT_ONCE} checks are under way: ask again in a second.`;
const AWAY_DETAIL =
  "The relay cannot say just now: its Redis does not answer. Nothing was stored; ask again.";
