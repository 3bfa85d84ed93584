import type { Rules } from "./model.ts";

/** Why these rules publish nothing; undefined when they may. That is no mistake: a first file is like this. */
export function nothingPublished({ rules }: Pick<Rules, "rules">): string | undefined {
  if (rules.length === 0) return "there is no rule: nothing is published";
  return rules.every(({ enabled }) => enabled === false)
    ? "no rule is enabled: nothing is published until `enabled: false` is taken out of one"
    : undefined;
}
