import { type Config, isLoopback, pollingOf } from "./config.ts";
import { createGuard } from "./http/access.ts";
import { createApi } from "./http/api.ts";
import { countAnswers } from "./http/count-answers.ts";
import type { Resolve } from "./http/decision.ts";
import type { Replay } from "./http/replay-route.ts";
import type { RunRoute } from "./http/run-route.ts";
import { createHealth, type ReadyCheck } from "./http/health.ts";
import type { Metrics } from "./http/metrics.ts";
import { createHttpServer } from "./http/server.ts";
import type { Explanation } from "./processors/explain-job-group.ts";
import type { Report } from "./producers/accept-report.ts";
import type { Verify } from "./producers/signatures.ts";
import type { Foresee } from "./producers/webhook-check.ts";
import { createWebhook, proofOf, type Webhook } from "./producers/webhook.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import type { Connections } from "./queues/connections.ts";
import { type Keys, publishQueue } from "./queues/names.ts";
import { readSteps } from "./queues/steps.ts";
import type { RunningWorker } from "./queues/worker.ts";
import { type BoardParts, describeRules, openBoard } from "./relay-board.ts";
import { openPages } from "./relay-pages.ts";
import { createDispatchSaid } from "./dispatch-said.ts";
import { createLookAround } from "./relay-surroundings.ts";
import { isPagePath } from "./pages/pages.ts";
import { type StoryDeps, tellStory } from "./story.ts";

export interface HttpParts extends BoardParts {
  readonly connections: Connections;
  readonly report: Report;
  /** Undefined while Redis was not reached yet. */
  readonly workers: () => readonly RunningWorker[] | undefined;
  readonly metrics: Metrics;
  readonly resolve: Resolve;
  readonly run: RunRoute;
  readonly replay: Replay;
  readonly verify: Verify;
  /** What would come of a report; for the check of a webhook. */
  readonly foresee: Foresee;
  /** Why a job group is published as it is. */
  readonly explain: (jobGroupId: number) => Promise<Explanation>;
  /** Read on the connection that gives up soon. */
  readonly stories: CompletionRecords;
  readonly keys: Keys;
}

export interface Http {
  readonly port: number;
  /** Takes no new request and waits for those under way; may be called more than once. */
  readonly close: () => Promise<void>;
}

/** Entries of the audit trail that a story tells. */
const AUDITED = 100;

/** Serves what this process' roles ask for: health and metrics always, webhook, API and board with the role `web`. */
export async function openHttp(parts: HttpParts): Promise<Http> {
  const { config, log, report, explain, stories, resolve, replay, run, metrics, queues, audit } = parts;
  const storyDeps: StoryDeps = {
    records: stories,
    auditOf: async (jobGroupId) => (await audit.list({ jobGroupId, limit: AUDITED })).entries,
    dispatchSaid: createDispatchSaid({ redis: parts.connections.ingest, keys: parts.keys, queues }),
    lookAround: createLookAround(parts),
    stepsOf: (target, taskId) => readSteps(queues.of(publishQueue(target)), taskId),
  };
  const { isReady, ...health } = createHealth(readyChecks(parts));
  const web = config.roles.includes("web");
  const guard = createGuard(accessOf(config));
  const board = web ? openBoard(parts, guard) : undefined;
  const server = createHttpServer(
    {
      ...health,
      metrics: metrics.handler(isReady),
      ...(web && {
        pages: openPages(parts, storyDeps, guard),
        isPagePath,
        ...countedWebhook(parts),
        api: createApi(
          {
            report,
            log,
            story: (id) => tellStory(storyDeps, id),
            explain,
            resolve,
            replay,
            run,
            audit: audit.list,
          },
          { tokens: config.apiTokens, addressOf: guard.addressOf },
        ),
      }),
      ...(board && { board: board.app }),
    },
    { host: config.host, port: config.port, log },
  );
  const { port } = await server.listen();
  return {
    port,
    close: () => {
      board?.close();
      return server.close();
    },
  };
}

const accessOf = (config: Config) => ({
  operators: config.boardOperators,
  viewers: config.boardViewers,
  loopback: isLoopback(config.host),
  trustProxy: config.trustProxy,
  proxyHeader: config.authProxyHeader,
});

/** The webhook's routes; how each delivery ended is counted. */
function countedWebhook({ config, log, report, verify, foresee, metrics }: HttpParts): Webhook {
  const taken = (duplicate: boolean): void => metrics.webhook(duplicate ? "duplicate" : "accepted");
  const routes = createWebhook({
    report,
    taken,
    log,
    verify,
    foresee,
    proof: proofOf(config.webhook.scheme),
  });
  return { ...routes, webhook: countAnswers(routes.webhook, metrics.webhook) };
}

function readyChecks({ connections, keys, workers, rules, targets, config }: HttpParts): ReadyCheck[] {
  const works = config.roles.includes("dispatch") || config.roles.includes("publish");
  return [
    {
      name: "redis",
      check: async () => {
        // A write: a full Redis still answers a PING.
        await connections.ingest.set(`${keys.prefix}:ready`, String(Date.now()), "PX", 60_000);
        // What works goes by this one, which may be silent alone.
        await connections.work.ping();
        return undefined;
      },
    },
    {
      name: "rules",
      check: async () =>
        rules.current() || !works
          ? { good: describeRules(rules, targets) }
          : (rules.refused() ?? `no rules: ${config.rulesFile} is not there, set RULES_FILE`),
    },
    ...(works || pollingOf(config)
      ? [
          {
            name: "workers",
            check: async () => {
              const started = workers();
              if (!started) return "the workers have not started yet";
              const stopped = started.filter((worker) => !worker.isRunning()).length;
              if (stopped > 0) return `${stopped} of ${started.length} workers do not run`;
              const stuck = started.filter((worker) => worker.isStuck()).length;
              return stuck === 0 ? undefined : `${stuck} of ${started.length} workers take no jobs`;
            },
          },
        ]
      : []),
  ];
}
