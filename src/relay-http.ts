import { pollingOf } from "./config.ts";
import { createApi } from "./http/api.ts";
import type { Resolve } from "./http/decision.ts";
import { createHealth, type ReadyCheck } from "./http/health.ts";
import type { Metrics } from "./http/metrics.ts";
import { createHttpServer } from "./http/server.ts";
import type { Explanation } from "./processors/explain-job-group.ts";
import type { Report } from "./producers/accept-report.ts";
import type { Verify } from "./producers/signatures.ts";
import type { Foresee } from "./producers/webhook-check.ts";
import { createWebhook, proofOf } from "./producers/webhook.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import type { Connections } from "./queues/connections.ts";
import type { Keys } from "./queues/names.ts";
import type { RunningWorker } from "./queues/worker.ts";
import { type BoardParts, describeRules, openBoard } from "./relay-board.ts";
import { tellStory } from "./story.ts";

export interface HttpParts extends BoardParts {
  readonly connections: Connections;
  readonly report: Report;
  /** Undefined while Redis was not reached yet. */
  readonly workers: () => readonly RunningWorker[] | undefined;
  readonly metrics: Metrics;
  readonly resolve: Resolve;
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

/** Serves what this process' roles ask for: health and metrics always, webhook, API and board with the role `web`. */
export async function openHttp(parts: HttpParts): Promise<Http> {
  const { config, log, report, verify, foresee, explain, stories, resolve, metrics } = parts;
  const health = createHealth(readyChecks(parts));
  const web = config.roles.includes("web");
  const board = web ? openBoard(parts) : undefined;
  const server = createHttpServer(
    {
      ...health,
      metrics: metrics.handler,
      ...(web && {
        ...createWebhook({ report, log, verify, foresee, proof: proofOf(config.webhook.scheme) }),
        api: createApi(
          { report, log, story: (id) => tellStory(stories, id), explain, resolve },
          { tokens: config.apiTokens },
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

function readyChecks({ connections, keys, workers, rules, targets, config }: HttpParts): ReadyCheck[] {
  const works = config.roles.includes("dispatch") || config.roles.includes("publish");
  return [
    {
      name: "redis",
      check: async () => {
        // A write: a full Redis still answers a PING.
        await connections.ingest.set(`${keys.prefix}:ready`, String(Date.now()), "PX", 60_000);
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
              return stopped === 0 ? undefined : `${stopped} of ${started.length} workers do not run`;
            },
          },
        ]
      : []),
  ];
}
