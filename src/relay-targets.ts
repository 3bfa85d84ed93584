import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { inTime } from "./queues/in-time.ts";
import { NO_PACE, type Pace, paceOf } from "./queues/pace.ts";
import type { Occasion, RegisteredTarget, TargetStore } from "./queues/target-store.ts";
import { type KnownTarget, listTargets } from "./queues/known-targets.ts";
import type { Rules, Target } from "./rules/model.ts";

const SYNC_MS = 1_000;
/** How often it is asked whether a target that left the rules has work. */
const LEFT_OVER_MS = 3_000;
const CLOSE_MS = 1_000;

/** What the processes that live run. */
export interface Fleet {
  /** Undefined until Redis has answered for the first time. */
  readonly versions: readonly string[] | undefined;
  readonly newest: string | undefined;
}

export interface Targets {
  /** The targets of the rules in their order, then those that live on without them. */
  readonly list: () => readonly KnownTarget[];
  readonly find: (name: string) => KnownTarget | undefined;
  readonly paceOf: (name: string) => Pace;
  readonly fleet: () => Fleet;
  /** The rules of this process whose targets Redis knows: what is planned by them finds its worker in every process. */
  readonly rulesInForce: () => Rules | undefined;
  /** Called after each change of the list or of this process' rules. */
  readonly onChange: (listener: () => void) => void;
  /** Takes part in the fleet: resolves once Redis knows this process' rules, and their limits hold. */
  readonly join: () => Promise<void>;
  /** The rules of this process have changed. */
  readonly rulesChanged: () => void;
  readonly leave: () => Promise<void>;
}

export interface TargetsParts {
  readonly store: TargetStore;
  readonly rules: () => Rules | undefined;
  /** Gives the queue of each target its limits. */
  readonly setLimits: (targets: readonly Target[]) => Promise<void>;
  readonly log: Logger;
}

/**
 * The targets as the whole fleet knows them. Their definitions in Redis are those of the newest rules file, and they
 * hold in every process, whatever its own file says; a target that is in no rules any more stays until its work is done.
 */
export function createTargets({ store, rules, setLimits, log }: TargetsParts): Targets {
  const id = randomUUID();
  const listeners: (() => void)[] = [];
  let registered: readonly RegisteredTarget[] = [];
  let fleet: Fleet = { versions: undefined, newest: undefined };
  let inForce: Rules | undefined;
  let joined = false;
  let revision: string | undefined;
  let listed = listTargets(rules()?.targets ?? [], registered, undefined);
  let byName = new Map(listed.map((target) => [target.name, target]));
  let occasion: Occasion = "start";
  let lookedAt = 0;

  async function sync(): Promise<void> {
    const now = rules();
    const why = occasion;
    const beat = await store.beat(id, now?.version, why);
    const isMissing = (): boolean =>
      now?.targets.some(({ name }) => !registered.some(({ target }) => target.name === name)) ?? false;
    let stale = beat.revision !== revision;
    if (stale) registered = await store.read();
    if (now && (beat.newer || isMissing())) {
      await store.register(now, beat.newer);
      registered = await store.read();
      stale = true;
    }
    if (why === "start") stale = (await adopt()) || stale;
    const newest = beat.newer ? now?.version : beat.newest || undefined;
    fleet = { versions: beat.versions, newest };
    inForce = now;
    if (stale || why !== "usual") await takeOver(now, newest, why);
    revision = beat.revision;
    // Rules that changed meanwhile are news of their own.
    if (rules() === now) occasion = "usual";
    if (Date.now() - lookedAt > LEFT_OVER_MS) await forgetIdle();
  }

  async function adopt(): Promise<boolean> {
    const names = await store.adopt();
    if (names.length === 0) return false;
    log.warn(
      { targets: names },
      "open tasks name targets of which no rules are known: they run one at a time",
    );
    registered = await store.read();
    return true;
  }

  async function takeOver(now: Rules | undefined, newest: string | undefined, why: Occasion): Promise<void> {
    const list = listTargets(now?.targets ?? [], registered, newest);
    // All of them, also those that did not change: Redis may have come back empty.
    await setLimits(list);
    if (why === "usual" && JSON.stringify(list) === JSON.stringify(listed)) return;
    listed = list;
    byName = new Map(list.map((target) => [target.name, target]));
    for (const listener of listeners) listener();
  }

  /** What nobody's rules name and has nothing to do any more. */
  async function forgetIdle(): Promise<void> {
    lookedAt = Date.now();
    const { versions = [], newest } = fleet;
    for (const one of registered) {
      if (one.version === newest || versions.includes(one.version)) continue;
      if (await store.hasWork(one.target.name)) continue;
      log.info(
        { target: one.target.name },
        "a target that left the rules has nothing to do any more: it is gone",
      );
      await store.forget(one);
    }
  }

  let running: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let left = false;
  const turn = (): Promise<void> => {
    clearTimeout(timer);
    const done = running.then(() => (left ? undefined : sync()));
    running = done
      .catch((error: unknown) =>
        log.warn({ err: error }, "the targets in Redis could not be read: again in a second"),
      )
      .then(() => {
        if (left) return;
        clearTimeout(timer);
        timer = setTimeout(() => void turn(), SYNC_MS);
      });
    return done;
  };

  return {
    list: () => listed,
    find: (name) => byName.get(name),
    paceOf: (name) => {
      const target = byName.get(name);
      return target ? paceOf(target) : NO_PACE;
    },
    fleet: () => fleet,
    rulesInForce: () => inForce,
    onChange: (listener) => void listeners.push(listener),
    join: () => {
      joined = true;
      return turn();
    },
    rulesChanged: () => {
      occasion = "changed";
      if (joined) void turn();
    },
    leave: async () => {
      left = true;
      clearTimeout(timer);
      await inTime(
        running.then(() => store.leave(id)),
        CLOSE_MS,
      );
    },
  };
}
