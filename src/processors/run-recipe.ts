import { setTimeout as wait } from "node:timers/promises";
import { PlatformError } from "../errors.ts";
import type { AskedRun } from "../queues/run-store.ts";
import { chooseOutput } from "./run-output.ts";

/** What is asked of the platform. */
export interface RunPlatform {
  runRecipe(
    request: {
      readonly recipeId: number;
      readonly parameters: Readonly<Record<string, string>>;
      readonly output?: { readonly path: string; readonly format: string };
    },
    executionId: string,
    signal?: AbortSignal,
  ): Promise<{ readonly kind: "started"; readonly jobGroupId: number } | { readonly kind: "ran already" }>;
  listOwnRuns(signal?: AbortSignal): Promise<readonly ListedRun[]>;
  listRecent(limit: number, signal?: AbortSignal): Promise<readonly ListedRun[]>;
  listOutputs(
    jobGroupId: number,
    signal?: AbortSignal,
  ): Promise<{ readonly files: readonly { readonly uri: string; readonly isPrimaryOutput?: boolean }[] }>;
}

interface ListedRun {
  readonly id: number;
  readonly recipeId?: number;
  readonly createdAt: number;
}

export interface RunDeps {
  readonly platform: RunPlatform;
  readonly runs: {
    ask(executionId: string, request: string): Promise<AskedRun>;
    look(executionId: string): Promise<number | undefined>;
    started(executionId: string, jobGroupId: number): Promise<void>;
    forget(executionId: string): Promise<void>;
  };
  /** Has the relay look at the job group until it has ended, and publish it. Reporting it again changes nothing. */
  readonly report: (jobGroupId: number) => Promise<unknown>;
  /** Was the job group started by a run of the relay's? */
  readonly isOurs: (jobGroupId: number) => Promise<boolean>;
  /** Was the job group started by another run of the relay's? */
  readonly isOthers: (jobGroupId: number) => Promise<boolean>;
  readonly signal: AbortSignal;
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
  /** The key was used for another run, or too long ago. */
  | { readonly kind: "conflict"; readonly words: string }
  | { readonly kind: "refused"; readonly status?: number; readonly words: string }
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
/** How far the platform's clock may be behind ours. */
const SKEW_MS = 60_000;

/**
 * Runs a recipe once per execution id, however often it is asked. What the platform does is told in the result; rejects
 * when Redis does not answer, and before the POST then nothing ran.
 */
export async function runRecipe(order: RunOrder, deps: RunDeps): Promise<RunResult> {
  const { executionId } = order;
  const asked = await deps.runs.ask(executionId, requestOf(order));
  if (asked.request !== requestOf(order)) {
    return { kind: "conflict", words: "This idempotency key was used for another run: take a new one." };
  }
  if (asked.jobGroupId !== undefined) return running(asked.jobGroupId, true, deps);
  if (!asked.isFirst && asked.ageMs > REMEMBERED_MS) {
    const words =
      "Whether the run of this idempotency key was started was never told, and that was more than an hour ago: look for it on the platform, and take a new key to run the recipe again.";
    return { kind: "conflict", words };
  }
  const output = await chooseOutput(order, deps).catch(resultOf);
  if (output && "kind" in output) return unlessRan(output, !asked.isFirst, order, deps);
  return send(order, output, asked, deps);
}

async function send(
  order: RunOrder,
  output: { readonly path: string; readonly format: string } | undefined,
  asked: AskedRun,
  deps: RunDeps,
): Promise<RunResult> {
  const { executionId, recipeId, parameters } = order;
  const { platform, runs, signal, pauseMs = 1_000 } = deps;
  let mayRun = !asked.isFirst;
  for (let n = 1; ; n++) {
    try {
      const request = { recipeId, parameters, ...(output && { output }) };
      const answer = await platform.runRecipe(request, executionId, signal);
      // After an answer that was lost, it was this call that started it.
      if (answer.kind === "ran already") return await findRun(order, asked, !asked.isFirst || !mayRun, deps);
      await runs.started(executionId, answer.jobGroupId);
      return await running(answer.jobGroupId, !asked.isFirst, deps);
    } catch (error) {
      const result = resultOf(error);
      if (result.kind !== "later" || !result.mayRun) return unlessRan(result, mayRun, order, deps);
      mayRun = true;
      // Not blindly: the platform runs an execution id once, and answers 304 to the next.
      if (n === TRIES || !(await pause(pauseMs, signal))) return result;
    }
  }
}

/** By this call nothing runs; but an earlier one with the key may have started it all the same. */
async function unlessRan(
  result: RunResult,
  mayRun: boolean,
  { executionId }: RunOrder,
  { runs }: RunDeps,
): Promise<RunResult> {
  if (!mayRun) await runs.forget(executionId);
  else if (result.kind === "later") return { ...result, mayRun };
  else if (result.kind === "refused")
    return { ...result, words: `${result.words}. An earlier call with this key may have started the run` };
  return result;
}

/** The platform says that the execution id ran, and not as what. */
async function findRun(
  { executionId, recipeId }: RunOrder,
  asked: AskedRun,
  repeated: boolean,
  deps: RunDeps,
): Promise<RunResult> {
  const { runs, platform, signal, pauseMs = 1_000 } = deps;
  for (let n = 1; n <= TRIES; n++) {
    // Whoever asked at the same time may know it.
    const known = await runs.look(executionId);
    if (known !== undefined) return running(known, repeated, deps);
    const found: number[] = [];
    const listed = await platform.listOwnRuns(signal).catch(nothingUnlessPlatform);
    for (const run of listed) {
      const fits = run.recipeId === recipeId && run.createdAt >= asked.askedAt - SKEW_MS;
      if (fits && !(await deps.isOthers(run.id))) found.push(run.id);
    }
    const [only, ...more] = found;
    if (only !== undefined && more.length === 0) {
      await runs.started(executionId, only);
      return running(only, repeated, deps);
    }
    if (n < TRIES && !(await pause(pauseMs, signal))) break;
  }
  const words = `Recipe ${recipeId} was started with this key, once. Which job group it is cannot be told: it is published when a webhook or the poller reports it.`;
  return { kind: "running", repeated, words };
}

async function running(jobGroupId: number, repeated: boolean, { report }: RunDeps): Promise<RunResult> {
  await report(jobGroupId);
  const words = repeated
    ? `Job group ${jobGroupId} was started already with this key: nothing was started again.`
    : `Job group ${jobGroupId} is started.`;
  return { kind: "running", jobGroupId, repeated, words };
}

function resultOf(error: unknown): RunResult {
  if (!(error instanceof PlatformError)) throw error;
  const { failure, message: words } = error;
  const { status, retryAfterMs } = failure;
  switch (failure.next) {
    case "refused":
      return { kind: "refused", words, ...(status !== undefined && { status }) };
    case "unknown":
      return { kind: "later", mayRun: true, words };
    case "gate":
    case "busy":
    case "retry":
    case "not-sent":
      return { kind: "later", mayRun: false, words, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
}

function nothingUnlessPlatform(error: unknown): readonly ListedRun[] {
  if (error instanceof PlatformError) return [];
  throw error;
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
