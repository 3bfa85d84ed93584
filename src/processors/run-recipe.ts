import { setTimeout as wait } from "node:timers/promises";
import { PlatformError } from "../errors.ts";
import type { RunBefore, RunStore, SentRun } from "../queues/run-store.ts";
import { type FindRunDeps, findRun, newestRun } from "./find-run.ts";
import { chooseOutput, type OutputPlatform } from "./run-output.ts";

/** What is asked of the platform. */
export interface RunPlatform
  extends OutputPlatform,
    Pick<FindRunDeps["platform"], keyof FindRunDeps["platform"]> {
  runRecipe(
    request: {
      readonly recipeId: number;
      readonly parameters: Readonly<Record<string, string>>;
      readonly output?: { readonly path: string; readonly format: string };
    },
    executionId: string,
    signal?: AbortSignal,
  ): Promise<{ readonly kind: "started"; readonly jobGroupId: number } | { readonly kind: "ran already" }>;
}

export interface RunDeps extends Pick<FindRunDeps, "startedBy"> {
  readonly platform: RunPlatform;
  readonly runs: RunStore;
  /** Has the relay look at the job group until it has ended, and publish it. Reporting it again changes nothing. */
  readonly report: (jobGroupId: number) => Promise<unknown>;
  readonly signal: AbortSignal;
  /** Names this call, as who has the turn. */
  readonly holder: string;
  /** A call that died holds up others with its key for so long; longer than a call takes. */
  readonly holdMs: number;
  /** Default one second. */
  readonly pauseMs?: number;
}

/** What is to be run. The same execution id runs once, whatever else is asked with it. */
export interface RunOrder {
  readonly executionId: string;
  readonly recipeId: number;
  readonly parameters: Readonly<Record<string, string>>;
  /** The results must have this format: when the recipe's own outputs lack it, one is asked for. */
  readonly format?: string;
  /** Where the platform writes that output; by default beside the recipe's last results. */
  readonly path?: string;
}

/** What became of it. */
export type RunResult =
  | {
      readonly kind: "running";
      /** Undefined: it runs, and which job group it is cannot be told. */
      readonly jobGroupId?: number;
      readonly repeated: boolean;
      readonly words: string;
    }
  /** The key was used for another run. */
  | { readonly kind: "reused"; readonly words: string }
  /** Another call with the key is under way. */
  | { readonly kind: "in-flight"; readonly retryAfterMs: number; readonly words: string }
  /** Whether it was started is not known, and cannot be asked any more. */
  | { readonly kind: "too-late"; readonly words: string }
  /** `mayRun`: not by this call, but an earlier one may have started it. */
  | {
      readonly kind: "refused";
      readonly mayRun: boolean;
      readonly status?: number;
      readonly words: string;
    }
  /** Ask again with the same key; `mayRun` when it may have been started. */
  | {
      readonly kind: "later";
      readonly mayRun: boolean;
      readonly retryAfterMs?: number;
      readonly words: string;
    };

/** How often a POST whose outcome is unknown is sent, with the same execution id. */
const TRIES = 3;
/**
 * How long the platform remembers an execution id is not documented. After so long one of unknown outcome is not sent
 * again.
 */
const REMEMBERED_MS = 60 * 60_000;
/** So long a call waits for another one with its key, and looks so often. */
const TURN_WITHIN_MS = 5_000;
const LOOK_EVERY_MS = 100;

/**
 * Runs a recipe once per execution id, however often it is asked. What the platform does is told in the result; rejects
 * when Redis does not answer, and before the POST then nothing ran.
 */
export async function runRecipe(order: RunOrder, deps: RunDeps): Promise<RunResult> {
  const { runs, holder } = deps;
  const sent = await takeTurn(order, deps);
  if (sent && "kind" in sent) return sent;
  try {
    const result = await runInTurn(order, sent, deps);
    // Whoever asks again then asks for the first time.
    if ((result.kind === "refused" || result.kind === "later") && !result.mayRun)
      await runs.forget(order.executionId, holder);
    return result;
  } finally {
    // It passes by itself.
    await runs.release(order.executionId, holder).catch(() => {});
  }
}

/** One call at a time sends; what earlier ones sent, if any did, or what there is to say already. */
async function takeTurn(order: RunOrder, deps: RunDeps): Promise<RunResult | SentRun | undefined> {
  const { runs, holder, holdMs, signal } = deps;
  const request = requestOf(order);
  const until = Date.now() + TURN_WITHIN_MS;
  for (;;) {
    const asked = await runs.ask(order.executionId, request, { holder, holdMs });
    if (!asked.isSame)
      return { kind: "reused", words: "This idempotency key was used for another run: take a new one." };
    if (asked.jobGroupId !== undefined) return running(asked.jobGroupId, true, deps);
    if (asked.isTurn) return asked.sent;
    if (Date.now() > until || !(await pause(LOOK_EVERY_MS, signal))) {
      const words = "Another call with this idempotency key is under way. Ask again: it runs once";
      return { kind: "in-flight", retryAfterMs: Math.min(asked.heldMs, TURN_WITHIN_MS), words };
    }
  }
}

