import type { IncomingMessage, ServerResponse } from "node:http";
import type { z } from "zod";
import { newRunKey } from "../producers/execution-id.ts";
import { type Problem, sendJson, sendProblem } from "../producers/problem.ts";
import { parseJson } from "../producers/read-body.ts";
import type { AskedFrom } from "./decision.ts";
import { runBody, runKey } from "./run-schema.ts";

/** A run as it was asked for. */
export interface RunAsked extends Omit<z.output<typeof runBody>, "idempotencyKey"> {
  readonly key: string;
}

/** What became of it. */
type RunAnswer =
  | {
      readonly kind: "running";
      readonly jobGroupId?: number;
      readonly repeated: boolean;
      readonly words: string;
    }
  | { readonly kind: "conflict"; readonly words: string }
  | { readonly kind: "refused"; readonly status?: number; readonly words: string }
  | {
      readonly kind: "later";
      readonly mayRun: boolean;
      readonly retryAfterMs?: number;
      readonly words: string;
    };

/** Runs a recipe; never rejects. */
export type RunRoute = (asked: RunAsked, from: AskedFrom & { readonly who: string }) => Promise<RunAnswer>;

const HINT = 'Send {"recipeId":27}, and a key of yours in the header Idempotency-Key.';

interface Call {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly token: number;
  readonly asked: AskedFrom;
}

/** Reads what is to be run, hands it on, and answers with what became of it. */
export async function run({ req, res, token, asked }: Call, body: Buffer, runIt: RunRoute): Promise<void> {
  const json = parseJson(body);
  if ("status" in json) return sendProblem(res, { ...json, detail: `${json.detail} ${HINT}` });
  const parsed = runBody.safeParse(json.value);
  if (!parsed.success) {
    const issues = parsed.error.issues
      .map(({ path, message }) => `${path.join(".") || "body"}: ${message}`)
      .join("; ");
    return sendProblem(res, { status: 400, detail: `${issues}. ${HINT}` });
  }
  const { idempotencyKey: inBody, ...rest } = parsed.data;
  const inHeader = req.headers["idempotency-key"];
  if (inHeader !== undefined && !runKey.safeParse(inHeader).success) {
    return sendProblem(res, {
      status: 400,
      detail: "The header Idempotency-Key must have 1 to 200 characters of ASCII.",
    });
  }
  const given = typeof inHeader === "string" ? runKey.parse(inHeader) : inBody;
  if (inBody !== undefined && inBody !== given) {
    return sendProblem(res, {
      status: 400,
      detail: "idempotencyKey and the header Idempotency-Key differ: send one of them.",
    });
  }
  const key = given ?? newRunKey();
  const answer = await runIt({ ...rest, key }, { ...asked, who: `API token ${token}` });
  // Whoever gave no key has to hear the one that was made.
  if (answer.kind !== "running") return sendProblem(res, problemOf(answer), { idempotencyKey: key });
  const { jobGroupId = null, repeated, words: detail } = answer;
  sendJson(res, 202, { jobGroupId, repeated, idempotencyKey: key, detail }, { "cache-control": "no-store" });
}

function problemOf(answer: Exclude<RunAnswer, { kind: "running" }>): Problem {
  const { words } = answer;
  switch (answer.kind) {
    case "conflict":
      return { status: 409, detail: words };
    case "refused":
      return { status: answer.status === 404 ? 404 : 422, detail: words };
    case "later": {
      const { mayRun, retryAfterMs = 2_000 } = answer;
      const again = mayRun
        ? "It may have been started: ask again with the same idempotencyKey, it runs once."
        : "It was not started: ask again.";
      const headers = { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) };
      return { status: 503, detail: `${words}. ${again}`, headers };
    }
  }
}
