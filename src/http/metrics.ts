import { Counter, Gauge, Registry } from "prom-client";
import { within } from "../producers/accept-report.ts";
import { sendProblem, type Handler } from "../producers/problem.ts";

/** What stands in Redis at the moment of a scrape. */
export interface Readings {
  readonly queues: readonly { readonly queue: string; readonly jobs: Readonly<Record<string, number>> }[];
  /** `versions`: how many different ones the living processes run. */
  readonly rules: { readonly refused: boolean; readonly versions: number };
  readonly gateShutMs: number;
  readonly breakers: readonly {
    readonly target: string;
    readonly open: boolean;
    readonly failures: number;
  }[];
  /** The fleet's; `lagMs` is absent while nobody polls. */
  readonly poll: { readonly found: number; readonly losses: number; readonly lagMs?: number };
}

export interface Metrics {
  /** `/metrics`, in Prometheus' text format. */
  readonly handler: Handler;
  /** Counts a publish task that ended in this process. */
  readonly ended: (target: string, outcome: string) => void;
}

/** A scrape is not left waiting for a Redis that is away. */
const ANSWER_MS = 1_000;

/** The relay's metrics; gauges are read when they are asked for, counters are this process' own. */
export function createMetrics(read: () => Promise<Readings>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const jobs = new Gauge({
    name: "publish_relay_queue_jobs",
    help: "Jobs of a queue by state",
    labelNames: ["queue", "state"],
    registers,
  });
  const refused = new Gauge({
    name: "publish_relay_rules_refused",
    help: "1 while this process' rules file, as it is now, is refused",
    registers,
  });
  const versions = new Gauge({
    name: "publish_relay_rules_versions",
    help: "Different versions of the rules that the living processes run",
    registers,
  });
  const gate = new Gauge({
    name: "publish_relay_gate_shut_seconds",
    help: "Until the gate to the platform opens; 0: open",
    registers,
  });
  const open = new Gauge({
    name: "publish_relay_breaker_open",
    help: "1 while a target's breaker is open",
    labelNames: ["target"],
    registers,
  });
  const failures = new Gauge({
    name: "publish_relay_breaker_failures",
    help: "Transient failures of a target in a row",
    labelNames: ["target"],
    registers,
  });
  const ended = new Counter({
    name: "publish_relay_tasks_ended_total",
    help: "Publish tasks that ended in this process",
    labelNames: ["target", "outcome"],
    registers,
  });

  const found = new Counter({
    name: "publish_relay_poll_found_total",
    help: "Completions that nobody but the poller reported, in all processes",
    registers,
  });
  const losses = new Counter({
    name: "publish_relay_webhook_losses_total",
    help: "Completions whose webhook did not come in time, in all processes",
    registers,
  });
  const lag = new Gauge({
    name: "publish_relay_poll_lag_seconds",
    help: "Since the platform's list was looked through to its end; absent: nobody polls",
    registers,
  });

  async function render(): Promise<string> {
    const readings = await read();
    // A target may be gone since.
    for (const gauge of [jobs, open, failures]) gauge.reset();
    for (const { queue, jobs: counts } of readings.queues) {
      for (const [state, count] of Object.entries(counts)) jobs.set({ queue, state }, count);
    }
    refused.set(readings.rules.refused ? 1 : 0);
    versions.set(readings.rules.versions);
    gate.set(readings.gateShutMs / 1_000);
    for (const { target, open: isOpen, failures: inARow } of readings.breakers) {
      open.set({ target }, isOpen ? 1 : 0);
      failures.set({ target }, inARow);
    }
    for (const [counter, value] of [
      [found, readings.poll.found],
      [losses, readings.poll.losses],
    ] as const) {
      counter.reset();
      counter.inc(value);
    }
    if (readings.poll.lagMs === undefined) lag.remove();
    else lag.set(readings.poll.lagMs / 1_000);
    return registry.metrics();
  }

  return {
    ended: (target, outcome) => ended.inc({ target, outcome }),
    handler: (_req, res) => {
      within(ANSWER_MS, render()).then(
        (text) => {
          res.writeHead(200, { "content-type": registry.contentType });
          res.end(text);
        },
        () =>
          sendProblem(res, {
            status: 503,
            detail: "Redis does not answer: there is nothing to measure just now.",
          }),
      );
    },
  };
}
