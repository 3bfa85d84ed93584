import type { Redis } from "ioredis";
import { type Keys, publishQueue } from "./names.ts";
import { registerScript } from "./script.ts";
import { NOTE_PAUSE } from "./scripts/waits.ts";
import { WAIT_CAUSES, type WaitCause, type Waits } from "./waits.ts";

/** What holds up a target. */
export interface Hold {
  readonly cause: WaitCause;
  /** Epoch milliseconds of Redis' clock. */
  readonly since: number;
}

/** The last publish into a target that went well. */
export interface LastPublished {
  /** Epoch milliseconds of Redis' clock. */
  readonly at: number;
  readonly jobGroupId: number;
}

export interface Holds {
  /** Undefined: nothing is known to hold it up. */
  look(target: string): Promise<Hold | undefined>;
  lastPublished(target: string): Promise<LastPublished | undefined>;
  /** Milliseconds by cause that its tasks have waited so far, of the waits that are over. */
  waited(target: string): Promise<Waits["over"]>;
  /** Sees which targets are paused now, whoever paused them. */
  notePauses(targets: readonly string[]): Promise<void>;
}

/** What holds up the targets, as the waits of their tasks are shared out by it. */
export function createHolds(redis: Redis, keys: Keys): Holds {
  const notePause = registerScript(redis, "relayNotePause", NOTE_PAUSE, 2);
  return {
    look: async (target) => {
      const [[cause, since, till], [seconds]] = await Promise.all([
        redis.hmget(keys.held(target), "cause", "since", "till"),
        redis.time(),
      ]);
      const known = WAIT_CAUSES.find((one) => one === cause);
      if (!known || Number(till) < Number(seconds) * 1_000) return undefined;
      return { cause: known, since: Number(since) };
    },
    lastPublished: async (target) => {
      const [at, id] = await redis.hmget(keys.held(target), "publishedAt", "publishedGroup");
      return at && id ? { at: Number(at), jobGroupId: Number(id) } : undefined;
    },
    waited: async (target) => {
      const sums = await redis.hmget(keys.held(target), ...WAIT_CAUSES.map((cause) => `waited:${cause}`));
      return Object.fromEntries(WAIT_CAUSES.map((cause, i) => [cause, Number(sums[i] ?? 0)]));
    },
    notePauses: async (targets) => {
      await Promise.all(
        targets.map((target) => notePause([keys.held(target), keys.queue(publishQueue(target), "meta")], [])),
      );
    },
  };
}
