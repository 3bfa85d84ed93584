import type { Redis } from "ioredis";
import { z } from "zod";
import type { Target } from "../rules/model.ts";
import { type Keys, publishQueue } from "./names.ts";

const PAGE = 1_000;
/** Nobody knows what the target can take. */
const CONCURRENCY = 1;

const planned = z.object({ target: z.string(), connection: z.number(), schema: z.string() });

/**
 * The targets of open tasks that are not among the known ones, as far as a plan of theirs tells: tasks of a version
 * that did not register targets, whose target has left the rules since.
 */
export async function findUnregistered(
  redis: Redis,
  keys: Keys,
  known: ReadonlySet<string>,
): Promise<Target[]> {
  const queues = new Set([...known].map(publishQueue));
  const found = new Map<string, Target>();
  let cursor = "0";
  do {
    const [next, page] = await redis.zscan(keys.open, cursor, "COUNT", PAGE);
    cursor = next;
    for (const tracked of page.filter((_, i) => i % 2 === 0)) {
      const [queue = "", , jobGroupId, field = ""] = tracked.split("\t");
      if (queues.has(queue) || found.has(queue)) continue;
      const json = await redis.hget(keys.group(Number(jobGroupId)), `plan:${field}`);
      const place = placeOf(json);
      if (!place) continue;
      const { target: name, connection, schema } = place;
      found.set(queue, { name, connection, schema, concurrency: CONCURRENCY });
    }
  } while (cursor !== "0");
  return [...found.values()];
}

function placeOf(json: string | null): z.output<typeof planned> | undefined {
  try {
    return planned.safeParse(JSON.parse(json ?? "null")).data;
  } catch {
    return undefined;
  }
}
