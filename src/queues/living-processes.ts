import type { Redis } from "ioredis";
import type { Keys } from "./names.ts";
import { NO_VERSION } from "./target-definition.ts";

/** A process of the relay that gave a sign of life within the last seconds. */
export interface LivingProcess {
  readonly id: string;
  /** Of the rules that it runs; absent when it has none. */
  readonly rulesVersion?: string;
}

/** The processes that live; writes nothing. */
export async function livingProcesses(redis: Redis, keys: Keys): Promise<LivingProcess[]> {
  const [all, [seconds]] = await Promise.all([redis.hgetall(keys.processes), redis.time()]);
  return Object.entries(all).flatMap(([id, sign]) => {
    const [, till, version] = /^(\d+) (.+)$/.exec(sign) ?? [];
    if (Number(till) < Number(seconds) * 1_000) return [];
    return [{ id, ...(version !== undefined && version !== NO_VERSION && { rulesVersion: version }) }];
  });
}
