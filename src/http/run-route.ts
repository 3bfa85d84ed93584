import type { IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";
import { newRunKey } from "../producers/execution-id.ts";
import { sendJson, sendProblem } from "../producers/problem.ts";
import { parseJson } from "../producers/read-body.ts";
import type { AskedFrom } from "./decision.ts";
import { keyOf } from "./idempotency-key.ts";
import { answerOf, type RunOutcome } from "./run-answer.ts";
import { runBody } from "./run-schema.ts";

/** A run as it was asked for. */
export interface RunAsked extends Omit<z.output<typeof runBody>, "idempotencyKey"> {
  readonly key: string;
}

/** Runs a recipe; never rejects. */
export type RunRoute = (asked: RunAsked, from: AskedFrom & { readonly who: string }) => Promise<RunOutcome>;

const HINT = 'Send {"recipeId":27}, and a key of yours in the header Idempotency-Key.';

interface Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly token: number;
  readonly asked: AskedFrom;
}

/** Reads what is to be run, hands it on, and answers with what became of it. */
export async function run({ req, res, token, asked }: Call, body: Buffer, runIt: RunRoute): Promise<void> {
  const json = parseJson(body, "The body is empty.");
  if ("status" in json) return sendProblem(res, { ...json, detail: `${json.detail} ${HINT}` });
  const parsed = runBody.safeParse(json.value);
  if (!parsed.success) {
    const issues = parsed.error.issues
      .map(({ path, message }) => `${path.join(".") || "body"}: ${message}`)
      .join("; ");
    return sendProblem(res, { status: 400, detail: `${issues}. ${HINT}` });
  }
  const { idempotencyKey: inBody, ...rest } = parsed.data;
  const named = keyOf(req, inBody);
  if (typeof named === "object") return sendProblem(res, named);
  const key = named ?? newRunKey();
  const answer = answerOf(await runIt({ ...rest, key }, { ...asked, who: `API token ${token}` }), key);
  if ("problem" in answer) return sendProblem(res, answer.problem, answer.members);
  sendJson(res, 202, answer.started, { "cache-control": "no-store" });
}
