import { TARGETS } from "./plan.ts";
import type { ChaosReport } from "./run-chaos.ts";
import type { Verdict } from "./verdict.ts";

const WIDTH = 48;

/** The figures of a run, a line each. */
export function drawTable(report: ChaosReport, verdict: Verdict): string {
  const { hits, kills, pickups, faultsStruck } = report;
  const named = Object.values(hits).reduce((sum, n) => sum + n, 0);
  const rows: [string, string | number][] = [
    ["completions x targets", `${verdict.tasks / TARGETS.length} x ${TARGETS.length}`],
    ["lost", verdict.lost],
    ["twice", verdict.twice],
    [
      "published",
      `${verdict.published} (${(verdict.publishedShare * 100).toFixed(2)} % of those that could be)`,
    ],
    ["failed (needlessly)", `${verdict.failed} (${verdict.failedNeedlessly})`],
    ["parked (needlessly)", `${verdict.parked} (${verdict.parkedNeedlessly})`],
    ["PUTs that arrived", report.puts],
    ...Object.entries(faultsStruck).map(([kind, n]): [string, number] => [`  of them ${kind}`, n]),
    [
      "webhooks sent / taken / given up",
      `${report.webhooks.sent} / ${report.webhooks.delivered} / ${report.webhooks.lost}`,
    ],
    ["completions reported once more at the end", report.reportedAgain],
    ["kills of relay processes", kills.random + named],
    ["  at random", kills.random],
    ["  (too few at work for one more)", kills.spared],
    ...Object.entries(hits).map(([step, n]): [string, number] => [`  ${step}`, n]),
    ["stops for longer than the lock", kills.frozen],
    ["kills of redis-server", kills.redis],
    ["tasks that a killed process held", pickups.count],
    ["  picked up after, p50 / p95 / max", [pickups.p50, pickups.p95, pickups.max].map(seconds).join(" / ")],
    ["  max without a kill of Redis in between", seconds(pickups.maxWhileRedisLived)],
    ["worst delay of the simulator's process", `${report.loopDelayMs} ms`],
    ["took", seconds(report.tookMs)],
  ];
  return rows.map(([name, value]) => `${name.padEnd(WIDTH)} ${value}`).join("\n");
}

/** The verdict in one line. */
export function verdictLine({ options }: ChaosReport, { problems, tasks }: Verdict): string {
  const run = `--completions ${options.completions} --seed ${options.seed}${options.short ? " --short" : ""}`;
  return problems.length === 0
    ? `GOOD: ${tasks} publish tasks, none lost, none twice (${run})`
    : `NOT GOOD: ${problems.join("; ")} (${run})`;
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
