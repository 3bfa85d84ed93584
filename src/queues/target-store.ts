import type { Redis } from "ioredis";
import type { Rules } from "../rules/model.ts";
import { type Keys, publishQueue } from "./names.ts";
import { registerScript, words } from "./script.ts";
import { NO_VERSION, type RegisteredTarget, readDefinition, writeDefinition } from "./target-definition.ts";
import { findUnregistered } from "./unregistered-targets.ts";
import { BEAT, FORGET, REGISTER } from "./scripts/target.ts";

/** A process that gave no sign of life for so long is dead. One that only stood still gets back what is its own. */
const LIFE_MS = 10_000;
/** Nobody has run the newest rules for so long: older ones count again, also without a start. */
const ABSENT_MS = 60_000;
const VERSIONS_KEPT = 100;
const PAGE = 1_000;

/** What a process says of itself with a sign of life. */
export interface Sign {
  readonly processId: string;
  /** Undefined: it has no rules. */
  readonly version: string | undefined;
  /** What it ran at its last sign of life that came to something: another one when its file has changed since. */
  readonly before: string | undefined;
  /** Since when it has had rules, as `Beat.at` told; undefined: this is the first time. */
  readonly since: number | undefined;
}

/** What a sign of life is answered with. */
export interface Beat {
  /** The process' rules are newer than those that the targets come from: it has to register them. */
  readonly newer: boolean;
  readonly newest: string;
  /** Another one whenever the registered targets have changed. */
  readonly revision: string;
  /** Epoch milliseconds of Redis' clock. */
  readonly at: number;
  /** What the living processes run, each version once; one without rules runs none. */
  readonly versions: readonly string[];
}

/** What Redis knows of targets. */
export interface Registry {
  readonly targets: readonly RegisteredTarget[];
  /** Names with what stands there and is no definition, or one of a later version of the relay. */
  readonly unreadable: ReadonlyMap<string, string>;
}

export interface TargetStore {
  beat(sign: Sign): Promise<Beat>;
  /** Takes the process off the list of those that live. */
  leave(processId: string): Promise<void>;
  /**
   * Writes the targets of these rules: all if they are newer, else only those that nobody has registered, and those
   * for which `over` has what stands there now.
   */
  register(
    rules: Pick<Rules, "version" | "targets">,
    newer: boolean,
    over: ReadonlyMap<string, string>,
  ): Promise<void>;
  read(): Promise<Registry>;
  /** Registers the targets of open tasks that nobody has registered; answers their names. */
  adopt(): Promise<string[]>;
  /**
   * Strikes the target off; false: it has a task that waits, is delayed, runs or is parked, or was defined anew
   * meanwhile.
   */
  forget(registered: RegisteredTarget): Promise<boolean>;
}

/** The targets that the fleet knows, and the processes that run them, in Redis. */
export function createTargetStore(redis: Redis, keys: Keys): TargetStore {
  const beat = registerScript(redis, "relayBeat", BEAT, 3);
  const register = registerScript(redis, "relayRegister", REGISTER, 2);
  const forget = registerScript(redis, "relayForget", FORGET, 10);

  const read = async (): Promise<Registry> => {
    const targets: RegisteredTarget[] = [];
    const unreadable = new Map<string, string>();
    for (const [name, json] of Object.entries(await redis.hgetall(keys.targets))) {
      const one = readDefinition(name, json);
      if (one) targets.push(one);
      else unreadable.set(name, json);
    }
    return { targets, unreadable };
  };
  const write: TargetStore["register"] = async ({ version, targets }, newer, over) => {
    const defined = targets.flatMap((target) => [
      target.name,
      writeDefinition(target, version),
      over.get(target.name) ?? "",
    ]);
    await register([keys.rules, keys.targets], [version, newer ? 1 : 0, ...defined]);
  };

  return {
    beat: async ({ processId, version = NO_VERSION, before = NO_VERSION, since }) => {
      const [newer, newest = "", revision = "", at, ...runs] = words(
        await beat(
          [keys.processes, keys.rules, keys.rulesSeen],
          [processId, version, LIFE_MS, before, since ?? "", ABSENT_MS, VERSIONS_KEPT],
        ),
      );
      const versions = [...new Set(runs.filter((one) => one !== NO_VERSION))].sort();
      return { newer: newer === "1", newest, revision, at: Number(at), versions };
    },
    leave: async (id) => void (await redis.hdel(keys.processes, id)),
    register: write,
    read,
    adopt: async () => {
      const targets = await findUnregistered(redis, keys, new Set(await redis.hkeys(keys.targets)));
      if (targets.length > 0) await write({ version: NO_VERSION, targets }, false, new Map());
      return targets.map(({ name }) => name);
    },
    forget: async ({ target: { name }, version, json }) => {
      const queue = publishQueue(name);
      // The script looks too, in one step with its end; most of the time this spares Redis a long one.
      if (await isTracked(redis, keys.open, queue)) return false;
      const jobs = ["wait", "active", "paused", "delayed", "prioritized"].map((suffix) =>
        keys.queue(queue, suffix),
      );
      return (
        (await forget(
          [keys.rules, keys.targets, keys.open, ...jobs, keys.held(name), keys.breaker(name)],
          [name, json, version, patternOf(queue)],
        )) === 1
      );
    },
  };
}

/** Parked tasks, and those whose job is gone until the sweep brings it back, stand among the open ones alone. */
async function isTracked(redis: Redis, open: string, queue: string): Promise<boolean> {
  let cursor = "0";
  do {
    const [next, found] = await redis.zscan(open, cursor, "MATCH", patternOf(queue), "COUNT", PAGE);
    if (found.length > 0) return true;
    cursor = next;
  } while (cursor !== "0");
  return false;
}

/** Of a queue's lines among the open tasks. */
const patternOf = (queue: string): string => `${queue.replace(/[*?[\]\\]/g, "\\$&")}\t*`;
