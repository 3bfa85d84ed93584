import type { ServerResponse } from "node:http";
import { z } from "zod";
import { NO_REASON, saysSomething } from "../producers/reason.ts";
import { sendJson, sendProblem } from "../producers/problem.ts";
import { parseJson } from "../producers/read-body.ts";

/** A person's word on a parked task. */
export interface Decision {
  readonly outcome: "published" | "again";
  readonly reason: string;
  /** Who decided, as far as the request tells. */
  readonly by: string;
}

/** What became of it: `unknown` is 404, `refused` is 409. */
type DecisionResult =
  | { readonly kind: "resolved"; readonly task: unknown }
  | { readonly kind: "unknown" }
  | { readonly kind: "refused"; readonly detail: string };

/** Where a decision was asked for, as the audit trail is to tell. */
export interface AskedFrom {
  /** The address. */
  readonly from: string;
  readonly requestId: string;
  /** As whom; default: `api`. */
  readonly role?: "operator" | "viewer";
}

/** Carries a decision out. */
export type Resolve = (taskId: string, decision: Decision, asked: AskedFrom) => Promise<DecisionResult>;

/** What a decision is sent as. */
export const decisionBody = z
  .strictObject({
    outcome: z
      .enum(["published", "again"])
      .meta({ description: "published: the rows are in the table. again: they are not, publish once more." }),
    reason: z
      .string()
      .trim()
      .min(1, { error: NO_REASON, abort: true })
      .max(1_000)
      .refine(saysSomething, NO_REASON)
      .meta({ description: "Kept with the task." }),
    by: z.string().trim().min(1).max(100).optional().meta({ description: "Who decided." }),
  })
  .meta({
    id: "Decision",
    examples: [{ outcome: "published", reason: "100 rows of run 31 are in the table" }],
  });

const DECISION_HINT =
  'Send {"outcome":"published","reason":"..."} when the rows are in the table, or {"outcome":"again","reason":"..."} ' +
  'to publish once more; "by" may name who decided.';

/** Reads a decision, hands it on, and answers with what became of it. `id` names the task, `token` who asks. */
export async function decide(
  {
    res,
    id,
    token,
    asked,
  }: {
    readonly res: ServerResponse;
    readonly id: string;
    readonly token: number;
    readonly asked: AskedFrom;
  },
  body: Buffer,
  resolve: Resolve,
): Promise<void> {
  const json = parseJson(body, "The body is empty.");
  if ("status" in json) return sendProblem(res, { ...json, detail: `${json.detail} ${DECISION_HINT}` });
  const parsed = decisionBody.safeParse(json.value);
  if (!parsed.success) {
    const issues = parsed.error.issues
      .map(({ path, message }) => `${path.join(".") || "body"}: ${message}`)
      .join("; ");
    return sendProblem(res, { status: 400, detail: `${issues}. ${DECISION_HINT}` });
  }
  const { outcome, reason, by } = parsed.data;
  // A name in the body is a claim; the token is what was shown.
  const who = by === undefined ? `API token ${token}` : `${by} (API token ${token})`;
  const result = await resolve(id, { outcome, reason, by: who }, asked);
  switch (result.kind) {
    case "resolved":
      return sendJson(res, 200, result.task);
    case "unknown":
      return sendProblem(res, { status: 404, detail: `There is no task ${JSON.stringify(id)}.` });
    case "refused":
      return sendProblem(res, { status: 409, detail: result.detail });
  }
}
