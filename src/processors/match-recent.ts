import { PlatformError } from "../errors.ts";
import type { Rule } from "../rules/model.ts";
import { hasGaps, untoldWords } from "./gaps.ts";
import { type FactsPlatform, gatherFacts, type JobGroup, standingOf } from "./job-group-facts.ts";
import type { JudgeDeps } from "./judge-job-group.ts";

/** What the rules make of a job group that ran before. */
export interface RecentMatch {
  readonly jobGroupId: number;
  readonly finishedAt: string;
  readonly recipe?: { readonly id: number; readonly name?: string };
  /** Names of the rules that match. */
  readonly rules: readonly string[];
  /** Names of the rules that match if a report brings the labels that they ask for. */
  readonly withLabels: readonly string[];
  /** Names of the rules that would match if they were not switched off. */
  readonly switchedOff: readonly string[];
  readonly publications: readonly {
    readonly target: string;
    readonly table: string;
    readonly action: string;
  }[];
  /** What else is to be said: publications that cannot be made, or what the platform did not tell. */
  readonly notes: readonly string[];
}

export interface MatchRecentDeps {
  readonly platform: Pick<FactsPlatform, "getRecipe" | "getFlow">;
  readonly rules: Exclude<JudgeDeps["rules"], string>;
  readonly signal: AbortSignal;
}

/** Asks the rules about job groups that ran before, by the code of dispatch; their reports' labels are not known here. */
export async function matchRecent(
  groups: readonly JobGroup[],
  { platform, rules, signal }: MatchRecentDeps,
): Promise<RecentMatch[]> {
  const asked = askOnce(platform);
  const found: RecentMatch[] = [];
  for (const group of groups) {
    if (standingOf(group).kind !== "finished") continue;
    found.push(await matchOne(group, { platform: asked, rules, signal }));
  }
  return found;
}

async function matchOne(group: JobGroup, { platform, rules, signal }: MatchRecentDeps): Promise<RecentMatch> {
  const finishedAt = new Date(group.updatedAt).toISOString();
  const about = { jobGroupId: group.id, finishedAt };
  const switchedOn = { ...rules.current, rules: rules.current.rules.map(withoutSwitch) };
  try {
    const { facts, gaps } = await gatherFacts(group, {}, platform, rules.needs(switchedOn), signal);
    const open = hasGaps(gaps) ? rules.undecided(rules.current, facts) : [];
    const untold = untoldWords(group.id, gaps, open);
    const { plans, held, problems, conflicts } = rules.plan(rules.current, facts, open);
    const explained = rules.explain(rules.current, facts);
    const matches = matching(explained);
    const lacksLabels = explained.filter(
      ({ matches, reasons }) =>
        !matches && reasons.every(({ field, holds }) => holds || field.startsWith("labels.")),
    );
    return {
      ...about,
      ...(facts.recipe && { recipe: facts.recipe }),
      rules: matches,
      withLabels: lacksLabels.map(({ rule }) => rule),
      switchedOff: matching(rules.explain(switchedOn, facts)).filter((rule) => !matches.includes(rule)),
      publications: plans.map(({ target, schema, table, action }) => ({
        target,
        table: `${schema}.${table}`,
        action,
      })),
      notes: [
        ...(untold ? [untold.words] : []),
        ...[...held, ...problems, ...conflicts].map(({ message }) => message),
      ],
    };
  } catch (error) {
    if (!(error instanceof PlatformError) || signal.aborted) throw error;
    return { ...about, rules: [], withLabels: [], switchedOff: [], publications: [], notes: [error.message] };
  }
}

const withoutSwitch = ({ enabled: _enabled, ...rule }: Rule): Rule => rule;

const matching = (explained: readonly { readonly rule: string; readonly matches: boolean }[]): string[] =>
  explained.filter(({ matches }) => matches).map(({ rule }) => rule);

/** Many job groups are runs of one recipe. */
function askOnce({ getRecipe, getFlow }: MatchRecentDeps["platform"]): MatchRecentDeps["platform"] {
  const once = <T>(ask: (id: number, signal?: AbortSignal) => Promise<T>) => {
    const answers = new Map<number, Promise<T>>();
    return (id: number, signal?: AbortSignal): Promise<T> => {
      const answer = answers.get(id) ?? ask(id, signal);
      answers.set(id, answer);
      return answer;
    };
  };
  return { getRecipe: once(getRecipe), getFlow: once(getFlow) };
}
