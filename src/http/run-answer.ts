import { type Problem, problemDocument } from "../producers/problem.ts";

/** What became of a run that was asked for. */
export type RunOutcome =
  | {
      readonly kind: "running";
      readonly jobGroupId?: number;
      readonly repeated: boolean;
      readonly words: string;
    }
  | { readonly kind: "reused" | "too-late"; readonly words: string }
  | { readonly kind: "in-flight"; readonly retryAfterMs: number; readonly words: string }
  | {
      readonly kind: "refused";
      readonly mayRun: boolean;
      readonly status?: number;
      readonly words: string;
    }
  | {
      readonly kind: "later";
      readonly mayRun: boolean;
      readonly retryAfterMs?: number;
      readonly words: string;
    };

/** How that is answered, by whichever way it was asked. */
export type RunAnswer =
  | { readonly started: Readonly<Record<string, unknown>> }
  | { readonly problem: Problem; readonly members: Readonly<Record<string, unknown>> };

/** The answer to a run; it names the key, for whoever gave none has to hear the one that was made. */
export function answerOf(outcome: RunOutcome, idempotencyKey: string): RunAnswer {
  if (outcome.kind === "running") {
    const { jobGroupId = null, repeated, words: detail } = outcome;
    return { started: { jobGroupId, repeated, idempotencyKey, detail } };
  }
  return { problem: problemOf(outcome), members: { idempotencyKey, mayRun: mayRun(outcome) } };
}

/** The same as one document. */
export function documentOf(answer: RunAnswer): Readonly<Record<string, unknown>> {
  return "started" in answer ? answer.started : problemDocument(answer.problem, answer.members);
}

type NotRunning = Exclude<RunOutcome, { kind: "running" }>;

function problemOf(outcome: NotRunning): Problem {
  const { words } = outcome;
  switch (outcome.kind) {
    case "reused":
      return { status: 422, detail: words };
    case "too-late":
      return { status: 409, detail: words };
    case "in-flight":
      return { status: 409, detail: `${words}.`, headers: retryAfter(outcome.retryAfterMs) };
    case "refused":
      return { status: outcome.status === 404 ? 404 : 422, detail: words };
    case "later": {
      const again = outcome.mayRun
        ? "It may have been started: ask again with the same idempotencyKey, it runs once."
        : "It was not started: ask again.";
      return {
        status: 503,
        detail: `${words}. ${again}`,
        headers: retryAfter(outcome.retryAfterMs ?? 2_000),
      };
    }
  }
}

function mayRun(outcome: NotRunning): boolean {
  switch (outcome.kind) {
    case "reused":
      return false;
    case "in-flight":
    case "too-late":
      return true;
    case "refused":
    case "later":
      return outcome.mayRun;
  }
}

const retryAfter = (ms: number) => ({ "retry-after": String(Math.max(1, Math.ceil(ms / 1_000))) });
