import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { registerScript } from "./script.ts";
import { TELL } from "./scripts/steps.ts";

/** Lines kept of a job, the newest: a task may wait for weeks. */
const KEPT = 1_000;
const FIRST = 20;
const NEWEST = 200;

/**
 * Writes a line of a job's story, with the time in front, and draws the picture on the board; the same words twice in a
 * row are one line, none are no line.
 */
export type TellStep = (jobId: string, words: string, picture?: object) => Promise<void>;

/** Tells the steps of a queue's jobs, as Bull Board shows them under Logs. */
export function createTellStep(redis: Redis, queue: Queue): TellStep {
  const tell = registerScript(redis, "relayTell", TELL, 4);
  return async (jobId, words, picture) => {
    const key = queue.toKey(jobId);
    await tell(
      [key, `${key}:logs`, queue.toKey("events"), queue.toKey("meta")],
      [jobId, new Date().toISOString(), words, KEPT, picture ? JSON.stringify(picture) : ""],
    );
  };
}

/** The first 20 lines that are kept and the newest 200; one between them says how many were left out. */
export async function readSteps(queue: Queue, jobId: string): Promise<readonly string[]> {
  const { logs, count } = await queue.getJobLogs(jobId, 0, FIRST + NEWEST - 1);
  if (count <= FIRST + NEWEST) return logs;
  const newest = await queue.getJobLogs(jobId, count - NEWEST, count - 1);
  return [
    ...logs.slice(0, FIRST),
    `... ${count - FIRST - NEWEST} lines are left out here ...`,
    ...newest.logs,
  ];
}
