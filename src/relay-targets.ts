import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { createFleetLog, type Fleet } from "./fleet-log.ts";
import { inTime } from "./queues/in-time.ts";
import { NO_PACE, type Pace, paceOf } from "./queues/pace.ts";
import type { Registry, TargetStore } from "./queues/target-store.ts";
import { findLacking, type KnownTarget, listTargets } from "./queues/known-targets.ts";
import type { Rules, Target } from "./rules/model.ts";

const SYNC_MS = 1_000;
/** How often it is asked whether a target that left the rules has work. */
const LEFT_OVER_MS = 3_000;
/** How often open tasks are looked for whose target nobody has registered. */
const ADOPT_MS = 60_000;
const CLOSE_MS = 1_000;

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
  /** Default `ADOPT_MS`. */
  readonly adoptEveryMs?: number;
}

/**
 * The targets as the whole fleet knows them. Their definitions in Redis are those of the newest rules file, and they
 * hold in every process, whatever its own file says; a target that is in no rules any more stays until its work is done.
 */
export function createTargets(parts: TargetsParts): Targets {
  const { store, rules, setLimits, log, adoptEveryMs = ADOPT_MS } = parts;
  const id = randomUUID();
  const listeners: (() => void)[] = [];
  const tellOfFleet = createFleetLog(log);
  let registry: Registry = { targets: [], unreadable: new Map() };
  let fleet: Fleet = { versions: undefined, newest: undefined };
  let inForce: Rules | undefined;
  let joined = false;
  let revision: string | undefined;
  let listed = listTargets(rules()?.targets ?? [], [], undefined);
  let byName = new Map(listed.map((target) => [target.name, target]));
  /** The version that was registered last, so that going back from the newest is told from being late. */
  let ran: string | undefined;
  let since: number | undefined;
  /** The rules are others than those that the listeners were told of. */
  let isNews = true;
  let isLimitDue = true;
  let lookedAt = 0;
  let adoptedAt: number | undefined;
  let told: readonly string[] = [];

  async function sync(): Promise<void> {
    const now = rules();
    if (!now) since = undefined;
    const beat = await store.beat({ processId: id, version: now?.version, before: ran, since });
    if (now) since ??= beat.at;
    if (beat.revision !== revision) await readAnew();
    revision = beat.revision;
    const newest = beat.newer ? now?.version : beat.newest || undefined;
    tellUnreadable();
    const lacking = now && findLacking(now, registry, newest);
    if (now && (beat.newer || lacking?.any)) {
      await store.register(now, beat.newer, lacking?.over ?? new Map());
      await readAnew();
    }
    // Whatever fails from here on is done again, and is no change of the file any more.
    ran = now?.version;
    if (adoptedAt === undefined || Date.now() - adoptedAt > adoptEveryMs) await adopt();
    fleet = { versions: beat.versions, newest };
    tellOfFleet(now?.version, fleet, Date.now());
    inForce = now;
    if (isLimitDue || isNews) await takeOver(now, newest);
    if (Date.now() - lookedAt > LEFT_OVER_MS) await forgetIdle();
  }

  async function readAnew(): Promise<void> {
    registry = await store.read();
    isLimitDue = true;
  }

  function tellUnreadable(): void {
    const names = [...registry.unreadable.keys()];
    const fresh = names.filter((name) => !told.includes(name));
    told = names;
    if (fresh.length === 0) return;
    log.warn(
      { targets: fresh },
      "the definitions of targets in Redis cannot be read: those that the newest rules name are written anew",
    );
  }

  /** Also later than at the start: whoever planned a task may have been of a version that did not ask first. */
  async function adopt(): Promise<void> {
    const names = await store.adopt();
    adoptedAt = Date.now();
    if (names.length === 0) return;
    log.warn(
      { targets: names },
      "open tasks name targets of which no rules are known: they run one at a time",
    );
    await readAnew();
  }

  async function takeOver(now: Rules | undefined, newest: string | undefined): Promise<void> {
    const list = listTargets(now?.targets ?? [], registry.targets, newest);
    // All of them, also those that did not change: Redis may have come back empty.
    await setLimits(list);
    isLimitDue = false;
    if (!isNews && JSON.stringify(list) === JSON.stringify(listed)) return;
    // Rules that changed meanwhile are news of their own.
    if (rules() === now) isNews = false;
    listed = list;
    byName = new Map(list.map((target) => [target.name, target]));
    for (const listener of listeners) listener();
  }

  /** What nobody's rules name and has nothing to do any more. */
  async function forgetIdle(): Promise<void> {
    lookedAt = Date.now();
    const { versions = [], newest } = fleet;
    for (const one of registry.targets) {
      if (one.version === newest || versions.includes(one.version)) continue;
      if (!(await store.forget(one))) continue;
      log.info(
        { target: one.target.name },
        "a target that left the rules has nothing to do any more: it is gone",
      );
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
      isNews = true;
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
