import type { Target } from "../rules/model.ts";
import type { RegisteredTarget } from "./target-store.ts";

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
