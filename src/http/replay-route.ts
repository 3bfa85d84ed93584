import type { IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";
import { moment } from "../producers/moment.ts";
import { sendJson, sendProblem } from "../producers/problem.ts";
import { parseJson } from "../producers/read-body.ts";
import type { AskedFrom } from "./decision.ts";
import { keyOf } from "./idempotency-key.ts";
import { MAX_REPLAYED, replayBody } from "./replay-schema.ts";

/** A replay as it was asked for; times are epoch milliseconds. */
export interface ReplayAsked
  extends Omit<z.output<typeof replayBody>, "since" | "until" | "by" | "idempotencyKey"> {
  readonly since?: number;
  readonly until?: number;
  /** Names a replay by force. */
  readonly key?: string;
  /** Who asks, as far as the request tells. */
  readonly by: string;
}

/** What came of it; `refused`: nothing was done, and the words say what to change; `stopped`: it came to no end. */
type ReplayAnswer = { readonly dryRun: boolean; readonly stopped?: string } | { readonly refused: string };

/** Tells what a replay would do, or does it. At most `max` job groups. */
export type Replay = (asked: ReplayAsked, from: AskedFrom, max: number) => Promise<ReplayAnswer>;

const HINT =
  'Send {"jobGroupIds":[31]} or {"since":"2h"}; what it would do is answered, and "dryRun":false does it.';

interface Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly token: number;
  readonly asked: AskedFrom;
}

/** Reads what is to be replayed, hands it on, and answers with what it comes to. */
export async function replay({ req, res, token, asked }: Call, body: Buffer, run: Replay): Promise<void> {
  const json = parseJson(body, "The body is empty.");
  if ("status" in json) return sendProblem(res, { ...json, detail: `${json.detail} ${HINT}` });
  const parsed = replayBody.safeParse(json.value);
  if (!parsed.success) {
    const issues = parsed.error.issues
      .map(({ path, message }) => `${path.join(".") || "body"}: ${message}`)
      .join("; ");
    return sendProblem(res, { status: 400, detail: `${issues}. ${HINT}` });
  }
  const { since, until, by, idempotencyKey, ...rest } = parsed.data;
  const key = keyOf(req, idempotencyKey);
  if (typeof key === "object") return sendProblem(res, key);
  const from = since === undefined ? undefined : timeOf(since);
  const to = until === undefined ? undefined : timeOf(until);
  if (from !== undefined && to !== undefined && to <= from) {
    return sendProblem(res, { status: 400, detail: `until must be later than since. ${HINT}` });
  }
  // A name in the body is a claim; the token is what was shown.
  const who = by === undefined ? `API token ${token}` : `${by} (API token ${token})`;
  const answer = await run(
    {
      ...rest,
      by: who,
      ...(key !== undefined && { key }),
      ...(from !== undefined && { since: from }),
      ...(to !== undefined && { until: to }),
    },
    asked,
    MAX_REPLAYED,
  );
  if ("refused" in answer) return sendProblem(res, { status: 422, detail: answer.refused });
  const { stopped, ...told } = answer;
  if (stopped !== undefined) {
    return sendProblem(res, { status: 503, detail: `${stopped}.`, headers: { "retry-after": "2" } }, told);
  }
  sendJson(res, answer.dryRun ? 200 : 202, told, { "cache-control": "no-store" });
}

function timeOf(text: string): number {
  const parsed = moment.parse(text);
  return "at" in parsed ? parsed.at : Date.now() - parsed.backMs;
}
