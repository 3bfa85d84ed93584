import type { JobsOptions, Queue } from "bullmq";

const SCHEDULE = "poll";
const HOUR_S = 3_600;
/** A turn tells what it did for a while; what it found is in the records. */
const TURN: JobsOptions = { removeOnComplete: { age: HOUR_S }, removeOnFail: { age: 24 * HOUR_S } };

/**
 * Sets how often the fleet polls: one turn at a time, however many processes there are. The first turn is due at once,
 * also where the schedule that stands has it later.
 */
export async function startPollSchedule(queue: Queue, everyMs: number): Promise<void> {
  await queue.setGlobalConcurrency(1);
  const next = await queue.upsertJobScheduler(SCHEDULE, { every: everyMs }, { name: "poll", opts: TURN });
  if ((next?.opts.delay ?? 0) === 0) return;
  // Of processes that start together one asks.
  await queue.add("poll", {}, { ...TURN, deduplication: { id: "start" } });
}

/** Makes the schedule again if it is gone, as after Redis came back empty; answers whether it was. */
export async function mendPollSchedule(queue: Queue, everyMs: number): Promise<boolean> {
  if (await queue.getJobScheduler(SCHEDULE)) return false;
  await startPollSchedule(queue, everyMs);
  return true;
}

/** Takes the schedule away; a process that still polls makes it again. */
export async function endPollSchedule(queue: Queue): Promise<void> {
  await queue.removeJobScheduler(SCHEDULE);
}

/** Has the next turn come at once. */
export async function pollOn(queue: Queue): Promise<void> {
  await queue.add("poll", {}, TURN);
}
