import { Registry } from "prom-client";
import { within } from "../producers/accept-report.ts";
import type { Handler } from "../producers/problem.ts";
import { type Counts, createOwnMetrics, type OwnState } from "./metrics/own-metrics.ts";
import { createSharedMetrics, type Readings } from "./metrics/shared-metrics.ts";

export type { Counts, Readings };

export interface Metrics extends Counts {
  /** `/metrics`, in Prometheus' text format; `isReady` is asked at each scrape. */
  readonly handler: (isReady: () => Promise<boolean>) => Handler;
}

export interface MetricsDeps {
  /** The relay's own. */
  readonly version: string;
  /** Asks Redis; may reject, or take for ever. */
  readonly read: () => Promise<Readings>;
  readonly own: () => Omit<OwnState, "ready">;
}

/** A scrape is not left waiting for a Redis that is away: it is answered within a second. */
const ANSWER_MS = 800;

/** The relay's metrics; gauges are read when they are asked for, counters are this process' own. */
export function createMetrics({ version, read, own }: MetricsDeps): Metrics {
  const registry = new Registry();
  const { counts, show } = createOwnMetrics(registry, version);
  const showShared = createSharedMetrics(registry);

  async function render(isReady: () => Promise<boolean>): Promise<string> {
    const [readings, ready] = await Promise.all([
      within(ANSWER_MS, read()).catch(() => undefined),
      within(ANSWER_MS, isReady()).catch(() => false),
    ]);
    showShared(readings);
    show({ ...own(), ready });
    return registry.metrics();
  }

  return {
    ...counts,
    handler: (isReady) => {
      // Scrapes that come at once share their answer: a slow Redis is not asked more for being slow.
      let running: Promise<string> | undefined;
      return (_req, res) => {
        running ??= render(isReady).finally(() => {
          running = undefined;
        });
        running.then(
          (text) => {
            res.writeHead(200, { "content-type": registry.contentType });
            res.end(text);
          },
          () => {
            res.writeHead(500);
            res.end();
          },
        );
      };
    },
  };
}
