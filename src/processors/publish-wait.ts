import type { Outcome } from "../queues/outcome.ts";
import { type PublishTask, park, release, seconds } from "./publish-task.ts";

/** "Another publish is running": looks again after 2 s, then slower. */
const BUSY_FIRST_MS = 2_000;
const BUSY_MAX_MS = 30_000;

/** Another publish of the job group runs. One that never ends is for a person. */
export async function waitForOther(task: PublishTask, words: string, atLeastMs = 0): Promise<Outcome> {
  if (task.record.answeredMs > task.plan.deadlineMs) {
    return park(task, `${words}, for longer than ${seconds(task.plan.deadlineMs)}`);
  }
  return waitLonger(task, words, "waits for another publish of this job group", {
    answered: true,
    atLeastMs,
  });
}

/** Waits ever longer, without using an attempt. Only what the platform answers counts for the deadline. */
export async function waitLonger(
  task: PublishTask,
  words: string,
  stage: string,
  { answered, atLeastMs }: { readonly answered: boolean; readonly atLeastMs: number },
): Promise<Outcome> {
  const { record, run, clock } = task;
  const waits = record.waits + 1;
  const usualMs = Math.min(BUSY_FIRST_MS * 1.5 ** (waits - 1), BUSY_MAX_MS) * (1 + 0.2 * clock.random());
  const inMs = Math.round(Math.max(usualMs, atLeastMs));
  await release(task, answered ? "publish" : "platform", {
    waits,
    words,
    answeredMs: record.answeredMs + (answered ? inMs : 0),
  });
  // The same wait goes on for weeks, if need be: its start is told.
  if (record.waits === 0 || record.words !== words)
    run.tell(`${words}; looking again in ${seconds(inMs)}, then ever slower, no attempt is used`);
  run.show({ progress: 0, stage, words });
  return { next: "later", inMs };
}
