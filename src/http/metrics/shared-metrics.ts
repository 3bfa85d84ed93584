import { Counter, Gauge, type Registry } from "prom-client";
import { WAIT_CAUSES, type WaitCause } from "../../queues/waits.ts";

/** What stands in Redis at the moment of a scrape: the same for each process. */
export interface Readings {
  readonly redis: { readonly pingMs: number; readonly usedBytes: number; readonly maxBytes: number };
  readonly queues: readonly { readonly queue: string; readonly jobs: Readonly<Record<string, number>> }[];
  /** How many different versions of the rules the living processes run. */
  readonly rulesVersions: number;
  /** `shutMs` is 0 while it is open; `reason` says why it is not. */
  readonly gate: { readonly shutMs: number; readonly reason: string };
  /** Age of the oldest completion that is not dispatched yet; 0: there is none. */
  readonly oldestCompletionMs: number;
  readonly targets: readonly {
    readonly target: string;
    readonly breaker: { readonly open: boolean; readonly failures: number };
    /** Its queue is paused: nothing is started there until somebody lets it go on. */
    readonly paused: boolean;
    /** Absent: the rules set no goal. */
    readonly freshnessMs?: number;
    /** 0: it has none; absent: it is not known. */
    readonly oldestMs?: number;
    /** Milliseconds by cause, of the waits that are over. */
    readonly waited: Readonly<Partial<Record<WaitCause, number>>>;
  }[];
  /** The fleet's; `lagMs` is absent while nobody polls. */
  readonly poll: { readonly found: number; readonly losses: number; readonly lagMs?: number };
}

/** Why the gate can be shut; each has its own series, also while it is open. */
const GATE_REASONS = ["unauthorized", "throttled", "away"] as const;

/**
 * The metrics that are read from Redis. Shows what was read, or that Redis does not answer: then all of them are
 * absent but `publish_relay_redis_up`, for what was true a while ago is not told as if it were true now.
 */
export function createSharedMetrics(registry: Registry): (readings: Readings | undefined) => void {
  const gauge = gaugesOf(registry);
  const up = gauge("redis_up", "1 while Redis answers this process within 0.8 s");
  const ping = gauge("redis_ping_seconds", "How long Redis took to answer this process' PING");
  const used = gauge("redis_memory_used_bytes", "Memory that Redis uses");
  const max = gauge("redis_memory_max_bytes", "Redis' maxmemory; 0: no limit is set");
  const jobs = gauge("queue_jobs", "Jobs of a queue by state, in all processes", ["queue", "state"]);
  const versions = gauge("rules_versions", "Different versions of the rules that the living processes run");
  const shut = gauge("gate_shut_seconds", "Until the gate to the platform opens; 0: open; in all processes");
  const reason = gauge("gate_shut", "1 while the gate is shut for this reason; in all processes", ["reason"]);
  const open = gauge("breaker_open", "1 while a target's breaker is open; in all processes", ["target"]);
  const failures = gauge("breaker_failures", "Transient failures of a target in a row; in all processes", [
    "target",
  ]);
  const oldest = gauge(
    "oldest_task_seconds",
    "Age of a target's oldest publish task that has not ended and is not parked; in all processes",
    ["target"],
  );
  const paused = gauge("target_paused", "1 while a target's queue is paused; in all processes", ["target"]);
  const goal = gauge("freshness_goal_seconds", "The goal that the rules set for a target's freshness", [
    "target",
  ]);
  const oldestCompletion = gauge(
    "oldest_completion_seconds",
    "Age of the oldest completion that is not dispatched yet; in all processes",
  );
  const found = new Counter({
    name: "publish_relay_poll_found_total",
    help: "Completions that nobody but the poller reported, in all processes",
    registers: [registry],
  });
  const losses = new Counter({
    name: "publish_relay_webhook_losses_total",
    help: "Completions whose webhook did not come in time, in all processes",
    registers: [registry],
  });
  const waits = new Counter({
    name: "publish_relay_wait_seconds_total",
    help: "Time that publish tasks have waited, of the waits that are over, in all processes",
    labelNames: ["target", "cause"],
    registers: [registry],
  });
  const lag = gauge(
    "poll_lag_seconds",
    "Since the platform's list was looked through to its end, or since the poller began, in all processes; absent: nobody polls",
  );
  const single = [ping, used, max, versions, shut, lag, oldestCompletion, found, losses];
  const labelled = [jobs, reason, open, failures, oldest, paused, goal, waits];

  return (readings) => {
    for (const metric of single) metric.remove();
    // A target may be gone since.
    for (const metric of labelled) metric.reset();
    up.set(readings ? 1 : 0);
    if (!readings) return;
    ping.set(readings.redis.pingMs / 1_000);
    used.set(readings.redis.usedBytes);
    max.set(readings.redis.maxBytes);
    for (const { queue, jobs: counts } of readings.queues) {
      for (const [state, count] of Object.entries(counts)) jobs.set({ queue, state }, count);
    }
    versions.set(readings.rulesVersions);
    shut.set(readings.gate.shutMs / 1_000);
    for (const one of GATE_REASONS)
      reason.set({ reason: one }, readings.gate.shutMs > 0 && readings.gate.reason === one ? 1 : 0);
    oldestCompletion.set(readings.oldestCompletionMs / 1_000);
    for (const { target, breaker, paused: isPaused, freshnessMs, oldestMs, waited } of readings.targets) {
      open.set({ target }, breaker.open ? 1 : 0);
      failures.set({ target }, breaker.failures);
      paused.set({ target }, isPaused ? 1 : 0);
      if (freshnessMs !== undefined) goal.set({ target }, freshnessMs / 1_000);
      if (oldestMs !== undefined) oldest.set({ target }, oldestMs / 1_000);
      for (const cause of WAIT_CAUSES)
        if (cause !== "queue") waits.inc({ target, cause }, (waited[cause] ?? 0) / 1_000);
    }
    found.inc(readings.poll.found);
    losses.inc(readings.poll.losses);
    if (readings.poll.lagMs !== undefined) lag.set(readings.poll.lagMs / 1_000);
  };
}

/** Makes gauges of a registry, under the relay's prefix. */
export function gaugesOf(registry: Registry) {
  return (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name: `publish_relay_${name}`, help, labelNames: [...labelNames], registers: [registry] });
}
