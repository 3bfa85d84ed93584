import type { Logger } from "pino";
import { type Config, pollingOf } from "./config.ts";
import { PlatformError } from "./errors.ts";
import { everyMinute } from "./every-minute.ts";
import type { Report } from "./producers/accept-report.ts";
import { createEndedBefore } from "./producers/ended-before.ts";
import { type PollDeps, type PollSettings, pollTurn } from "./producers/poller.ts";
import type { Outcome, Run } from "./queues/outcome.ts";
import { endPollSchedule, mendPollSchedule, pollOn, startPollSchedule } from "./queues/poll-schedule.ts";
import type { PollStore } from "./queues/poll-store.ts";
import { createWatchedWorker } from "./queues/watched-worker.ts";
import type { RunningWorker } from "./queues/worker.ts";
import type { Core, Releasers } from "./relay-core.ts";
import type { WatchOf } from "./relay-watch.ts";
import { createTellSeldom, type TellSeldom } from "./tell-seldom.ts";

export interface PollParts {
  readonly config: Config;
  readonly core: Core;
  readonly store: PollStore;
  readonly report: Report;
  readonly watchOf: WatchOf;
  readonly log: Logger;
}

/**
 * The poller of this process, if it has one: the schedule that the fleet shares, and a worker that takes turns. With
 * `POLL_INTERVAL=off` the schedule is taken away: whoever still polls makes it again within a minute.
 */
export async function openPoller(parts: PollParts, opened: Releasers): Promise<RunningWorker[]> {
  const { config, core, store, log } = parts;
  const queue = core.queues.poll;
  const settings = pollingOf(config);
  if (!settings) {
    if (config.roles.includes("poll") && config.poll.everyMs === undefined) {
      await endPollSchedule(queue);
      await store.switchedOff();
    }
    return [];
  }
  const { everyMs } = settings;
  await startPollSchedule(queue, everyMs);
  const mend = async (): Promise<void> => {
    await store.switchedOn();
    if (await mendPollSchedule(queue, everyMs))
      log.warn("the schedule of the poller was gone: it is made again");
  };
  opened(everyMinute("the look at the poller's schedule", mend, log), (stop) => stop());
  const deps = depsOf(parts);
  const trouble = createTellSeldom();
  const worker = createWatchedWorker(
    {
      connection: core.connections.work,
      queue,
      concurrency: 1,
      onError: core.onError,
      handle: (_job, run) => takeTurn(parts, deps, settings, trouble, run),
    },
    parts.watchOf(queue.name),
  );
  return [opened(worker, ({ close }) => close())];
}

/** One turn as a job. Whatever comes of it, the schedule goes on: BullMQ adds the next turn when this one begins. */
async function takeTurn(
  parts: PollParts,
  deps: PollDeps,
  settings: PollSettings,
  trouble: TellSeldom,
  run: Run,
): Promise<Outcome> {
  const { core, log } = parts;
  const gate = await core.gate.look();
  if (gate.ms > 0) return waits(gate.words);
  try {
    const turn = await pollTurn(deps, settings, run.signal);
    trouble.over();
    const { words, more, ...figures } = turn;
    const level = turn.reported > 0 || more ? "info" : "debug";
    log[level]({ stage: "poll", ...figures }, words);
    if (more) await pollOn(core.queues.poll);
    return { next: "done", value: turn };
  } catch (error) {
    if (run.signal.aborted) return { next: "hand-over" };
    if (!(error instanceof PlatformError)) {
      log.warn({ err: error }, "a turn of the poller failed: the next comes as usual");
      throw error;
    }
    if (error.failure.next === "gate") return waits(error.message);
    const told = error.failure.next === "refused" ? "error" : "warn";
    const { message: words } = error;
    log[trouble.isDue(told) ? told : "debug"](
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
  let toldUnreadable = false;
  return {
    list: async (query, signal) => {
      const page = await core.platform.listFinished(query, signal);
      if (page.unreadable && !toldUnreadable) {
        toldUnreadable = true;
        log.warn(
          { rows: page.unreadable },
          "the platform's list has rows without a readable id or updatedAt: they are left out (told once)",
        );
      }
      return page;
    },
    store,
    endedBefore: createEndedBefore((id, signal) => core.platform.listJobs(id, signal)),
    sourcesOf: core.completions.sourcesOf,
    missWebhook: core.completions.missWebhook,
    countedAsLost: core.completions.countedAsLost,
    report,
    onLoss: ({ id, updatedAt, as }) =>
      log.warn(
        { jobGroupId: id, finishedAt: new Date(updatedAt).toISOString() },
        `no webhook told of job group ${id} in time: ${as === "missed" ? "others" : "the poller"} reported it`,
      ),
    now: Date.now,
  };
}
