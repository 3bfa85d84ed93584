import { hostname, userInfo } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import type { Logger } from "pino";
import type { Config } from "./config.ts";
import type { DesignerCloud } from "./designer-cloud/client.ts";
import type { Said } from "./explain-command.ts";
import { type Look, PLAIN } from "./look.ts";
import type { RunResult } from "./processors/run-recipe.ts";
import { summariseJobGroup } from "./processors/summarise-job-group.ts";
import { newRunKey } from "./producers/execution-id.ts";
import { createReportCompletion } from "./producers/report-completion.ts";
import { createAudit } from "./queues/audit-store.ts";
import { type CompletionRecords, createCompletionRecords } from "./queues/completion-record.ts";
import { inTime } from "./queues/in-time.ts";
import { livingProcesses } from "./queues/living-processes.ts";
import { createRunJob } from "./relay-run.ts";
import { hasEnded } from "./rules/task-state.ts";
import { type Stores, withStores } from "./with-core.ts";
import { withPlatform } from "./with-platform.ts";

/** A person does not wait for a Redis that is away. */
const REDIS_WITHIN_MS = 5_000;
/** For the POST and its repeats; the waiting for the end comes after. */
const RUN_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 1_000;

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
  readonly json: boolean;
}

/** How the job group of a run stands at the end of a wait. */
interface Ended {
  readonly outcome: string;
  readonly words: string;
  readonly summary: string;
  readonly good: boolean;
}

/**
 * Runs a recipe on the platform, once per key, and with `wait` looks until all is published. `tell` hears what goes on
 * meanwhile. Not `ok` when it does not run, or its results were not all published. Throws when Redis does not answer.
 */
export async function runRun(
  args: RunArguments,
  config: Config,
  log: Logger,
  tell: (words: string) => void,
  look: Look = PLAIN,
): Promise<Said> {
  const { key = newRunKey(), recipeId, parameters, format, path, json } = args;
  return withPlatform(config, "run", (platform) =>
    withStores(config, log, async (stores) => {
      const { connections, keys } = stores;
      if (!(await inTime(connections.reached(), REDIS_WITHIN_MS)))
        throw new Error("Redis does not answer: nothing was started");
      const records = createCompletionRecords(connections.work, keys, config.ledgerRetentionMs);
      const asker = { who: userInfo().username, role: "command line", from: hostname() } as const;
      const asked = { key, recipeId, parameters, ...(format && { format }), ...(path && { path }) };
      const run = runJobOf(stores, records, platform, config, log);
      const result = await run(asked, asker, AbortSignal.timeout(RUN_WITHIN_MS));
      const { jobGroupId } = result.kind === "running" ? result : {};
      let ended: Ended | undefined;
      if (args.wait && jobGroupId !== undefined) {
        if ((await livingProcesses(connections.ingest, keys)).length === 0)
          tell("No process of the relay lives: start one, or nothing is published");
        ended = await untilEnded(records, platform, jobGroupId, tell);
      }
      const text = json
        ? JSON.stringify({ ...result, idempotencyKey: key, ...(ended && { ended }) }, undefined, 2)
        : tellRun(result, key, ended, args, look);
      // What was to be waited for and cannot be named was not seen to be published.
      return { text, ok: result.kind === "running" && (args.wait ? ended?.good === true : true) };
    }),
  );
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

/** The record tells all: it is dispatch that asks the platform. */
async function untilEnded(
  records: Pick<CompletionRecords, "read">,
  platform: Pick<DesignerCloud, "getJobGroup">,
  jobGroupId: number,
  tell: (words: string) => void,
): Promise<Ended> {
  let told = "";
  for (;;) {
    const { completion, tasks } = await records.read(jobGroupId);
    const { words: summary, published, superseded } = summariseJobGroup(tasks);
    const { outcome = "open", words = "" } = completion ?? {};
    if (outcome !== "open" && tasks.every(({ record }) => hasEnded(record.state))) {
      const good = outcome === "dispatched" && published + superseded === tasks.length;
      return { outcome, words, summary, good };
    }
    const now =
      outcome === "open"
        ? await platform.getJobGroup(jobGroupId).then(
            ({ status }) => `Job group ${jobGroupId} is ${status} on the platform`,
            (error: unknown) => (error instanceof Error ? error.message : String(error)),
          )
        : `Job group ${jobGroupId}: ${summary}`;
    if (now !== told) tell(now);
    told = now;
    await wait(LOOK_EVERY_MS);
  }
}

function tellRun(
  result: RunResult,
  key: string,
  ended: Ended | undefined,
  { wait: waits, key: given }: RunArguments,
  { paint }: Look,
): string {
  switch (result.kind) {
    case "running": {
      const line = `${result.repeated ? paint("warn", "REPEATED") : paint("good", "RUNNING")}: ${result.words}`;
      if (ended) {
        const end = paint(ended.good ? "good" : "bad", ended.good ? "PUBLISHED" : "NOT PUBLISHED");
        return `${line}\n${end}: ${ended.outcome === "dispatched" ? ended.summary : ended.words}`;
      }
      const { jobGroupId } = result;
      if (waits || jobGroupId === undefined) return line;
      const then = result.repeated ? "How it stands" : "When it has ended it is published by the rules";
      return `${line} ${then}: publish-relay status ${jobGroupId}`;
    }
    case "conflict":
    case "refused":
      return `${paint("bad", "NOT STARTED")}: ${result.words}`;
    case "later": {
      const again =
        given === undefined
          ? `say --key ${key} when you ask again, then it runs once`
          : "ask again with the same --key";
      return result.mayRun
        ? `${paint("bad", "NOT KNOWN")}: ${result.words}. It may have been started: ${again}`
        : `${paint("bad", "NOT STARTED")}: ${result.words}. Ask again`;
    }
  }
}
