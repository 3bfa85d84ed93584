import type { Rules, Target } from "../rules/model.ts";
import { NO_VERSION, type RegisteredTarget } from "./target-definition.ts";
import type { Registry } from "./target-store.ts";

/** A target that this process has to do with. */
export interface KnownTarget extends Target {
  /** False: it left the rules, and lives on for what it has to do. */
  readonly inRules: boolean;
}

/**
 * The targets of a process' own rules in their order, then the others that the fleet knows. What stands in Redis counts; a
 * target of our own that is not there yet comes as the file has it.
 */
export function listTargets(
  own: readonly Target[],
  registered: readonly RegisteredTarget[],
  newest: string | undefined,
): KnownTarget[] {
  const known = new Map(registered.map((one) => [one.target.name, one]));
  const ours = own.map((target): KnownTarget => {
    const one = known.get(target.name);
    return one ? { ...one.target, inRules: one.version === newest } : { ...target, inRules: true };
  });
  const names = new Set(own.map(({ name }) => name));
  const others = registered
    .filter(({ target }) => !names.has(target.name))
    .map((one): KnownTarget => ({ ...one.target, inRules: one.version === newest }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  return [...ours, ...others];
}

/** What Redis lacks of a process' own targets, also when its rules are not newer. */
export interface Lacking {
  readonly any: boolean;
  /**
   * Names with what is to be replaced: definitions of no rules (somebody had to run the tasks) and, by the newest rules,
   * those that cannot be read.
   */
  readonly over: ReadonlyMap<string, string>;
}

export function findLacking(
  { version, targets: own }: Rules,
  { targets, unreadable }: Registry,
  newest: string | undefined,
): Lacking {
  const registered = new Map(targets.map((one) => [one.target.name, one]));
  const over = new Map<string, string>();
  let isMissing = false;
  for (const { name } of own) {
    const one = registered.get(name);
    const spoilt = unreadable.get(name);
    if (one?.version === NO_VERSION) over.set(name, one.json);
    else if (spoilt !== undefined && version === newest) over.set(name, spoilt);
    else if (!one && spoilt === undefined) isMissing = true;
  }
  return { any: isMissing || over.size > 0, over };
}
