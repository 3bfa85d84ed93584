import type { Logger } from "pino";
import { type Config, ConfigError } from "./config.ts";
import { missingSettings, riskySettings, summariseConfig } from "./config-summary.ts";
import { createVerify, type Verify } from "./producers/signatures.ts";
import { createReportCompletion } from "./producers/report-completion.ts";
import { createAudit } from "./queues/audit-store.ts";
import { createBreakerStore } from "./queues/breaker-store.ts";
import { createCompletionRecords } from "./queues/completion-record.ts";
import { createHolds } from "./queues/holds.ts";
import { createPollStore } from "./queues/poll-store.ts";
import { createTurnstiles } from "./queues/turnstile.ts";
import type { RunningWorker } from "./queues/worker.ts";
import { warnOfRedis } from "./redis-warnings.ts";
import { type Core, openCore, type Releasers } from "./relay-core.ts";
import { resolveAudited } from "./relay-audit.ts";
import { createExplain, createForesee } from "./relay-check.ts";
import { type Http, openHttp } from "./relay-http.ts";
import { checkOnStart } from "./relay-live.ts";
import { startNotifications } from "./relay-notify.ts";
import { openMetrics } from "./relay-metrics.ts";
import { watchPauses } from "./relay-pauses.ts";
import { openPoller } from "./relay-poll.ts";
import { createApiReplay } from "./relay-replay-api.ts";
import { openIntake } from "./relay-queues.ts";
import { createRunJob, createRunRoute } from "./relay-run.ts";
import { startSweeps } from "./relay-sweep.ts";
import { openWork, type Work } from "./relay-work.ts";
import type { WorkerDeps } from "./relay-workers.ts";
import { createWatchOf, STUCK_AFTER_MS } from "./relay-watch.ts";
import { rulesNeed } from "./rules/lookups.ts";
import { planPublishes } from "./rules/plan-publishes.ts";
import { undecidedRules } from "./rules/undecided.ts";

export interface Relay {
  /** Opens the door, then all else once Redis answers; rejects with `ConfigError` when a setting or the rules are wrong. */
  start(): Promise<{ readonly port: number; readonly redisUrl: string }>;
  /** Takes no new work, hands over what runs, and closes everything in reverse; done within 15 s. */
  stop(): Promise<void>;
}

export interface RelayOptions {
  /**
   * A worker that takes nothing for so long, though it could, is made anew, as is a connection to Redis on which nothing
   * is answered; default one minute.
   */
  readonly stuckAfterMs?: number;
}

