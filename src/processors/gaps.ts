import type { PlatformError } from "../errors.ts";
import type { LookedUp, UndecidedRule } from "../rules/undecided.ts";

/** Why the platform did not tell a recipe or flow, or its name, and what to do about it. */
export interface Gap {
  readonly why: string;
  readonly advice: string;
}
export type Gaps = { readonly [field in LookedUp]?: Gap };

export const noRecipe = (jobGroupId: number): Gap => ({
  why: `the platform names no recipe of job group ${jobGroupId}`,
  advice: "have these rules go by `labels` or `jobGroup`",
});

export const noFlow = (recipeId: number): Gap => ({
  why: `the platform names no flow of recipe ${recipeId}`,
  advice: "have these rules go by `recipe`",
});

export const noName = (kind: LookedUp, id: number): Gap => ({
  why: `the platform tells no name of ${kind} ${id}`,
  advice: `give it a name on the platform, or have these rules go by the id ${id}`,
});

/** The platform will not tell; `unknown`: because there is none, as it says. */
export function refusedGap(kind: LookedUp, id: number, error: PlatformError, unknown: boolean): Gap {
  const { message, failure } = error;
  if (unknown) {
    return {
      why: `the platform does not know ${kind} ${id}: ${message}`,
      advice: "share the flow with the token's user, or have these rules go by what is there",
    };
  }
  const why =
    failure.status === 403
      ? `the token may not read ${kind} ${id}: ${message}`
      : `the platform refuses to tell ${kind} ${id}: ${message}`;
  return { why, advice: "give the token's user access to the flow" };
}

/** Without a gap all is told: the usual case, which must not ask each rule. */
export const hasGaps = ({ recipe, flow }: Gaps): boolean => recipe !== undefined || flow !== undefined;

/** Rules that cannot be judged, in words; undefined when the gaps matter to none. */
export interface Untold {
  readonly words: string;
  readonly advice: string;
}

const NAMED_MAX = 5;

/** Says which rules cannot be judged, for want of what, and what to do; undefined when all can. */
export function untoldWords(
  jobGroupId: number,
  gaps: Gaps,
  undecided: readonly UndecidedRule[],
): Untold | undefined {
  const fields = new Set(undecided.flatMap(({ lacks }) => lacks));
  const lacking = (["recipe", "flow"] as const).flatMap((field) => {
    const gap = fields.has(field) ? gaps[field] : undefined;
    return gap ? [gap] : [];
  });
  if (lacking.length === 0) return undefined;
  const names = undecided.slice(0, NAMED_MAX).map(({ rule }) => JSON.stringify(rule));
  const more = undecided.length > NAMED_MAX ? ` and ${undecided.length - NAMED_MAX} more` : "";
  const all = `${undecided.length === 1 ? "Rule" : "Rules"} ${names.join(", ")}${more}`;
  const once = (texts: string[]) => [...new Set(texts)].join("; ");
  return {
    words: `${all} cannot be judged for job group ${jobGroupId}: ${once(lacking.map(({ why }) => why))}`,
    advice: once(lacking.map(({ advice }) => advice)),
  };
}
