import type { Logger } from "pino";
import type { Config } from "./config.ts";
import { whereRedisIs } from "./config-summary.ts";
import { createDispatchSaid } from "./dispatch-said.ts";
import type { Said } from "./explain-command.ts";
import { type Look, PLAIN } from "./look.ts";
import { assertStore } from "./own-store.ts";
import type { Overview } from "./pages/view.ts";
import { createAudit } from "./queues/audit-store.ts";
import { createCompletionRecords } from "./queues/completion-record.ts";
import { type KnownTarget, listTargets } from "./queues/known-targets.ts";
import { type LivingProcess, livingProcesses } from "./queues/living-processes.ts";
import { NOTIFICATIONS, publishQueue } from "./queues/names.ts";
import { lookAtNewestRules } from "./queues/target-look.ts";
import { createTargetStore } from "./queues/target-store.ts";
import { reachRedis } from "./reach-redis.ts";
import { createOverview } from "./relay-overview.ts";
import { createLookAround } from "./relay-surroundings.ts";
import { tellAsked, tellStatus, tellStoryText } from "./status-report.ts";
import { tellStory } from "./story.ts";
import { type Stores, withStores } from "./with-core.ts";

/** Entries of the audit trail that a story tells. */
const AUDITED = 100;

/** What `status` was asked for. */
export interface StatusArguments {
  /** Of this job group; default: of all. */
  readonly jobGroupId?: number;
  readonly json: boolean;
}

/** Who was asked. */
export interface Asked {
  readonly redis: string;
  readonly namespace: string;
}

/** How everything stands. */
export interface Status {
  readonly asked: Asked;
  readonly overview: Overview;
  readonly processes: readonly LivingProcess[];
  readonly rules: { readonly newest: string | null; readonly versions: readonly string[] };
  readonly queues: readonly { readonly queue: string; readonly jobs: Readonly<Record<string, number>> }[];
}

/**
 * Tells how everything stands, or the story of one job group, from Redis alone, whether the relay runs or not; writes
 * nothing. Not `ok` when nothing is known of the job group. Throws when Redis does not answer, or is none.
 */
export async function runStatus(
  { jobGroupId, json }: StatusArguments,
  config: Config,
  log: Logger,
  look: Look = PLAIN,
): Promise<Said> {
  await assertStore(config);
  return withStores(config, log, async (stores) => {
    await reachRedis(stores.connections, config, "nothing can be told");
    const targets = await targetsOf(stores);
    if (jobGroupId !== undefined) return statusOf(jobGroupId, json, targets, stores, config, log, look);
    const status = await lookAtAll(targets, stores, config, log);
    return { text: json ? JSON.stringify(toJson(status), undefined, 2) : tellStatus(status, look), ok: true };
  });
}

/** Those of the fleet: the rules file of this machine may say others. */
async function targetsOf({ connections, keys }: Stores): Promise<KnownTarget[]> {
  const redis = connections.ingest;
  const [{ targets }, newest] = await Promise.all([
    createTargetStore(redis, keys).read(),
    lookAtNewestRules(redis, keys),
  ]);
  return listTargets([], targets, newest);
}

const askedOf = (config: Config): Asked => ({
  redis: whereRedisIs(config),
  namespace: config.namespace,
});

const lookAroundOf = (targets: readonly KnownTarget[], stores: Stores) =>
  createLookAround({ ...stores, targets: { find: (name) => targets.find((one) => one.name === name) } });

async function lookAtAll(
  targets: readonly KnownTarget[],
  stores: Stores,
  config: Config,
  log: Logger,
): Promise<Status> {
  const { connections, keys, queues } = stores;
  const redis = connections.ingest;
  const overview = createOverview({
    config,
    redis,
    keys,
    queues,
    targets: () => targets,
    lookAround: lookAroundOf(targets, stores),
    audit: createAudit(redis, keys, config.ledgerRetentionMs, log),
    rulesTrouble: () => undefined,
  });
  const counted = [
    queues.completions,
    queues.jobGroups,
    ...targets.map(({ name }) => queues.of(publishQueue(name))),
    queues.parked,
    queues.poll,
    queues.of(NOTIFICATIONS),
  ];
  const [seen, processes, newest, jobs] = await Promise.all([
    overview(),
    livingProcesses(redis, keys),
    lookAtNewestRules(redis, keys),
    Promise.all(counted.map(async (queue) => ({ queue: queue.name, jobs: await queue.getJobCounts() }))),
  ]);
  const versions = [...new Set(processes.flatMap(({ rulesVersion }) => rulesVersion ?? []))].sort();
  return {
    asked: askedOf(config),
    overview: seen,
    processes,
    rules: { newest: newest ?? null, versions },
    queues: jobs,
  };
}

function toJson({ overview: { figures, ...overview }, ...status }: Status): object {
  return {
    ...status,
    ...overview,
    now: new Date(overview.now).toISOString(),
    figures: { all: figures.all, targets: Object.fromEntries(figures.targets) },
  };
}

async function statusOf(
  jobGroupId: number,
  json: boolean,
  targets: readonly KnownTarget[],
  stores: Stores,
  config: Config,
  log: Logger,
  look: Look,
): Promise<Said> {
  const { connections, keys, queues } = stores;
  const asked = askedOf(config);
  const audit = createAudit(connections.ingest, keys, config.ledgerRetentionMs, log);
  const story = await tellStory(
    {
      records: createCompletionRecords(connections.ingest, keys, config.ledgerRetentionMs),
      auditOf: async (id) => (await audit.list({ jobGroupId: id, limit: AUDITED })).entries,
      dispatchSaid: createDispatchSaid({ redis: connections.ingest, keys, queues }),
      lookAround: lookAroundOf(targets, stores),
      stepsOf: async (target, id) => (await queues.of(publishQueue(target)).getJobLogs(id)).logs,
    },
    jobGroupId,
  );
  if (!story) {
    const words = `Nothing is known of job group ${jobGroupId}: nobody reported it to this relay. publish-relay explain ${jobGroupId} asks the platform.`;
    return {
      text: json
        ? JSON.stringify({ asked, jobGroupId, known: false, words }, undefined, 2)
        : `${tellAsked(asked)}\n${words}`,
      ok: false,
    };
  }
  const text = json
    ? JSON.stringify({ asked, ...story }, undefined, 2)
    : `${tellAsked(asked)}\n${tellStoryText(story, look)}`;
  return { text, ok: true };
}
