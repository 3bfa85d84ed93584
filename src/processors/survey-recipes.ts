import { PlatformError } from "../errors.ts";
import type { JobGroup } from "./job-group-facts.ts";

/** What is asked of the platform. */
export interface RecipesPlatform {
  listRecent(limit: number, signal?: AbortSignal): Promise<readonly JobGroup[]>;
  getRecipe(id: number, signal?: AbortSignal): Promise<{ id: number; name?: string; flowId?: number }>;
  getFlow(id: number, signal?: AbortSignal): Promise<{ id: number; name?: string }>;
  listOutputs(
    id: number,
    signal?: AbortSignal,
  ): Promise<{ readonly files: readonly { readonly uri: string }[] }>;
}

/** A recipe that ran of late. */
export interface SurveyedRecipe {
  readonly id: number;
  readonly name?: string;
  readonly flow?: { readonly id: number; readonly name?: string };
  /** Its newest job group. */
  readonly jobGroupId: number;
  /** Do its results have Avro, which Redshift takes? Absent: not told. */
  readonly hasAvro?: boolean;
}

/** The recipes of the last 50 job groups that are complete, the newest first, at most `max`. Changes nothing. */
export async function surveyRecipes(
  platform: RecipesPlatform,
  max: number,
  signal: AbortSignal,
): Promise<SurveyedRecipe[]> {
  const newest = new Map<number, number>();
  for (const { id, recipeId } of await platform.listRecent(50, signal))
    if (recipeId !== undefined && !newest.has(recipeId)) newest.set(recipeId, id);
  const flows = new Map<number, SurveyedRecipe["flow"]>();
  const found: SurveyedRecipe[] = [];
  for (const [id, jobGroupId] of [...newest].slice(0, max)) {
    const recipe = await told(platform.getRecipe(id, signal));
    const { flowId, name } = recipe ?? {};
    if (flowId !== undefined && !flows.has(flowId))
      flows.set(flowId, await told(platform.getFlow(flowId, signal)));
    const flow = flowId === undefined ? undefined : (flows.get(flowId) ?? { id: flowId });
    const outputs = await told(platform.listOutputs(jobGroupId, signal));
    found.push({
      id,
      jobGroupId,
      ...(name !== undefined && { name }),
      ...(flow && { flow }),
      ...(outputs && { hasAvro: outputs.files.some(({ uri }) => /\.avro$/i.test(uri)) }),
    });
  }
  return found;
}

/** What the platform does not tell is left out. */
async function told<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof PlatformError) return undefined;
    throw error;
  });
}
