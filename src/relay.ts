import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Logger } from "pino";
import { type Config, ConfigError, missingSettings, summariseConfig } from "./config.ts";
import { openHttp } from "./relay-http.ts";
import { openPlatform } from "./relay-platform.ts";
import { openQueues } from "./relay-queues.ts";
import {
  createSweeper,
  startDispatchWorkers,
  startPublishWorkers,
  type WorkerDeps,
} from "./relay-workers.ts";
import { createFanOut } from "./producers/fan-out.ts";
import { createReportCompletion } from "./producers/report-completion.ts";
import { createCompletionRecords } from "./queues/completion-record.ts";
import { openConnections } from "./queues/connections.ts";
import { createGateStore } from "./queues/gate-store.ts";
import { keysOf } from "./queues/names.ts";
import { NO_PACE, paceOf } from "./queues/pace.ts";
import { createSweep } from "./queues/sweep.ts";
import { createTaskRecords } from "./queues/task-record.ts";
import { wake } from "./queues/worker.ts";
import { createTurnstiles } from "./queues/turnstile.ts";
import { startRedisServer } from "./redis-server.ts";
import { rulesNeed } from "./rules/lookups.ts";
import type { Rules } from "./rules/model.ts";
import { parseRules } from "./rules/parse-rules.ts";
import { planPublishes } from "./rules/plan-publishes.ts";
import { RulesError } from "./rules/rules-error.ts";

export interface Relay {
  /** Opens everything in the order of the flow; rejects with `ConfigError` when a setting or the rules are wrong. */
  start(): Promise<{ readonly port: number; readonly redisUrl: string }>;
  /** Takes no new work, hands over what runs, and closes everything in reverse; done within 15 s. */
  stop(): Promise<void>;
}

const SWEEP_EVERY_MS = 60_000;
const NO_RULES: Rules = { version: "none", serializeJobGroups: true, targets: [], rules: [] };

/** The composition root: one process of the relay, from its settings. Opens nothing before `start`. */
export function createRelay(config: Config, log: Logger): Relay {
  const releasers: (() => Promise<void>)[] = [];
  const opened = <T>(resource: T, release: (resource: T) => Promise<unknown>): T => {
    releasers.push(async () => void (await release(resource)));
    return resource;
  };

  async function start(): Promise<{ port: number; redisUrl: string }> {
    const rules = await loadRules(config, log);
    log.info(summariseConfig(config), "settings");
    for (const line of missingSettings(config)) log.warn(line);
    if (!rules)
      log.warn(`${config.rulesFile} is not there: completions wait until RULES_FILE names a rules file`);

    const redisUrl = config.redisUrl ?? (await ownRedis()).url;
    const connections = opened(openConnections(redisUrl, quietly(log)), ({ close }) => close());
    await connections.work.ping();
    await whenReady(connections.ingest);

    const keys = keysOf(config.namespace);
    const inForce = rules ?? NO_RULES;
    const queues = opened(
      await openQueues(connections, keys.prefix, inForce.targets, quietly(log)),
      ({ close }) => close(),
    );
    const intake = opened(
      await openQueues({ ...connections, work: connections.ingest }, keys.prefix, [], quietly(log)),
      ({ close }) => close(),
    );

    const paces = new Map(inForce.targets.map((target) => [target.name, paceOf(target)]));
    const completions = createCompletionRecords(connections.work, keys, config.ledgerRetentionMs);
    const tasks = createTaskRecords({
      redis: connections.work,
      keys,
      retentionMs: config.ledgerRetentionMs,
      paceOf: (target) => paces.get(target) ?? NO_PACE,
      wake: ({ queue, jobId }) => wake(queues.of(queue), jobId),
      restore: async (plan) => void (await completions.plan(plan.jobGroupId, [plan])),
    });
    const report = createReportCompletion({
      records: createCompletionRecords(connections.ingest, keys, config.ledgerRetentionMs),
      queue: intake.completions,
    });
    const platform = opened(openPlatform(config, createGateStore(connections.work, keys), log), ({ close }) =>
      close(),
    );
    const fanOut = createFanOut({
      flows: queues.flows,
      redis: connections.work,
      keys,
      queueOf: (target) => queues.of(`publish.${target}`),
    });
    const deps: WorkerDeps = {
      ...{ connections, keys, queues, completions, tasks, platform, log, report, rules: inForce },
      turnOf: createTurnstiles(),
      dispatch: {
        rules: { current: inForce, needs: rulesNeed, plan: planPublishes },
        fanOut: fanOut.add,
        hasJob: fanOut.hasJob,
      },
    };

    const workers = rules ? startWorkers(deps) : [];
    const http = await openHttp({
      config,
      connections,
      queues,
      targets: inForce.targets,
      report,
      workers,
      hasRules: rules !== undefined,
      completions,
      keys,
      log,
    });
    if (http) opened(http, ({ close }) => close());
    return { port: http?.port ?? 0, redisUrl };
  }

  function startWorkers(deps: WorkerDeps) {
    const { roles } = config;
    const workers = [
      ...(roles.includes("dispatch") ? startDispatchWorkers(deps) : []),
      ...(roles.includes("publish") ? startPublishWorkers(deps) : []),
    ];
    opened(workers, (all) => Promise.all(all.map(({ close }) => close())));
    if (roles.includes("publish") || roles.includes("dispatch")) {
      const sweep = createSweeper(deps, createSweep(deps.connections.work, deps.keys));
      opened(everyMinute(sweep, log), (stop) => stop());
    }
    return workers;
  }

  async function ownRedis() {
    return opened(
      await startRedisServer({ dataDir: join(config.dataDir, "redis"), logger: log }),
      ({ stop }) => stop(),
    );
  }

  return {
    start,
    stop: async () => {
      for (const release of releasers.splice(0).reverse()) {
        await release().catch((error: unknown) =>
          log.warn({ err: error }, "something did not close cleanly"),
        );
      }
    },
  };
}

async function loadRules(config: Config, log: Logger): Promise<Rules | undefined> {
  let text: string;
  try {
    text = await readFile(config.rulesFile, "utf8");
  } catch (error) {
    if (!config.rulesFileNamed) return undefined;
    throw new ConfigError([
      `RULES_FILE ${config.rulesFile} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    ]);
  }
  try {
    const { rules, warnings } = parseRules(text, basename(config.rulesFile));
    for (const warning of warnings) log.warn(warning);
    return rules;
  } catch (error) {
    if (error instanceof RulesError) throw new ConfigError(error.message.split("\n"));
    throw error;
  }
}

/** Runs a sweep now and each minute; the function it returns ends that, and waits for the one that runs. */
function everyMinute(sweep: () => Promise<void>, log: Logger): () => Promise<void> {
  let running = Promise.resolve();
  const run = (): void => {
    running = running
      .then(sweep)
      .catch((error: unknown) => log.warn({ err: error }, "the sweep failed: the next is in a minute"));
  };
  run();
  const timer = setInterval(run, SWEEP_EVERY_MS);
  return async () => {
    clearInterval(timer);
    await running;
  };
}

async function whenReady(redis: {
  status: string;
  once(event: "ready", listener: () => void): unknown;
}): Promise<void> {
  if (redis.status === "ready") return;
  await new Promise<void>((resolve) => redis.once("ready", resolve));
}

/** Connection errors come many at a time while Redis is away: one line in five seconds says it. */
function quietly(log: Logger): (error: Error) => void {
  let quietUntil = 0;
  return (error) => {
    if (Date.now() < quietUntil) return;
    quietUntil = Date.now() + 5_000;
    log.warn({ err: error }, "Redis cannot be reached, or refuses: trying again");
  };
}
