import type { Queue } from "bullmq";
import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { PlatformError } from "./errors.ts";
import { type ParkedDecision, type Resolved, resolveParked } from "./processors/resolve-parked.ts";
import { summariseJobGroup } from "./processors/summarise-job-group.ts";
import { createFanOut, type FanOut } from "./producers/fan-out.ts";
import { type CompletionRecords, createCompletionRecords } from "./queues/completion-record.ts";
import { type Connections, openConnections } from "./queues/connections.ts";
import { createGateStore, type GateStore, NO_GATE } from "./queues/gate-store.ts";
import { type Keys, keysOf, publishQueue } from "./queues/names.ts";
import { createTargetStore } from "./queues/target-store.ts";
import { createTaskRecords, type TaskRecords } from "./queues/task-record.ts";
import { wake } from "./queues/worker.ts";
import { createTroubleLog } from "./trouble-log.ts";
import { ownStoreOf } from "./own-store.ts";
import { startRedisServer } from "./redis-server.ts";
import { createNotifier, type Notifier } from "./relay-notify.ts";
import { openPlatform, type Platform } from "./relay-platform.ts";
import { openQueues, type RelayQueues } from "./relay-queues.ts";
import { type LiveRules, openRules } from "./relay-rules.ts";
import { createTargets, type Targets } from "./relay-targets.ts";
import { completionId } from "./rules/task-identity.ts";

/** What the relay and its commands have in common: Redis, the queues and records in it, the platform, the rules. */
export interface Core {
  readonly redisUrl: string;
  /** Resolves once Redis answers: nothing may run before. */
  readonly reached: () => Promise<void>;
  /** Told of what goes wrong between the process and Redis. */
  readonly onError: (error: Error) => void;
  readonly connections: Connections;
  readonly keys: Keys;
  readonly queues: RelayQueues;
  readonly completions: CompletionRecords;
  readonly tasks: TaskRecords;
  readonly gate: GateStore;
  readonly notifier: Notifier;
  readonly platform: Platform;
  readonly fanOut: FanOut;
  readonly rules: LiveRules;
  /** The targets of the fleet. A command looks at them and takes no part. */
  readonly targets: Targets;
}

/** Keeps what was opened, to close it in reverse. */
export interface Releasers {
  <T>(resource: T, release: (resource: T) => Promise<unknown>): T;
}

/** Opens the core; Redis may still be away. Rejects with `ConfigError` when the rules are wrong, before anything is opened. */
export async function openCore(
  config: Config,
  log: Logger,
  opened: Releasers,
  /** A command asks the platform beside the fleet's gate, and does not shut it. */
  asks: "with the fleet" | "alone" = "with the fleet",
  /** A connection to Redis that is silent for so long is made anew; default one minute. */
  silentAfterMs?: number,
): Promise<Core> {
  const rules = await openRules(config, log);
  const redisUrl = await redisUrlOf(config, log, opened);
  const onError = createTroubleLog(log);
  const onSilent = (connection: string): void =>
    log.error({ connection }, "a connection to Redis does not answer: it is made anew");
  const connections = opened(
    openConnections(redisUrl, onError, { onSilent, ...(silentAfterMs !== undefined && { silentAfterMs }) }),
    ({ close }) => close(),
  );

  const keys = keysOf(config.namespace);
  const queues = opened(openQueues(connections, keys.prefix, onError), ({ close }) => close());
  const completions = createCompletionRecords(connections.work, keys, config.ledgerRetentionMs);
  const targets = createTargets({
    store: createTargetStore(connections.work, keys),
    rules: rules.current,
    setLimits: queues.setLimits,
    log,
  });
  const tasks = createTaskRecords({
    redis: connections.work,
    keys,
    retentionMs: config.ledgerRetentionMs,
    paceOf: targets.paceOf,
    wake: ({ queue, jobId }) => wake(queues.of(queue), jobId),
    restore: completions.restore,
  });
  const gate = createGateStore(connections.work, keys);
  const notifier = createNotifier({ config, connections, keys, queues, log });
  const platform = opened(
    openPlatform(config, asks === "alone" ? NO_GATE : gate, log, notifier.notices),
    ({ close }) => close(),
  );
  const queueOf = (target: string) => queues.of(publishQueue(target));
  const fanOut = createFanOut({ flows: queues.flows, redis: connections.work, keys, queueOf });
  return {
    redisUrl,
    onError,
    reached: connections.reached,
    connections,
    keys,
    queues,
    completions,
    tasks,
    gate,
    notifier,
    platform,
    fanOut,
    rules,
    targets,
  };
}

/** What happens after the end of a job group's parent (a task was decided or tried again, dispatch came back) changes its summary. */
export async function refreshSummary(
  { queues, keys, completions, connections }: Pick<Core, "queues" | "keys" | "completions" | "connections">,
  jobGroupId: number,
): Promise<void> {
  const parent = keys.queue(queues.jobGroups.name, completionId(jobGroupId));
  if ((await connections.work.hexists(parent, "finishedOn")) === 0) return;
  const { tasks, completion } = await completions.read(jobGroupId);
  await connections.work.hset(parent, "returnvalue", JSON.stringify(summariseJobGroup(tasks, completion)));
}

/** Carries out a decision on a parked task. */
export async function resolveTask(core: Core, taskId: string, decision: ParkedDecision): Promise<Resolved> {
  const { queues, completions, tasks, platform, fanOut } = core;
  const resolved = await resolveParked(taskId, decision, {
    read: completions.read,
    decide: tasks.decide,
    listJobs: (id) => platform.listJobs(id).catch(wordsOf),
    unpark: async (id) => void (await queues.parked.remove(id)),
    again: async (plan) => {
      await queues.of(publishQueue(plan.target)).remove(taskId);
      await fanOut.add(plan.jobGroupId, [plan]);
    },
    conclude: (plan) => retryFailed(queues.of(publishQueue(plan.target)), taskId),
    now: Date.now,
  });
  if (resolved.kind === "resolved") await refreshSummary(core, resolved.jobGroupId);
  return resolved;
}

/** What the platform did not answer, in words. */
function wordsOf(error: unknown): string {
  if (error instanceof PlatformError) return error.message;
  throw error;
}

/** One that is gone, or runs already, needs nothing. */
async function retryFailed(queue: Queue, jobId: string): Promise<void> {
  const job = await queue.getJob(jobId);
  if (await job?.isFailed()) await job?.retry("failed").catch(() => undefined);
}

/** Where Redis is; without `REDIS_URL` one of the relay's own, started if nobody runs it. Rejects when it cannot be. */
export async function redisUrlOf(config: Config, log: Logger, opened: Releasers): Promise<string> {
  if (config.redisUrl !== undefined) return config.redisUrl;
  const server = await startRedisServer({ dataDir: ownStoreOf(config), logger: log });
  return opened(server, ({ stop }) => stop()).url;
}
