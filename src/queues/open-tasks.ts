import type { Redis } from "ioredis";
import { type Keys, publishQueue } from "./names.ts";
import { registerScript, words } from "./script.ts";
import { LOOK_AT_OPEN } from "./scripts/notice.ts";

/** What stands open of a target's tasks. */
export interface OpenTasks {
  readonly parked: number;
  /** Job groups with a parked task that nobody was told of. */
  readonly untold?: readonly number[];
  /** Past the target's freshness goal. */
  readonly late: number;
  /** Of those, the one whose job group finished first; `finishedAt` in epoch milliseconds. */
  readonly oldest?: { readonly finishedAt: number; readonly jobGroupId: number; readonly taskId: string };
}

const PAGE = 500;

/** Looks through all open tasks, a page at a time; answers by target. `goals` are in milliseconds. */
export function createLookAtOpenTasks(
  redis: Redis,
  keys: Keys,
): (goals: ReadonlyMap<string, number>) => Promise<Map<string, OpenTasks>> {
  const look = registerScript(redis, "relayLookAtOpen", LOOK_AT_OPEN, 1);
  return async (goals) => {
    const wanted = [...goals].flatMap(([target, ms]) => [publishQueue(target), ms]);
    const found = new Map<string, OpenTasks>();
    let cursor = "0";
    do {
      const [next = "0", ...lines] = words(await look([keys.open], [keys.prefix, cursor, PAGE, ...wanted]));
      cursor = next;
      for (const line of lines) {
        const [queue = "", ...figures] = line.split("\t");
        const target = queue.slice(publishQueue("").length);
        found.set(target, add(found.get(target), figures));
      }
    } while (cursor !== "0");
    return found;
  };
}

function add(before: OpenTasks | undefined, figures: readonly string[]): OpenTasks {
  const [parked, late, at, jobGroupId, taskId = "", groups = ""] = figures;
  const here = Number(at) > 0 && { finishedAt: Number(at), jobGroupId: Number(jobGroupId), taskId };
  const untold = groups === "" ? [] : groups.split(",").map(Number);
  const known = before?.oldest;
  const oldest = here && (!known || here.finishedAt < known.finishedAt) ? here : known;
  return {
    parked: (before?.parked ?? 0) + Number(parked),
    untold: [...new Set([...(before?.untold ?? []), ...untold])],
    late: (before?.late ?? 0) + Number(late),
    ...(oldest && { oldest }),
  };
}
