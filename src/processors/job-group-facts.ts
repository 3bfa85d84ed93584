import { PlatformError } from "../errors.ts";
import type { RecordedTask } from "../queues/completion-record.ts";
import type { JobGroupFacts } from "../rules/model.ts";

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

/** Brings together what the rules go by; asks the platform for recipe and flow as far as the rules need them. */
export async function gatherFacts(
  group: JobGroup,
  labels: Readonly<Record<string, string>>,
  platform: Pick<FactsPlatform, "getRecipe" | "getFlow">,
  needs: Needs,
  signal: AbortSignal,
): Promise<JobGroupFacts> {
  const { recipeId } = group;
  const recipe =
    recipeId === undefined
      ? undefined
      : needs.recipe
        ? await platform.getRecipe(recipeId, signal)
        : { id: recipeId };
  const flowId = recipe && "flowId" in recipe ? recipe.flowId : undefined;
  const flow =
    flowId === undefined
      ? undefined
      : needs.flowName
        ? await platform.getFlow(flowId, signal)
        : { id: flowId };
  return {
    jobGroupId: group.id,
    finishedAt: group.updatedAt,
    labels,
    ...(group.name !== undefined && { name: group.name }),
    ...(recipe && {
      recipe: { id: recipe.id, ...("name" in recipe && recipe.name !== undefined && { name: recipe.name }) },
    }),
    ...(flow && {
      flow: { id: flow.id, ...("name" in flow && flow.name !== undefined && { name: flow.name }) },
    }),
    ...(group.flowRunId !== undefined && { flowRun: group.flowRunId }),
    ...(group.creatorId !== undefined && { creator: group.creatorId }),
    ...(group.workspaceId !== undefined && { workspace: group.workspaceId }),
    ...(group.ranFrom !== undefined && { ranFrom: group.ranFrom }),
  };
}

/** The platform does not know what was asked for (and not: it cannot answer). */
export function isUnknown(error: unknown): boolean {
  if (!(error instanceof PlatformError) || error.failure.next !== "refused") return false;
  return error.failure.status === 404 || error.failure.code === "DataNotFoundException";
}
