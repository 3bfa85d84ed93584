import type { Redis } from "ioredis";
import { z } from "zod";
import type { Rules, Target } from "../rules/model.ts";
import { type Keys, publishQueue } from "./names.ts";
import { registerScript, words } from "./script.ts";
import { findUnregistered } from "./unregistered-targets.ts";
import { BEAT, FORGET, REGISTER } from "./scripts/target.ts";

/** A process that gave no sign of life for so long is dead. */
const LIFE_MS = 10_000;
/** Nobody has run the newest rules for so long: older ones count again, also without a start. */
const ABSENT_MS = 60_000;
const VERSIONS_KEPT = 100;
const PAGE = 1_000;
/** Of no rules file. */
const NO_VERSION = "-";

const definition = z.object({
  v: z.literal(1),
  /** Of the rules file that defined it last. */
  version: z.string(),
  connection: z.number(),
  schema: z.string(),
  concurrency: z.number().int().positive(),
  description: z.string().optional(),
  rateLimit: z.object({ max: z.number(), perMs: z.number(), burst: z.boolean() }).optional(),
  freshnessMs: z.number().optional(),
});

/** A target as the fleet last defined it. */
export interface RegisteredTarget {
  readonly target: Target;
  readonly version: string;
  /** As it stands in Redis. */
  readonly json: string;
}

/** Why a process gives a sign of life: it starts, its rules file has changed, or time has passed. */
export type Occasion = "start" | "changed" | "usual";

/** What a sign of life is answered with. */
export interface Beat {
  /** The process' rules are newer than those that the targets come from: it has to register them. */
  readonly newer: boolean;
  readonly newest: string;
  /** Another one whenever the registered targets have changed. */
  readonly revision: string;
  /** What the living processes run, each version once; one without rules runs none. */
  readonly versions: readonly string[];
}

export interface TargetStore {
  beat(processId: string, version: string | undefined, occasion: Occasion): Promise<Beat>;
  /** Takes the process off the list of those that live. */
  leave(processId: string): Promise<void>;
  /** Writes the targets of these rules: all if they are newer, else only those that nobody has registered. */
  register(rules: Rules, newer: boolean): Promise<void>;
  /** A definition that cannot be read, say of a later version, is left out. */
  read(): Promise<RegisteredTarget[]>;
  /** Has the target a task that waits, runs or is parked? */
  hasWork(target: string): Promise<boolean>;
  /** Registers the targets of open tasks that nobody has registered; answers their names. */
  adopt(): Promise<string[]>;
  /** Strikes the target off, unless it was defined anew meanwhile. */
  forget(registered: RegisteredTarget): Promise<void>;
}

/** The targets that the fleet knows, and the processes that run them, in Redis. */
export function createTargetStore(redis: Redis, keys: Keys): TargetStore {
  const beat = registerScript(redis, "relayBeat", BEAT, 3);
  const register = registerScript(redis, "relayRegister", REGISTER, 3);
  const forget = registerScript(redis, "relayForget", FORGET, 2);

  const read = async (): Promise<RegisteredTarget[]> =>
    Object.entries(await redis.hgetall(keys.targets)).flatMap(([name, json]) => readTarget(name, json) ?? []);
  const write = async (
    { version, targets }: Pick<Rules, "version" | "targets">,
    newer: boolean,
  ): Promise<void> => {
    const defined = targets.flatMap(({ name, ...rest }) => [
      name,
      JSON.stringify({ v: 1, version, ...rest }),
    ]);
    await register(
      [keys.rules, keys.rulesSeen, keys.targets],
      [version, newer ? 1 : 0, VERSIONS_KEPT, ...defined],
    );
  };

  return {
    beat: async (id, version, occasion) => {
      const [newer, newest = "", revision = "", ...runs] = words(
        await beat(
          [keys.processes, keys.rules, keys.rulesSeen],
          [id, version ?? NO_VERSION, LIFE_MS, occasion, ABSENT_MS],
        ),
      );
      const versions = [...new Set(runs.filter((one) => one !== NO_VERSION))].sort();
      return { newer: newer === "1", newest, revision, versions };
    },
    leave: async (id) => void (await redis.hdel(keys.processes, id)),
    register: write,
    read,
    adopt: async () => {
      const known = new Set((await read()).map(({ target }) => target.name));
      const targets = await findUnregistered(redis, keys, known);
      if (targets.length > 0) await write({ version: NO_VERSION, targets }, false);
      return targets.map(({ name }) => name);
    },
    hasWork: async (target) => {
      const queue = publishQueue(target);
      const of = (suffix: string) => keys.queue(queue, suffix);
      const counts = await Promise.all([
        redis.llen(of("wait")),
        redis.llen(of("active")),
        redis.llen(of("paused")),
        redis.zcard(of("delayed")),
        redis.zcard(of("prioritized")),
      ]);
      return counts.some((count) => count > 0) || isTracked(redis, keys.open, queue);
    },
    forget: async ({ target, json }) => void (await forget([keys.rules, keys.targets], [target.name, json])),
  };
}

function readTarget(name: string, json: string): RegisteredTarget | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  const parsed = definition.safeParse(value);
  if (!parsed.success) return undefined;
  const { version, connection, schema, concurrency, description, rateLimit, freshnessMs } = parsed.data;
  const target: Target = {
    name,
    connection,
    schema,
    concurrency,
    ...(description !== undefined && { description }),
    ...(rateLimit !== undefined && { rateLimit }),
    ...(freshnessMs !== undefined && { freshnessMs }),
  };
  return { target, version, json };
}

/** Parked tasks, and those whose job is gone until the sweep brings it back, stand among the open ones alone. */
async function isTracked(redis: Redis, open: string, queue: string): Promise<boolean> {
  let cursor = "0";
  do {
    const [next, found] = await redis.zscan(open, cursor, "MATCH", `${globOf(queue)}\t*`, "COUNT", PAGE);
    if (found.length > 0) return true;
    cursor = next;
  } while (cursor !== "0");
  return false;
}

const globOf = (text: string): string => text.replace(/[*?[\]\\]/g, "\\$&");
