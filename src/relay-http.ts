import type { Logger } from "pino";
import { type Config, isLoopback, pollingOf } from "./config.ts";
import { createApi } from "./http/api.ts";
import { createBoard } from "./http/board.ts";
import type { BoardQueue } from "./http/board-queues.ts";
import type { Resolve } from "./http/decision.ts";
import { createHealth, type ReadyCheck } from "./http/health.ts";
import type { Metrics } from "./http/metrics.ts";
import { createHttpServer } from "./http/server.ts";
import type { Explanation } from "./processors/explain-job-group.ts";
import type { Report } from "./producers/accept-report.ts";
import type { Verify } from "./producers/signatures.ts";
import type { Foresee } from "./producers/webhook-check.ts";
import { createWebhook, proofOf } from "./producers/webhook.ts";
import type { BreakerStore } from "./queues/breaker-store.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import type { Connections } from "./queues/connections.ts";
import { type Keys, publishQueue } from "./queues/names.ts";
import type { RunningWorker } from "./queues/worker.ts";
import type { RelayQueues } from "./relay-queues.ts";
import type { Rules, Target } from "./rules/model.ts";
import { tellStory } from "./story.ts";

export interface HttpParts {
  readonly config: Config;
  readonly connections: Connections;
  readonly queues: RelayQueues;
  /** Undefined: there are none yet. */
  readonly rules: Rules | undefined;
  readonly report: Report;
  /** Undefined while Redis was not reached yet. */
  readonly workers: () => readonly RunningWorker[] | undefined;
  readonly breakers: BreakerStore;
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
  readonly log: Logger;
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
    { host: config.host, port: config.port },
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

/** How often a target's description is brought up to date with its breaker. */
const DESCRIBE_EVERY_MS = 3_000;

function openBoard(parts: HttpParts) {
  const { config, log } = parts;
  const platformUrl = config.platform.url?.replace(/\/+$/, "");
  const board = createBoard({
    operators: config.boardOperators,
    viewers: config.boardViewers,
    loopback: isLoopback(config.host),
    log,
    isAway: () => parts.connections.work.status !== "ready",
    queues: boardQueues(parts, new Map()),
    ...(platformUrl && { links: [{ text: "Designer Cloud", url: platformUrl }] }),
  });
  let shown = "";
  const describe = async (): Promise<void> => {
    const held = await heldTargets(parts);
    const now = JSON.stringify([...held]);
    if (now === shown) return;
    shown = now;
    board.setQueues(boardQueues(parts, held));
  };
  const timer = setInterval(() => void describe().catch(() => undefined), DESCRIBE_EVERY_MS);
  timer.unref();
  return { app: board.app, close: () => clearInterval(timer) };
}

/** Targets whose breaker is open, and why. */
async function heldTargets({ rules, breakers }: HttpParts): Promise<Map<string, string>> {
  const held = new Map<string, string>();
  for (const { name } of rules?.targets ?? []) {
    const { open, failures, words } = await breakers.look(name);
    if (open)
      held.set(
        name,
        `BREAKER OPEN after ${failures} failures in a row, one publish probes from time to time: ${words}`,
      );
  }
  return held;
}

function boardQueues({ queues, rules }: HttpParts, held: ReadonlyMap<string, string>): BoardQueue[] {
  const target = (one: Target): BoardQueue => ({
    queue: queues.of(publishQueue(one.name)),
    kind: "target",
    displayName: one.name,
    description: [held.get(one.name), describeTarget(one)].filter(Boolean).join(" · "),
  });
  return [
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
    {
      queue: queues.poll,
      kind: "poll",
      description: "Looks at the platform for finished job groups that no webhook told of",
    },
    ...(rules?.targets ?? []).map(target),
    { queue: queues.parked, kind: "parked", description: "Publish tasks that wait for a person's decision" },
  ];
}

function describeTarget({ description, connection, schema, rateLimit, concurrency }: Target): string {
  const pace = rateLimit ? `${rateLimit.max} starts per ${rateLimit.perMs / 1_000} s` : "no rate limit";
  return [description, `connection ${connection}, schema ${schema}`, pace, `${concurrency} at once`]
    .filter(Boolean)
    .join(" · ");
}

function readyChecks({ connections, keys, workers, rules, config }: HttpParts): ReadyCheck[] {
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
              rules ? undefined : `no rules: ${config.rulesFile} is not there, set RULES_FILE`,
          },
        ]
      : []),
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
