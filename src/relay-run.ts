import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { RunRoute } from "./http/run-route.ts";
import {
  type RunDeps,
  runRecipe,
  type RunOrder,
  type RunPlatform,
  type RunResult,
} from "./processors/run-recipe.ts";
import type { Report } from "./producers/accept-report.ts";
import { executionIdOf } from "./producers/execution-id.ts";
import { type Audit, carryOut, type Ending } from "./queues/audit-store.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import type { Connections } from "./queues/connections.ts";
import type { Keys } from "./queues/names.ts";
import { createRunStore } from "./queues/run-store.ts";
import type { Asker } from "./relay-audit.ts";

export interface RunParts {
  readonly connections: Pick<Connections, "ingest">;
  readonly keys: Keys;
  readonly namespace: string;
  readonly retentionMs: number;
  /** Past the gate: a run is asked for once, by somebody who waits, and its quota is not that of publishes. */
  readonly platform: RunPlatform;
  readonly report: Report;
  readonly records: Pick<CompletionRecords, "read">;
  readonly audit: Audit;
  readonly log: Logger;
}

/** A run as somebody asks for it; the key names it, and the same key runs once. */
export interface AskedToRun extends Omit<RunOrder, "executionId"> {
  readonly key: string;
}

/** How long a call may take in milliseconds, and what ends it before. */
export interface RunWithin {
  readonly ms: number;
  readonly signal?: AbortSignal;
}

/** Runs a recipe. What a Redis that goes away leaves open is told as `later`; rejects when it does before anything was sent. */
export type RunJob = (asked: AskedToRun, asker: Asker, within: RunWithin) => Promise<RunResult>;

const NOT_KNOWN: RunResult = { kind: "later", mayRun: true, words: "The relay's Redis does not answer" };

/** What a call needs beyond its time to tell what it knows. */
const HOLD_MORE_MS = 5_000;

/** Runs of recipes, each written into the audit trail and then looked at by dispatch until it has ended. */
export function createRunJob(parts: RunParts): RunJob {
  const { connections, keys, namespace, retentionMs, platform, report, records, audit, log } = parts;
  const runs = createRunStore(connections.ingest, keys, retentionMs);
  return ({ key, ...asked }, asker, { ms, signal: ended }) => {
    const order = { ...asked, executionId: executionIdOf(namespace, key) };
    let maySend = false;
    const delivery = `run ${order.executionId}`;
    const deps: RunDeps = {
      platform,
      runs: {
        ...runs,
        sending: async (executionId, before) => {
          await runs.sending(executionId, before);
          maySend = true;
        },
      },
      signal: AbortSignal.any([AbortSignal.timeout(ms), ...(ended ? [ended] : [])]),
      holder: randomUUID(),
      holdMs: ms + HOLD_MORE_MS,
      report: (jobGroupId) => report({ jobGroupId, labels: {}, source: "run", delivery }),
      startedBy: async (jobGroupId) => {
        const { completion } = await records.read(jobGroupId);
        const ours = completion?.reports.filter(({ source }) => source === "run") ?? [];
        if (ours.length === 0) return undefined;
        return ours.some((one) => one.delivery === delivery) ? "this key" : "another key";
      },
    };
    const entry = { ...asker, action: "run", detail: tellOrder(order) };
    return carryOut(audit, entry, log, () => runRecipe(order, deps), endingOf).catch(
      (error: unknown): RunResult => {
        if (!maySend) throw error;
        const { requestId } = asker;
        log.warn(
          { err: error, recipeId: order.recipeId, requestId },
          "whether a recipe was run is not known",
        );
        return NOT_KNOWN;
      },
    );
  };
}

const tellOrder = ({ recipeId, parameters, format, executionId }: RunOrder): string =>
  [
    `recipe ${recipeId}`,
    ...Object.keys(parameters).map((name) => `parameter ${name}`),
    ...(format === undefined ? [] : [`format ${format}`]),
    `execution id ${executionId}`,
  ].join(", ");

function endingOf({ kind, words }: RunResult): Ending {
  switch (kind) {
    case "running":
      return { outcome: "done", detail: words };
    case "later":
      return { outcome: "failed", detail: words };
    case "reused":
    case "in-flight":
    case "too-late":
    case "refused":
      return { outcome: "refused", detail: words };
  }
}

/** As long as a caller waits for an answer. */
const ROUTE_WITHIN_MS = 20_000;

/** Runs for those who ask over HTTP. */
export function createRunRoute(run: RunJob, log: Logger): RunRoute {
  return ({ format, path, ...asked }, { from, requestId, who }) => {
    const order = { ...asked, ...(format !== undefined && { format }), ...(path !== undefined && { path }) };
    return run(order, { who, from, requestId, role: "api" }, { ms: ROUTE_WITHIN_MS }).catch(
      (error: unknown) => {
        log.warn(
          { err: error, recipeId: order.recipeId, requestId },
          "a run of a recipe failed: answered 503",
        );
        // Not by this call; but an earlier one with the key may have been sent.
        return NOT_KNOWN;
      },
    );
  };
}
