import type { IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";
import { newRunKey } from "../producers/execution-id.ts";
import { type Problem, sendJson, sendProblem } from "../producers/problem.ts";
import { parseJson } from "../producers/read-body.ts";
import type { AskedFrom } from "./decision.ts";
import { answerOf, type RunOutcome } from "./run-answer.ts";
import { runBody, runKey } from "./run-schema.ts";

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
  const inHeader = readKeyHeader(req.headersDistinct["idempotency-key"]);
  if (typeof inHeader === "object") return sendProblem(res, inHeader);
  if (inHeader !== undefined && inBody !== undefined && inBody !== inHeader) {
    return sendProblem(res, {
      status: 400,
      detail: "idempotencyKey and the header Idempotency-Key differ: send one of them.",
    });
  }
  const key = inHeader ?? inBody ?? newRunKey();
  const answer = answerOf(await runIt({ ...rest, key }, { ...asked, who: `API token ${token}` }), key);
  if ("problem" in answer) return sendProblem(res, answer.problem, answer.members);
  sendJson(res, 202, answer.started, { "cache-control": "no-store" });
}

/**
 * The key of the header: a string in quotes, as draft-ietf-httpapi-idempotency-key-header has it, or bare, as most
 * send it; both are the same key.
 */
function readKeyHeader(values: readonly string[] | undefined): string | Problem | undefined {
  if (values === undefined) return undefined;
  const [text = "", ...more] = values;
  if (more.length > 0)
    return { status: 400, detail: "The header Idempotency-Key stands there more than once: send one key." };
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(text)?.[1];
  const parsed = runKey.safeParse(quoted?.replaceAll(/\\(.)/g, "$1") ?? text);
  if (parsed.success && (quoted !== undefined || !text.startsWith('"'))) return parsed.data;
  const detail =
    "The header Idempotency-Key must have 1 to 200 characters of ASCII, bare or as a string in quotes.";
  return { status: 400, detail };
}
