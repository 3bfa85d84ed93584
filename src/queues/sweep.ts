import type { Redis } from "ioredis";
import type { Keys } from "./names.ts";
import { registerScript, words } from "./script.ts";
import { SWEEP } from "./scripts/sweep.ts";

/** A task that no job will bring on by itself. */
export interface Stray {
  /**
   * `gone`: its job is removed. `ended`: its job ended while the task did not. `parked`: it is in no queue to be decided.
   * `paused`: its publish may run, and its job lies in a paused queue.
   */
  readonly why: "gone" | "ended" | "parked" | "paused";
  readonly queue: string;
  readonly jobId: string;
  readonly jobGroupId: number;
  readonly field: string;
}

const PAGE = 200;
/** Between a task's plan and its job there is a moment; after so long the job was lost. */
const GRACE_US = 10_000_000;

/** Looks through all open tasks for strays, a page at a time. */
export function createSweep(
  redis: Redis,
  keys: Keys,
): (found: (stray: Stray) => Promise<void>) => Promise<void> {
  const sweep = registerScript(redis, "relaySweep", SWEEP, 1);
  return async (found) => {
    let cursor = "0";
    do {
      const [next = "0", ...lines] = words(await sweep([keys.open], [keys.prefix, cursor, PAGE, GRACE_US]));
      cursor = next;
      for (const line of lines) {
        const [why = "", queue = "", jobId = "", jobGroupId = "", field = ""] = line.split("\t");
        await found({ why: why as Stray["why"], queue, jobId, jobGroupId: Number(jobGroupId), field });
      }
    } while (cursor !== "0");
  };
}
