import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { Target } from "../rules/model.ts";
import type { BreakerState, BreakerStore } from "./breaker-store.ts";
import { type Keys, publishQueue } from "./names.ts";
import { paceOf } from "./pace.ts";

/** How a target stands in Redis. */
export interface TargetLook {
  readonly paused: boolean;
  /** Milliseconds until its pace allows the next start; 0: now. */
  readonly nextStartInMs: number;
  readonly breaker: BreakerState;
  /**
   * Jobs of its queue; `waiting` counts also those with a priority. Of the `active` ones, which take its places, only
   * those that are `running` publish: the others stand in line for their start.
   */
  readonly queue: {
    readonly waiting: number;
    readonly delayed: number;
    readonly active: number;
    readonly running: number;
  };
}

export interface TargetLookDeps {
  readonly redis: Redis;
  readonly keys: Keys;
  readonly breakers: Pick<BreakerStore, "look">;
  readonly queueOf: (target: string) => Queue;
}

/** The version of the newest rules that the fleet took up; undefined when it never had any. */
export async function lookAtNewestRules(redis: Redis, keys: Keys): Promise<string | undefined> {
  return (await redis.hget(keys.rules, "newest")) ?? undefined;
}

/** Looks at a target, also at one that the rules no longer have; writes nothing. */
export function createTargetLook({ redis, keys, breakers, queueOf }: TargetLookDeps) {
  const nextStartInMs = async (target: Target | undefined): Promise<number> => {
    const { max, perUs } = target ? paceOf(target) : { max: 0, perUs: 0 };
    if (!target || max === 0) return 0;
    const [oldest, [seconds, micros]] = await Promise.all([
      redis.lindex(keys.pace(target.name), max - 1),
      redis.time(),
    ]);
    const nowUs = Number(seconds) * 1_000_000 + Number(micros);
    return oldest === null ? 0 : Math.max(0, Math.ceil((Number(oldest) + perUs - nowUs) / 1_000));
  };
  const running = async (name: string): Promise<number> => {
    const ids = await redis.lrange(keys.queue(publishQueue(name), "active"), 0, -1);
    const states = await Promise.all(
      ids.map(async (id) => {
        const [, group, ...parts] = id.split("-");
        return redis.hget(keys.group(Number(group)), `task:${parts.join("/")}`);
      }),
    );
    return states.filter((json) => json !== null && BUSY.test(json)).length;
  };
  return async (name: string, target: Target | undefined): Promise<TargetLook> => {
    const [paused, startInMs, breaker, jobs, runs] = await Promise.all([
      redis.hexists(keys.queue(publishQueue(name), "meta"), "paused"),
      nextStartInMs(target),
      breakers.look(name),
      queueOf(name).getJobCounts(),
      running(name),
    ]);
    const { waiting = 0, prioritized = 0, paused: held = 0, delayed = 0, active = 0 } = jobs;
    return {
      paused: paused === 1,
      nextStartInMs: startInMs,
      breaker,
      queue: { waiting: waiting + prioritized + held, delayed, active, running: runs },
    };
  };
}

/** A record that says that its task publishes; version and state stand first. */
const BUSY = /^\{"v":\d+,"state":"(?:admitted|submitting|submitted)"/;