/** The composition root: one process of the relay, from its settings. Opens nothing before `start`. */
export function createRelay(
  config: Config,
  log: Logger,
  { stuckAfterMs = STUCK_AFTER_MS }: RelayOptions = {},
): Relay {
  const releasers: (() => Promise<void>)[] = [];
  const opened: Releasers = (resource, release) => {
    releasers.push(async () => void (await release(resource)));
    return resource;
  };
  let starting: Promise<unknown> = Promise.resolve();
  let http: Http | undefined;
  let work: Work | undefined;
  let pollers: readonly RunningWorker[] | undefined;

  async function start(): Promise<{ port: number; redisUrl: string }> {
    log.info(summariseConfig(config), "settings");
    for (const line of [...missingSettings(config), ...riskySettings(config)]) log.warn(line);
    const verify = checkSecrets(config);
    const core = await openCore(config, log, opened, "with the fleet", stuckAfterMs);
    const works = config.roles.includes("dispatch") || config.roles.includes("publish");
    if (!core.rules.current() && works) {
      log.warn(
        `${config.rulesFile} is not there: completions wait until it is, or until RULES_FILE names another (to write one: publish-relay init)`,
      );
    }
    const { connections, keys, queues } = core;
    opened(core.rules.watch(core.targets.rulesChanged), async (end) => end());
    const intake = createCompletionRecords(connections.ingest, keys, config.ledgerRetentionMs);
    const take = createReportCompletion({
      records: intake,
      queue: opened(openIntake(connections, keys.prefix), (queue) => queue.close()),
    });
    const breakers = createBreakerStore(connections.work, keys);
    const pollStore = createPollStore(connections.work, keys);
    // On the connection that gives up soon: what cannot be written is refused at once.
    const audit = createAudit(connections.ingest, keys, config.ledgerRetentionMs, log);
    const metrics = openMetrics(core, breakers, pollStore);
    const run = createRunJob({
      ...core,
      namespace: config.namespace,
      retentionMs: config.ledgerRetentionMs,
      platform: core.platform.pastGate,
      report: take,
      records: intake,
      audit,
      log,
    });
    // The door opens at once: while Redis is away a sender hears 503, and not that nobody is there.
    http = await openHttp({
      config,
      connections,
      queues,
      stories: intake,
      keys,
      report: take,
      verify,
      foresee: createForesee(core, intake, config.rulesFile),
      explain: createExplain(core, intake, config.rulesFile),
      workers: () => (pollers ? [...(work?.all() ?? []), ...pollers] : undefined),
      breakers,
      holds: createHolds(connections.work, keys),
      metrics,
      rules: core.rules,
      targets: core.targets,
      audit,
      resolve: (taskId, decision, asker) =>
        resolveAudited(core, { audit, log }, taskId, decision, { role: "api", ...asker, who: decision.by }),
      run: createRunRoute(run, log),
      replay: createApiReplay({
        core,
        records: intake,
        rulesFile: config.rulesFile,
        retentionMs: config.ledgerRetentionMs,
        asks: "behind the gate",
        audit,
        log,
      }),
      log,
    });
    opened(http, ({ close }) => close());
    log.info({ port: http.port }, "listening");
    await core.reached();
    await warnOfRedis(connections.ingest, log);
    await opened(core.targets, ({ leave }) => leave()).join();
    // On the connection that waits: who is told here hears nothing of it, and would not say it again.
    const report = createReportCompletion({ records: core.completions, queue: core.queues.completions });
    const watchOf = createWatchOf({ gate: core.gate, breakers, metrics, log, stuckAfterMs });
    if (works) work = startWork(core, { breakers, metrics, report, watchOf });
    opened(checkOnStart(config, core, log), (stop) => stop());
    pollers = await openPoller({ config, core, store: pollStore, report, watchOf, log }, opened);
    return { port: http.port, redisUrl: core.redisUrl };
  }

  function startWork(
    core: Core,
    parts: Pick<WorkerDeps, "breakers" | "metrics" | "report" | "watchOf">,
  ): Work {
    const deps: WorkerDeps = {
      ...core,
      ...parts,
      log,
      followMaxMs: config.followMaxMs,
      turnOf: createTurnstiles(),
      rulesNow: () => {
        const current = core.targets.rulesInForce();
        return current && { current, needs: rulesNeed, plan: planPublishes, undecided: undecidedRules };
      },
    };
    const started = opened(openWork(deps, config.roles), ({ close }) => close());
    opened(startSweeps(deps), (stop) => stop());
    opened(startNotifications({ ...deps, ...core, config }), (stop) => stop());
    opened(watchPauses(core, log), (stop) => stop());
    return started;
  }

  async function releaseAll(): Promise<void> {
    for (const release of releasers.splice(0).reverse()) {
      await release().catch((error: unknown) => log.warn({ err: error }, "something did not close cleanly"));
    }
  }

  return {
    start: () => {
      const started = start();
      starting = started.catch(() => undefined);
      return started;
    },
    stop: async () => {
      // First of all nothing new is taken, neither from a queue nor at the door.
      for (const { close } of [work, ...(pollers ?? []), http].filter((one) => one !== undefined))
        close().catch(() => undefined);
      await releaseAll();
      // A start that was under way has opened more meanwhile, or has met what was closed.
      await starting;
      await releaseAll();
    },
  };
}

/** How webhooks are checked. Throws `ConfigError` when a secret cannot be one of the scheme's. */
function checkSecrets({ webhook }: Config): Verify {
  const { scheme, secrets, header } = webhook;
  try {
    return createVerify({ scheme, secrets, ...(header && { header }) });
  } catch (error) {
    throw new ConfigError([`WEBHOOK_SECRETS ${error instanceof Error ? error.message : String(error)}`]);
  }
}
