import { hostname, userInfo } from "node:os";
import type { Logger } from "pino";
import type { Config } from "./config.ts";
import type { DesignerCloud } from "./designer-cloud/client.ts";
import type { Said } from "./explain-command.ts";
import { answerOf, documentOf } from "./http/run-answer.ts";
import { type Look, PLAIN } from "./look.ts";
import type { RunResult } from "./processors/run-recipe.ts";
import { newRunKey } from "./producers/execution-id.ts";
import { createReportCompletion } from "./producers/report-completion.ts";
import { createAudit } from "./queues/audit-store.ts";
import { type CompletionRecords, createCompletionRecords } from "./queues/completion-record.ts";
import { livingProcesses } from "./queues/living-processes.ts";
import { reachRedis } from "./reach-redis.ts";
import { createRunJob } from "./relay-run.ts";
import { formatDuration } from "./rules/duration.ts";
import { type Ended, untilPublished } from "./until-published.ts";
import { type Stores, withStores } from "./with-core.ts";
import { withPlatform } from "./with-platform.ts";

/** For the POST and its repeats; the waiting for the end comes after. */
const RUN_WITHIN_MS = 60_000;

/** What `run` was asked for. */
export interface RunArguments {
  readonly recipeId: number;
  readonly parameters: Readonly<Record<string, string>>;
  readonly format?: string;
  /** Where the platform writes what `format` asks for. */
  readonly path?: string;
  /** Default: a new one. */
  readonly key?: string;
  /** Until it has ended and all its publish tasks have. */
  readonly wait: boolean;
  /** No longer than this, from the start of the command; default: however long it takes. */
  readonly timeoutMs?: number;
  readonly json: boolean;
}

/** What a run is to look like, and what ends the wait for it: its reason is told by whoever aborts it. */
export interface RunSurroundings {
  readonly look?: Look;
  readonly interrupted?: AbortSignal;
}

/**
 * Runs a recipe on the platform, once per key, and with `wait` looks until all is published. `tell` hears what goes on
 * meanwhile. Not `ok` when it does not run, that is not known, or its results were not all published. Throws when Redis
 * does not answer from the start: then nothing was sent.
 */
export async function runRun(
  args: RunArguments,
  config: Config,
  log: Logger,
  tell: (words: string) => void,
  { look = PLAIN, interrupted = new AbortController().signal }: RunSurroundings = {},
): Promise<Said> {
  const { key = newRunKey(), recipeId, parameters, format, path, timeoutMs } = args;
  const over = AbortSignal.any([
    interrupted,
    ...(timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)]),
  ]);
  return withPlatform(config, "run", (platform) =>
    withStores(config, log, async (stores) => {
      const { connections, keys } = stores;
      await reachRedis(connections, config, "nothing was started");
      const records = createCompletionRecords(connections.work, keys, config.ledgerRetentionMs);
      const asker = { who: userInfo().username, role: "command line", from: hostname() } as const;
      const asked = { key, recipeId, parameters, ...(format && { format }), ...(path && { path }) };
      // Before anything is sent: whoever is cut off after that can ask again all the same.
      if (args.key === undefined) tell(`key ${key}: say --key ${key} if you have to ask again`);
      const run = runJobOf(stores, records, platform, config, log);
      const result = await run(asked, asker, { ms: RUN_WITHIN_MS, signal: over });
      const { jobGroupId } = result.kind === "running" ? result : {};
      let ended: Ended | undefined;
      if (args.wait && jobGroupId !== undefined) {
        const living = await livingProcesses(connections.ingest, keys).catch(() => undefined);
        if (living?.length === 0) tell("No process of the relay lives: start one, or nothing is published");
        ended = await untilPublished(jobGroupId, { records, platform, tell, signal: over });
      }
      return say(result, key, ended, args, look, interrupted.aborted);
    }),
  );
}

function say(
  result: RunResult,
  key: string,
  ended: Ended | undefined,
  args: RunArguments,
  look: Look,
  isInterrupted: boolean,
): Said {
  const isOut = args.wait && result.kind === "running" && result.jobGroupId !== undefined && !ended;
  const cut = isInterrupted ? "interrupted" : isOut ? "timed out" : undefined;
  const answer = documentOf(answerOf(result, key));
  const text = args.json
    ? JSON.stringify({ ...answer, ...(args.wait && { ended: ended ?? null }) }, undefined, 2)
    : tellRun(result, key, ended, args, look, cut);
  // What was to be waited for and cannot be named was not seen to be published.
  const ok = result.kind === "running" && (args.wait ? ended?.good === true : true);
  return { text, ok, ...(!ok && cut && { cut }) };
}

function runJobOf(
  { connections, keys, queues }: Stores,
  records: CompletionRecords,
  platform: DesignerCloud,
  config: Config,
  log: Logger,
) {
  const { namespace, ledgerRetentionMs: retentionMs } = config;
  return createRunJob({
    connections,
    keys,
    namespace,
    retentionMs,
    platform,
    report: createReportCompletion({ records, queue: queues.completions }),
    records,
    audit: createAudit(connections.ingest, keys, retentionMs, log),
    log,
  });
}

function tellRun(
  result: RunResult,
  key: string,
  ended: Ended | undefined,
  { wait: waits, key: given, timeoutMs = 0 }: RunArguments,
  { paint }: Look,
  cut: Said["cut"],
): string {
  const again =
    given === undefined
      ? `say --key ${key} when you ask again, then it runs once`
      : "ask again with the same --key";
  switch (result.kind) {
    case "running": {
      const line = `${result.repeated ? paint("warn", "REPEATED") : paint("good", "RUNNING")}: ${result.words}`;
      if (ended) {
        const end = paint(ended.good ? "good" : "bad", ended.good ? "PUBLISHED" : "NOT PUBLISHED");
        return `${line}\n${end}: ${ended.outcome === "dispatched" ? ended.summary : ended.words}`;
      }
      const { jobGroupId } = result;
      if (jobGroupId === undefined) return line;
      if (waits) {
        const why =
          cut === "interrupted" ? "you stopped waiting" : `not ended within ${formatDuration(timeoutMs)}`;
        return `${line}\n${paint("warn", "GOES ON")}: ${why}; the job goes on, and is published by the rules. How it stands: publish-relay status ${jobGroupId}`;
      }
      const then = result.repeated ? "How it stands" : "When it has ended it is published by the rules";
      return `${line} ${then}: publish-relay status ${jobGroupId}`;
    }
    case "reused":
    case "refused":
      return `${paint("bad", "NOT STARTED")}: ${result.words}`;
    case "too-late":
    case "in-flight":
      return `${paint("bad", "NOT KNOWN")}: ${result.words}`;
    case "later":
      return result.mayRun
        ? `${paint("bad", "NOT KNOWN")}: ${result.words}. It may have been started: ${again}`
        : `${paint("bad", "NOT STARTED")}: ${result.words}. Ask again`;
  }
}
