import type { Redis } from "ioredis";

/** What Redis says of itself. */
export interface RedisFacts {
  readonly name: "Redis" | "Valkey";
  /** `7.0.15` */
  readonly version: string;
  /** `noeviction` */
  readonly policy: string;
  /** Absent, as all that follows: not told. */
  readonly usedBytes: number | undefined;
  /** 0: no limit is set. */
  readonly maxBytes: number | undefined;
  readonly appendOnly: boolean | undefined;
  /** Were the last writes of the append-only file good? */
  readonly appendOnlyGood: boolean | undefined;
  /** How far its clock is ahead of ours, in milliseconds; known to half of `roundTripMs`. */
  readonly aheadMs: number;
  readonly roundTripMs: number;
}

/** Asks Redis; rejects when it does not answer, or may not be asked. */
export async function readRedisFacts(redis: Redis, now: () => number): Promise<RedisFacts> {
  const info = await redis.info();
  const askedAt = now();
  const [seconds = 0, micros = 0] = (await redis.time()).map(Number);
  const answeredAt = now();
  const line = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1];
  const valkey = line("valkey_version");
  return {
    name: valkey === undefined ? "Redis" : "Valkey",
    version: valkey ?? line("redis_version") ?? "",
    policy: line("maxmemory_policy") ?? "",
    usedBytes: told(line("used_memory"), Number),
    maxBytes: told(line("maxmemory"), Number),
    appendOnly: told(line("aof_enabled"), (text) => text === "1"),
    appendOnlyGood: told(line("aof_last_write_status"), (text) => text === "ok"),
    aheadMs: seconds * 1_000 + micros / 1_000 - (askedAt + answeredAt) / 2,
    roundTripMs: answeredAt - askedAt,
  };
}

const told = <T>(text: string | undefined, read: (text: string) => T): T | undefined =>
  text === undefined ? undefined : read(text);

const SCAN_PAGE = 1_000;
const SCANS_MAX = 20;

/** Other namespaces of relays on this Redis, as far as a short look finds them. */
export async function otherNamespaces(redis: Redis, prefix: string): Promise<string[]> {
  const found = new Set<string>();
  let cursor = "0";
  for (let n = 0; n < SCANS_MAX; n++) {
    const [next, keys] = await redis.scan(cursor, "MATCH", "{*}:processes", "COUNT", SCAN_PAGE);
    for (const key of keys) found.add(key.replace(/:processes$/, ""));
    cursor = next;
    if (cursor === "0") break;
  }
  found.delete(prefix);
  return [...found].map((one) => one.slice(1, -1)).sort();
}
