import { PlatformError } from "../errors.ts";

/** A sub-job as far as its end can be told by it; times are epoch milliseconds. */
interface EndedJob {
  readonly jobType: string;
  readonly updatedAt?: number;
}

type ListJobs = (jobGroupId: number, signal?: AbortSignal) => Promise<readonly EndedJob[]>;

/** Tells by its jobs whether a job group ended before a time (epoch milliseconds of the platform's clock), the same in each call. */
export type EndedBefore = (jobGroupId: number, ms: number, signal: AbortSignal) => Promise<boolean>;

/** What is forgotten is asked for again. */
const REMEMBERED = 10_000;

/**
 * A publish may touch a job group's `updatedAt` long after it ended; its own jobs tell when that was. What they
 * told is not asked for twice. Where the jobs do not tell, or may not be read, it counts as ended since. Rejects with
 * what else `listJobs` rejects with.
 */
export function createEndedBefore(listJobs: ListJobs): EndedBefore {
  const known = new Map<number, boolean>();
  return async (jobGroupId, ms, signal) => {
    const told = known.get(jobGroupId);
    if (told !== undefined) return told;
    const jobs = await listJobs(jobGroupId, signal).catch((error: unknown) => {
      if (error instanceof PlatformError && error.failure.next === "refused") return [];
      throw error;
    });
    const times = jobs.filter(({ jobType }) => jobType !== "publish").map(({ updatedAt }) => updatedAt);
    const ended = times.length > 0 && times.every((time = Infinity) => time < ms);
    if (known.size >= REMEMBERED) known.clear();
    known.set(jobGroupId, ended);
    return ended;
  };
}
