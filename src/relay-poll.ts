import type { JobsOptions, Queue } from "bullmq";
import type { Logger } from "pino";
import { type Config, pollingOf } from "./config.ts";
import { PlatformError } from "./errors.ts";
import { everyMinute } from "./every-minute.ts";
import type { Report } from "./producers/accept-report.ts";
import { type PollDeps, type PollSettings, pollTurn } from "./producers/poller.ts";
import type { Outcome, Run } from "./queues/outcome.ts";
import type { PollStore } from "./queues/poll-store.ts";
import { createWorker, type RunningWorker } from "./queues/worker.ts";
import type { Core, Releasers } from "./relay-core.ts";

export interface PollParts {
  readonly config: Config;
  readonly core: Core;
  readonly store: PollStore;
  readonly report: Report;
  readonly log: Logger;
}

const SCHEDULE = "poll";
const HOUR_S = 3_600;
/** A turn tells what it did for a while; what it found is in the records. */
const TURN: JobsOptions = { removeOnComplete: { age: HOUR_S }, removeOnFail: { age: 24 * HOUR_S } };

/**
 * The poller of this process, if it has one: the schedule that the fleet shares, and a worker that takes turns. With
 * `POLL_INTERVAL=off` the fleet's schedule ends.
 */
export async function openPoller(parts: PollParts, opened: Releasers): Promise<RunningWorker[]> {
  const { config, core, store, log } = parts;
  const queue = core.queues.poll;
  const settings = pollingOf(config);
  if (!settings) {
    if (config.roles.includes("poll") && config.poll.everyMs === undefined) await switchOff(queue, store);
    return [];
  }
  const { everyMs } = settings;
  await startSchedule(queue, everyMs);
  // Redis may come back empty, without the schedule and the limit.
  const watch = async (): Promise<void> => {
    if (await queue.getJobScheduler(SCHEDULE)) return;
    log.warn("the schedule of the poller is gone: it is made again");
    await queue.setGlobalConcurrency(1);
    await startSchedule(queue, everyMs);
  };
  opened(everyMinute("the look at the poller's schedule", watch, log), (stop) => stop());
  const worker = createWorker({
    connection: core.connections.work,
    queue,
    concurrency: 1,
    onError: core.onError,
    handle: (_job, run) => takeTurn(parts, settings, run),
  });
  return [opened(worker, ({ close }) => close())];
}

/** Sets the interval for the whole fleet. The first turn is due at once, also where the schedule has it later. */
async function startSchedule(queue: Queue, everyMs: number): Promise<void> {
  const next = await queue.upsertJobScheduler(SCHEDULE, { every: everyMs }, { name: "poll", opts: TURN });
  if ((next?.opts.delay ?? 0) === 0) return;
  // Of processes that start together one asks.
  await queue.add("poll", {}, { ...TURN, deduplication: { id: "start" } });
}

async function switchOff(queue: Queue, store: PollStore): Promise<void> {
  await queue.removeJobScheduler(SCHEDULE);
  await store.switchedOff();
}

/** One turn as a job. Whatever comes of it, the schedule goes on: BullMQ adds the next turn when this one begins. */
async function takeTurn(parts: PollParts, settings: PollSettings, run: Run): Promise<Outcome> {
  const { core, log } = parts;
  const gate = await core.gate.look();
  if (gate.ms > 0) return waits(gate.words);
  try {
    const turn = await pollTurn(depsOf(parts), settings, run.signal);
    const { words, more, ...figures } = turn;
    const level = turn.reported > 0 || more ? "info" : "debug";
    log[level]({ stage: "poll", ...figures }, words);
    if (more) await core.queues.poll.add("poll", {}, TURN);
    return { next: "done", value: turn };
  } catch (error) {
    if (run.signal.aborted) return { next: "hand-over" };
    if (!(error instanceof PlatformError)) {
      log.warn({ err: error }, "a turn of the poller failed: the next comes as usual");
      throw error;
    }
    if (error.failure.next === "gate") return waits(error.message);
    const refused = error.failure.next === "refused";
    const { message: words } = error;
    log[refused ? "error" : "warn"](
      { words },
      "the poller could not read the platform's list: it tries again",
    );
    return { next: "fail", outcome: "failed", words };
  }
}

/** The gate has raised the alarm already. */
const waits = (why: string): Outcome => ({
  next: "done",
  value: { words: `The gate to the platform is shut, so nothing was looked at: ${why}` },
});

function depsOf({ core, store, report, log }: PollParts): PollDeps {
  return {
    list: (query, signal) => core.platform.listFinished(query, signal),
    store,
    sourcesOf: core.completions.sourcesOf,
    report,
    onLoss: ({ id, updatedAt }) =>
      log.warn(
        { jobGroupId: id, finishedAt: new Date(updatedAt).toISOString() },
        `no webhook told of job group ${id} in time: the poller reported it`,
      ),
    now: Date.now,
  };
}
