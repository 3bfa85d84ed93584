import type { Redis } from "ioredis";
import type { Keys } from "./names.ts";

const ENDS = ["published", "failed", "parked", "superseded"] as const;
const MINUTE_MS = 60_000;
const TEN_MINUTES_MS = 600_000;
/** Each class of how long a publish took is a quarter longer than the one before. */
const GROWTH = 1.25;

/** How tasks ended in a span of time, and how fresh what was published was. */
export interface Ended {
  readonly published: number;
  readonly failed: number;
  readonly parked: number;
  readonly superseded: number;
  /** Milliseconds from the job group's end to the published table, within an eighth; absent: none was published. */
  readonly freshness?: { readonly p50: number; readonly p95: number; readonly p99: number };
}

/** Of the last hour and the last day, each with what has passed of the running minute (ten minutes). */
export interface TargetFigures {
  readonly hour: Ended;
  readonly day: Ended;
}

export interface Figures {
  readonly all: TargetFigures;
  readonly targets: ReadonlyMap<string, TargetFigures>;
}

/** Reads what was counted as tasks ended, whatever became of their jobs and records since. */
export function createTally(redis: Redis, keys: Keys): { read(): Promise<Figures> } {
  const sum = async (span: "m" | "t", lengthMs: number, count: number, now: number) => {
    const last = Math.floor(now / lengthMs);
    const hashes = await Promise.all(
      Array.from({ length: count + 1 }, (_, i) => redis.hgetall(keys.ended(span, last - i))),
    );
    const counts = new Map<string, Map<string, number>>();
    for (const [field, value] of hashes.flatMap((hash) => Object.entries(hash))) {
      const [target = "", what = ""] = field.split("\t");
      for (const name of [target, ALL]) {
        const of = counts.get(name) ?? new Map<string, number>();
        counts.set(name, of.set(what, (of.get(what) ?? 0) + Number(value)));
      }
    }
    return counts;
  };
  return {
    read: async () => {
      const [seconds] = await redis.time();
      const now = Number(seconds) * 1_000;
      const [hour, day] = await Promise.all([
        sum("m", MINUTE_MS, 60, now),
        sum("t", TEN_MINUTES_MS, 144, now),
      ]);
      const of = (name: string): TargetFigures => ({
        hour: endedOf(hour.get(name)),
        day: endedOf(day.get(name)),
      });
      const names = [...new Set([...hour.keys(), ...day.keys()])].filter((name) => name !== ALL);
      return { all: of(ALL), targets: new Map(names.map((name) => [name, of(name)])) };
    },
  };
}

/** No target has no name. */
const ALL = "";

function endedOf(counts: ReadonlyMap<string, number> = new Map()): Ended {
  const [published = 0, failed = 0, parked = 0, superseded = 0] = ENDS.map((end) => counts.get(end));
  const classes = [...counts]
    .flatMap(([what, count]) => {
      const place = /^f(\d+)$/.exec(what)?.[1];
      return place === undefined ? [] : [{ place: Number(place), count }];
    })
    .toSorted((a, b) => a.place - b.place);
  const total = classes.reduce((all, { count }) => all + count, 0);
  const quantile = (q: number): number => {
    let seen = 0;
    for (const { place, count } of classes) {
      seen += count;
      // The middle of the class: it is told, and compared with goals.
      if (seen >= q * total) return Math.round(GROWTH ** (place - 0.5));
    }
    return 0;
  };
  return {
    published,
    failed,
    parked,
    superseded,
    ...(total > 0 && { freshness: { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) } }),
  };
}
