import type { Logger } from "pino";
import { type Config, isLoopback } from "./config.ts";
import { createApi } from "./http/api.ts";
import { createBoard } from "./http/board.ts";
import { createHealth, type ReadyCheck } from "./http/health.ts";
import { createHttpServer } from "./http/server.ts";
import type { Report } from "./producers/accept-report.ts";
import { createVerify } from "./producers/signatures.ts";
import { createWebhook } from "./producers/webhook.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import type { Connections } from "./queues/connections.ts";
import type { Keys } from "./queues/names.ts";
import type { RunningWorker } from "./queues/worker.ts";
import type { RelayQueues } from "./relay-queues.ts";
import type { Target } from "./rules/model.ts";
import { tellStory } from "./story.ts";

export interface HttpParts {
  readonly config: Config;
  readonly connections: Connections;
  readonly queues: RelayQueues;
  readonly targets: readonly Target[];
  readonly report: Report;
  readonly workers: readonly RunningWorker[];
  readonly hasRules: boolean;
  readonly completions: CompletionRecords;
  readonly keys: Keys;
  readonly log: Logger;
}

/** Serves what this process' roles ask for: health always, webhook, API and board with the role `web`. */
export async function openHttp(parts: HttpParts): Promise<{ port: number; close: () => Promise<void> }> {
  const { config, log, report, completions } = parts;
  const health = createHealth(readyChecks(parts));
  const web = config.roles.includes("web");
  const server = createHttpServer(
    {
      ...health,
      ...(web && {
        webhook: createWebhook({ report, log, verify: createVerify({ ...webhookAuth(config) }) }),
        api: createApi(
          { report, log, story: (id) => tellStory(completions, id) },
          { tokens: config.apiTokens },
        ),
        board: openBoard(parts),
      }),
    },
    { host: config.host, port: config.port },
  );
  const { port } = await server.listen();
  return { port, close: () => server.close() };
}

function webhookAuth({ webhook }: Config) {
  return {
    scheme: webhook.scheme,
    secrets: webhook.secrets,
    ...(webhook.header && { header: webhook.header }),
  };
}

function openBoard({ config, queues, targets, log }: HttpParts) {
  const platformUrl = config.platform.url?.replace(/\/+$/, "");
  return createBoard({
    operators: config.boardOperators,
    viewers: config.boardViewers,
    loopback: isLoopback(config.host),
    log,
    queues: [
      {
        queue: queues.completions,
        kind: "completions",
        description: "Reports of finished job groups, on their way to the rules",
      },
      {
        queue: queues.jobGroups,
        kind: "job-groups",
        description: "Job groups with their publish tasks, and how these ended",
      },
      ...targets.map((target) => ({
        queue: queues.of(`publish.${target.name}`),
        kind: "target" as const,
        displayName: target.name,
        description: describeTarget(target),
      })),
      {
        queue: queues.parked,
        kind: "parked",
        description: "Publish tasks that wait for a person's decision",
      },
    ],
    ...(platformUrl && { links: [{ text: "Designer Cloud", url: platformUrl }] }),
  }).app;
}

function describeTarget({ description, connection, schema, rateLimit, concurrency }: Target): string {
  const pace = rateLimit ? `${rateLimit.max} starts per ${rateLimit.perMs / 1_000} s` : "no rate limit";
  return [description, `connection ${connection}, schema ${schema}`, pace, `${concurrency} at once`]
    .filter(Boolean)
    .join(" · ");
}

function readyChecks({ connections, keys, workers, hasRules, config }: HttpParts): ReadyCheck[] {
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
    ...(works
      ? [
          {
            name: "rules",
            check: async () =>
              hasRules ? undefined : `no rules: ${config.rulesFile} is not there, set RULES_FILE`,
          },
          {
            name: "workers",
            check: async () => {
              const stopped = workers.filter((worker) => !worker.isRunning()).length;
              return stopped === 0 ? undefined : `${stopped} of ${workers.length} workers do not run`;
            },
          },
        ]
      : []),
  ];
}
