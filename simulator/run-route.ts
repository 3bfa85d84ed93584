import { z } from "zod";
import { type Answer, exception, notFound } from "./answer.ts";
import type { World } from "./world.ts";

const bodySchema = z.looseObject({ wrangledDataset: z.looseObject({ id: z.int() }) });

/** `POST /v4/jobGroups`: runs a recipe once per `x-execution-id`; the job group ends after `runMs`. */
export function runRoute(body: unknown, executionId: string | string[] | undefined, world: World): Answer {
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) {
    return exception(400, "ApiValidationFailed", "The request is not valid", z.prettifyError(parsed.error));
  }
  const recipeId = parsed.data.wrangledDataset.id;
  const { platform, settings } = world;
  if (!platform.recipes.has(recipeId)) return notFound("wrangledDataset", recipeId);
  if (typeof executionId === "string") {
    if (platform.executions.has(executionId)) return { status: 304, body: undefined };
    platform.executions.add(executionId);
  }
  const finishInMs = world.dice().span(settings.runMs, `run-recipe/${platform.jobGroups.size}`);
  const group = world.createJobGroup({ recipeId, ranfrom: "api", finishInMs });
  const ids = group.jobs.map((job) => job.id);
  return {
    status: 201,
    body: {
      sessionId: crypto.randomUUID(),
      reason: "JobStarted",
      jobGraph: { vertices: ids, edges: [{ source: ids[0], target: ids[1] }] },
      id: group.id,
      jobs: { data: ids.map((id) => ({ id })) },
    },
  };
}
