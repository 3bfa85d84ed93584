import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type AcceptDeps,
  AWAY_DETAIL,
  createThrottledWarn,
  deliveryOf,
  REPORT_TIMEOUT_MS,
  RETRY_LATER,
  tellTest,
  type ToldTest,
  within,
} from "./accept-report.ts";
import { requestOf, sendJson, sendProblem } from "./problem.ts";
import { parseJson } from "./read-body.ts";
import { parseReport, type ReportSource } from "./report.ts";

/** How many reports a batch may hold. */
export const MAX_BATCH = 500;
/** How large a batch may be, in bytes. */
export const MAX_BATCH_BYTES = 1_048_576;

/** What is said of one report of a batch: what it would have been answered alone. */
export type BatchResult =
  | { readonly status: 202; readonly completion: string; readonly duplicate: boolean }
  | ({ readonly status: 200 } & ToldTest)
  | { readonly status: 400 | 503; readonly detail: string };

/** Answers a batch whose sender is known; resolves once it is answered. */
export type AcceptBatch = (
  body: Buffer,
  source: ReportSource,
  req: Pick<IncomingMessage, "headers">,
  res: ServerResponse,
) => Promise<void>;

/**
 * Builds the way from a raw body that holds an array of reports to one answer for each. 200 says that the batch was
 * read; 503, with the same answers, that of those that could be stored none was. The reports go to Redis all
 * together, and no answer is waited for longer than for a single report.
 */
export function createAcceptBatch(deps: AcceptDeps): AcceptBatch {
  const warn = createThrottledWarn(deps.log);

  const take = async (
    item: unknown,
    source: ReportSource,
    delivery: object,
    request: object,
  ): Promise<BatchResult> => {
    const parsed = parseReport(item, source);
    switch (parsed.kind) {
      case "malformed":
        return { status: 400, detail: parsed.detail };
      case "test":
        return { status: 200, ...tellTest(parsed, undefined) };
      case "report":
        try {
          const report = deps.report({ ...parsed.report, ...delivery });
          return { status: 202, ...(await within(REPORT_TIMEOUT_MS, report)) };
        } catch (error) {
          const { jobGroupId } = parsed.report;
          warn(
            { err: error, jobGroupId, source, ...request },
            "completion of a batch was not taken: answered 503",
          );
          return { status: 503, detail: AWAY_DETAIL };
        }
    }
  };

  return async (body, source, { headers }, res) => {
    const json = parseJson(body);
    if ("status" in json) return sendProblem(res, json);
    const items = json.value;
    if (!Array.isArray(items) || items.length === 0 || items.length > MAX_BATCH) {
      const given = Array.isArray(items) ? `an array of ${items.length}` : "no array";
      const detail = `A batch is an array of 1 to ${MAX_BATCH} reports, and this is ${given}: send it in parts, or a single report as an object.`;
      return sendProblem(res, { status: 400, detail });
    }
    const delivery = deliveryOf(headers);
    const results = await Promise.all(
      items.map((item: unknown) => take(item, source, delivery, requestOf(res))),
    );
    const has = (wanted: number) => results.some(({ status }) => status === wanted);
    if (has(202) || !has(503)) return sendJson(res, 200, { results });
    sendProblem(res, { status: 503, detail: AWAY_DETAIL, headers: RETRY_LATER }, { results });
  };
}

/** Does a body hold an array? JSON allows these four characters in front of it. */
export function isBatch(body: Buffer): boolean {
  const first = body.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d);
  return first === "[".charCodeAt(0);
}
