import { PlatformError } from "../errors.ts";
import type { RecordedTask } from "../queues/completion-record.ts";
import type { JobGroupFacts } from "../rules/model.ts";
import { type Gap, type Gaps, noFlow, noName, noRecipe, refusedGap } from "./gaps.ts";

/** A job group as the platform describes it; times are epoch milliseconds. */
export interface JobGroup {
  readonly id: number;
  readonly status: string;
  readonly name?: string;
  readonly ranFrom?: string;
  readonly ranFor?: string;
  readonly recipeId?: number;
  readonly flowRunId?: number;
  readonly creatorId?: number;
  readonly workspaceId?: number;
  readonly updatedAt: number;
}

/** What the platform is asked before the rules can be. */
export interface FactsPlatform {
  getJobGroup(id: number, signal?: AbortSignal): Promise<JobGroup>;
  getRecipe(id: number, signal?: AbortSignal): Promise<{ id: number; name?: string; flowId?: number }>;
  getFlow(id: number, signal?: AbortSignal): Promise<{ id: number; name?: string }>;
}

/** What the rules ask beyond the job group itself. */
export interface Needs {
  readonly recipe: boolean;
  readonly flowName: boolean;
}

/** May the results of a job group be published? `words` say why not, or why not yet. */
export type Standing =
  | { readonly kind: "finished" }
  | { readonly kind: "skip" | "not-yet"; readonly words: string };

/** Only a run of a recipe that is Complete has results; one that has not ended is looked at again. */
export function standingOf({ id, status, ranFor }: JobGroup): Standing {
  switch (status) {
    case "Complete":
      break;
    case "Failed":
    case "Canceled":
      return { kind: "skip", words: `job group ${id} ${status.toLowerCase()} on the platform` };
    default:
      return { kind: "not-yet", words: `Job group ${id} is "${status}"` };
  }
  if (ranFor !== undefined && ranFor !== "recipe") {
    return { kind: "skip", words: `job group ${id} ran for "${ranFor}", not for a recipe` };
  }
  return { kind: "finished" };
}

/** The job group as its first tasks found it: its last change is its end only until a publish touches it. */
export function asFirstSeen(group: JobGroup, planned: readonly RecordedTask[]): JobGroup {
  return { ...group, updatedAt: Math.min(group.updatedAt, ...planned.map(({ plan }) => plan.finishedAt)) };
}

/** What the rules go by, and what the platform did not tell of it. */
export interface Gathered {
  readonly facts: JobGroupFacts;
  /** A rule that does not need it does not mind: see `untoldWords`. */
  readonly gaps: Gaps;
}

/**
 * Brings together what the rules go by; asks the platform for recipe and flow as far as the rules need them.
 *
 * What it refuses for good, or answers without a name, is a gap. Rejects when it cannot answer now.
 */
export async function gatherFacts(
  group: JobGroup,
  labels: Readonly<Record<string, string>>,
  platform: Pick<FactsPlatform, "getRecipe" | "getFlow">,
  needs: Needs,
  signal: AbortSignal,
): Promise<Gathered> {
  const recipe = await askRecipe(group, platform, needs, signal);
  const flow = await askFlow(recipe, platform, needs, signal);
  const facts: JobGroupFacts = {
    jobGroupId: group.id,
    finishedAt: group.updatedAt,
    labels,
    ...(group.name !== undefined && { name: group.name }),
    ...(recipe.found && { recipe: named(recipe.found) }),
    ...(flow.found && { flow: named(flow.found) }),
    ...(group.flowRunId !== undefined && { flowRun: group.flowRunId }),
    ...(group.creatorId !== undefined && { creator: group.creatorId }),
    ...(group.workspaceId !== undefined && { workspace: group.workspaceId }),
    ...(group.ranFrom !== undefined && { ranFrom: group.ranFrom }),
  };
  return { facts, gaps: { ...(recipe.gap && { recipe: recipe.gap }), ...(flow.gap && { flow: flow.gap }) } };
}

interface Named {
  readonly id: number;
  readonly name?: string;
}
interface Asked<T extends Named> {
  readonly found?: T;
  readonly gap?: Gap;
  /** The platform gave no answer to go on from. */
  readonly refused?: true;
}
type AskedRecipe = Asked<Named & { readonly flowId?: number }>;

async function askRecipe(
  { id, recipeId }: JobGroup,
  platform: Pick<FactsPlatform, "getRecipe">,
  needs: Needs,
  signal: AbortSignal,
): Promise<AskedRecipe> {
  if (recipeId === undefined) return { gap: noRecipe(id), refused: true };
  if (!needs.recipe) return { found: { id: recipeId } };
  return askNamed("recipe", recipeId, () => platform.getRecipe(recipeId, signal));
}

async function askFlow(
  recipe: AskedRecipe,
  platform: Pick<FactsPlatform, "getFlow">,
  needs: Needs,
  signal: AbortSignal,
): Promise<Asked<Named>> {
  if (recipe.refused && recipe.gap) return { gap: recipe.gap };
  if (!recipe.found || !needs.recipe) return {};
  const { id, flowId } = recipe.found;
  if (flowId === undefined) return { gap: noFlow(id) };
  if (!needs.flowName) return { found: { id: flowId } };
  return askNamed("flow", flowId, () => platform.getFlow(flowId, signal));
}

async function askNamed<T extends Named>(
  kind: "recipe" | "flow",
  id: number,
  ask: () => Promise<T>,
): Promise<Asked<T | Named>> {
  try {
    const found = await ask();
    return found.name === undefined ? { found, gap: noName(kind, id) } : { found };
  } catch (error) {
    if (!(error instanceof PlatformError) || error.failure.next !== "refused") throw error;
    return { found: { id }, gap: refusedGap(kind, id, error, isUnknown(error)), refused: true };
  }
}

const named = ({ id, name }: Named): Named => ({ id, ...(name !== undefined && { name }) });

/** The platform does not know what was asked for (and not: it cannot answer). */
export function isUnknown(error: unknown): boolean {
  if (!(error instanceof PlatformError) || error.failure.next !== "refused") return false;
  return error.failure.status === 404 || error.failure.code === "DataNotFoundException";
}