async function runInTurn(order: RunOrder, sent: SentRun | undefined, deps: RunDeps): Promise<RunResult> {
  // However long ago: the platform may have forgotten it by now, the record has not.
  if (sent?.ranAlready) return nameRun(order, sent.before, true, deps);
  if (sent && sent.agoMs > REMEMBERED_MS) {
    const words =
      "Whether the run of this idempotency key was started was never told, and that was more than an hour ago: look for it on the platform, and take a new key to run the recipe again.";
    return { kind: "too-late", words };
  }
  const output = await chooseOutput(order, deps).catch(resultOf);
  if (output && "kind" in output) return sent ? afterEarlier(output) : output;
  return send(order, output, sent, deps);
}

async function send(
  order: RunOrder,
  output: { readonly path: string; readonly format: string } | undefined,
  sent: SentRun | undefined,
  deps: RunDeps,
): Promise<RunResult> {
  const { executionId, recipeId, parameters } = order;
  const { platform, runs, signal, pauseMs = 1_000 } = deps;
  let before = sent?.before ?? (await newestRun(deps));
  if (!sent) await runs.sending(executionId, before);
  let mayRun = sent !== undefined;
  for (let n = 1; ; n++) {
    try {
      const request = { recipeId, parameters, ...(output && { output }) };
      const answer = await platform.runRecipe(request, executionId, signal);
      if (answer.kind === "ran already") {
        // Nothing was sent by this record: what was known of that run is lost, and with it when it was.
        if (!mayRun) await runs.sending(executionId, (before = "not known"));
        await runs.ranAlready(executionId);
        // After an answer that was lost, it was this call that started it.
        return await nameRun(order, before, sent !== undefined || !mayRun, deps);
      }
      await runs.started(executionId, answer.jobGroupId);
      return await running(answer.jobGroupId, sent !== undefined, deps);
    } catch (error) {
      const result = resultOf(error);
      if (result.kind !== "later" || !result.mayRun) return mayRun ? afterEarlier(result) : result;
      mayRun = true;
      // Not blindly: the platform runs an execution id once, and answers 304 to the next.
      if (n === TRIES || !(await pause(pauseMs, signal))) return result;
    }
  }
}

/** By this call nothing runs; but an earlier one with the key may have started it all the same. */
function afterEarlier(result: Failed): RunResult {
  if (result.kind === "later") return { ...result, mayRun: true };
  const words = `${result.words}. An earlier call with this key may have started the run`;
  return { ...result, mayRun: true, words };
}

/** The platform says that the execution id ran, and not as what. */
async function nameRun(
  { executionId, recipeId }: RunOrder,
  before: RunBefore,
  repeated: boolean,
  deps: RunDeps,
): Promise<RunResult> {
  const { pauseMs = 1_000 } = deps;
  const known = await deps.runs.look(executionId);
  if (known !== undefined) return running(known, repeated, deps);
  const found = await findRun(recipeId, before, { ...deps, pauseMs });
  if (found !== undefined) {
    await deps.runs.started(executionId, found);
    return running(found, repeated, deps);
  }
  const why =
    before === "not known"
      ? "The platform says that this key ran before, so nothing was started now; the relay knows nothing of when"
      : "The platform says that this key ran, once";
  const words = `${why}. Which job group it is cannot be told: look there for a job of recipe ${recipeId} that was started by the API. It is published when a webhook or the poller reports it.`;
  return { kind: "running", repeated, words };
}

async function running(jobGroupId: number, repeated: boolean, { report }: RunDeps): Promise<RunResult> {
  await report(jobGroupId);
  const words = repeated
    ? `Job group ${jobGroupId} was started already with this key: nothing was started again.`
    : `Job group ${jobGroupId} is started.`;
  return { kind: "running", jobGroupId, repeated, words };
}

type Failed = Extract<RunResult, { readonly mayRun: boolean }>;

function resultOf(error: unknown): Failed {
  if (!(error instanceof PlatformError)) throw error;
  const { failure, message: words } = error;
  const { status, retryAfterMs } = failure;
  switch (failure.next) {
    case "refused":
      return { kind: "refused", mayRun: false, words, ...(status !== undefined && { status }) };
    case "unknown":
      return { kind: "later", mayRun: true, words };
    case "gate":
    case "busy":
    case "retry":
    case "not-sent":
      return { kind: "later", mayRun: false, words, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
}

/** What the key stands for, so that another run with the same key is told from a repeat. */
function requestOf({ recipeId, parameters, format, path }: RunOrder): string {
  const sorted = Object.entries(parameters).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({ recipeId, parameters: sorted, format, path });
}

/** False: there is no time left. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return wait(ms, true, { signal }).catch(() => false);
}
