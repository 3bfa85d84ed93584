import { collectDefaultMetrics, Counter, Histogram, type Registry } from "prom-client";
import { gaugesOf } from "./shared-metrics.ts";
import { WEBHOOK_RESULTS, type WebhookResult } from "./webhook-results.ts";

/** What is told to the counters of this process, each as it happens. Labels are names of the rules file and closed sets. */
export interface Counts {
  /** A PUT was sent. */
  readonly started: (target: string) => void;
  /** A publish is sent once more, and why. */
  readonly retried: (target: string, why: string) => void;
  /** A task ended. The times are told of a publish that was ours and went well. */
  readonly ended: (target: string, outcome: string, times?: PublishTimes) => void;
  /** A webhook was answered. */
  readonly webhook: (result: WebhookResult) => void;
  /** A completion's dispatch ended. */
  readonly completion: (outcome: string) => void;
  /** A notification was delivered to an address, or given up. */
  readonly notification: (result: NotificationResult) => void;
  /** A worker that had stopped to take jobs was made anew. */
  readonly workerStuck: (queue: string) => void;
}

const NOTIFICATION_RESULTS = ["delivered", "given-up"] as const;
export type NotificationResult = (typeof NOTIFICATION_RESULTS)[number];

export interface PublishTimes {
  /** From the platform's acceptance to the end. */
  readonly publishMs: number;
  /** From the end of the job group on the platform to the end. */
  readonly freshMs?: number;
}

/** How this process itself stands. */
export interface OwnState {
  readonly rulesRefused: boolean;
  readonly ready: boolean;
  /** How often a connection to Redis was made anew because it was silent. */
  readonly renewed: number;
  /** The targets that have series from the start: what is 0 is told, so that the first event is seen as one. */
  readonly targets: readonly string[];
  /** The same for queues. */
  readonly queues: readonly string[];
}

const OUTCOMES = ["published", "failed", "parked", "superseded"];
const DISPATCHES = ["dispatched", "no-rule", "skipped", "unknown", "failed"];
const RETRIES = [
  "job-failed",
  "not-applied",
  "not-started",
  "cannot-tell",
  "platform-error",
  "busy",
  "not-sent",
  "unauthorized",
  "throttled",
  "away",
];

/** From a publish that ends at once to one that takes the usual deadline of 6 h. */
const PUBLISH_BUCKETS = [1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 10_800, 21_600];
/** From seconds to a weekend. */
const FRESHNESS_BUCKETS = [5, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 10_800, 43_200, 259_200];

/** The metrics of this process alone; Prometheus sums them. */
export function createOwnMetrics(
  registry: Registry,
  version: string,
): { readonly counts: Counts; readonly show: (state: OwnState) => void } {
  collectDefaultMetrics({ register: registry, prefix: "publish_relay_" });
  const gauge = gaugesOf(registry);
  const counter = (name: string, help: string, labelNames: readonly string[]) =>
    new Counter({ name: `publish_relay_${name}`, help, labelNames: [...labelNames], registers: [registry] });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({
      name: `publish_relay_${name}`,
      help,
      labelNames: ["target"],
      buckets,
      registers: [registry],
    });

  const build = gauge("build_info", "1, with the version of the relay and of Node", ["version", "node"]);
  build.set({ version, node: process.version }, 1);
  const ready = gauge("ready", "1 while /readyz of this process is green");
  const refused = gauge("rules_refused", "1 while this process' rules file, as it is now, is refused");
  const started = counter("publishes_started_total", "Publishes that this process sent", ["target"]);
  const retried = counter(
    "publishes_retried_total",
    "Publishes that this process sends once more, by what went wrong",
    ["target", "class"],
  );
  const ended = counter("tasks_ended_total", "Publish tasks that ended in this process", [
    "target",
    "outcome",
  ]);
  const duration = histogram(
    "publish_duration_seconds",
    "From the platform's acceptance of a publish to its end, in this process",
    PUBLISH_BUCKETS,
  );
  const freshness = histogram(
    "freshness_seconds",
    "From the end of a job group on the platform until its results were published, in this process",
    FRESHNESS_BUCKETS,
  );
  const webhooks = counter("webhooks_total", "Webhooks that this process answered, by result", ["result"]);
  for (const result of WEBHOOK_RESULTS) webhooks.inc({ result }, 0);
  const completions = counter("completions_total", "Completions whose dispatch ended in this process", [
    "outcome",
  ]);
  for (const outcome of DISPATCHES) completions.inc({ outcome }, 0);
  const notifications = counter(
    "notifications_total",
    "Notifications of this process, one per address, by what became of them",
    ["result"],
  );
  for (const result of NOTIFICATION_RESULTS) notifications.inc({ result }, 0);
  const stuck = counter(
    "worker_stuck_total",
    "Workers of this process that had stopped to take jobs, and were made anew",
    ["queue"],
  );

  const renewed = counter(
    "redis_silent_total",
    "Connections of this process on which Redis answered nothing, and that were made anew",
    [],
  );

  let watched: readonly string[] = [];
  const begun = new Set<string>();
  const begin = (target: string): void => {
    if (begun.has(target)) return;
    begun.add(target);
    started.inc({ target }, 0);
    for (const outcome of OUTCOMES) ended.inc({ target, outcome }, 0);
    for (const why of RETRIES) retried.inc({ target, class: why }, 0);
    for (const measured of [duration, freshness]) measured.zero({ target });
  };

  return {
    counts: {
      started: (target) => started.inc({ target }),
      retried: (target, why) => retried.inc({ target, class: why }),
      ended: (target, outcome, times) => {
        begin(target);
        ended.inc({ target, outcome });
        if (!times) return;
        duration.observe({ target }, times.publishMs / 1_000);
        if (times.freshMs !== undefined) freshness.observe({ target }, times.freshMs / 1_000);
      },
      webhook: (result) => webhooks.inc({ result }),
      completion: (outcome) => completions.inc({ outcome }),
      notification: (result) => notifications.inc({ result }),
      workerStuck: (queue) => stuck.inc({ queue }),
    },
    show: (state) => {
      ready.set(state.ready ? 1 : 0);
      renewed.reset();
      renewed.inc(state.renewed);
      refused.set(state.rulesRefused ? 1 : 0);
      for (const target of state.targets) begin(target);
      for (const queue of watched) if (!state.queues.includes(queue)) stuck.remove({ queue });
      watched = state.queues;
      for (const queue of watched) stuck.inc({ queue }, 0);
    },
  };
}
