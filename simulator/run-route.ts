import { z } from "zod";
import { type Answer, exception, notFound } from "./answer.ts";
import type { NewJobGroup, World } from "./world.ts";

const bodySchema = z.looseObject({
  wrangledDataset: z.looseObject({ id: z.int() }),
  overrides: z.looseObject({ writesettings: z.array(z.unknown()).optional() }).optional(),
  runParameters: z
    .looseObject({
      overrides: z.looseObject({ data: z.array(z.looseObject({ key: z.string(), value: z.unknown() })) }),
    })
    .optional(),
});

/** Of what a run writes in place of the recipe's own outputs. */
const writeSetting = z.looseObject({
  path: z.string().min(1),
  action: z.string(),
  format: z.enum(["avro", "csv", "json", "pqt", "hyper"]),
});

/** `POST /v4/jobGroups`: runs a recipe once per `x-execution-id`; the job group ends after `runMs`. */
export function runRoute(body: unknown, executionId: string | string[] | undefined, world: World): Answer {
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) {
    return exception(400, "ApiValidationFailed", "The request is not valid", z.prettifyError(parsed.error));
  }
  const recipeId = parsed.data.wrangledDataset.id;
  const { platform, settings } = world;
  const recipe = platform.recipes.get(recipeId);
  if (!recipe) return notFound("wrangledDataset", recipeId);
  if (typeof executionId === "string") {
    if (platform.executions.has(executionId)) return { status: 304, body: undefined };
    platform.executions.add(executionId);
  }
  const finishInMs = world.dice().span(settings.runMs, `run-recipe/${platform.jobGroups.size}`);
  const group = world.createJobGroup({
    recipeId,
    ranfrom: "api",
    finishInMs,
    ...(recipe.formats && { formats: recipe.formats }),
    ...outputsOf(parsed.data.overrides?.writesettings),
  });
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

/** Overrides are not validated: a wrong one fails the job later. */
function outputsOf(overrides: readonly unknown[] | undefined): Pick<NewJobGroup, "formats" | "finishAs"> {
  if (overrides === undefined || overrides.length === 0) return {};
  const settings = overrides.map((one) => writeSetting.safeParse(one));
  const formats = settings.flatMap(({ data }) => (data ? [data.format] : []));
  return { formats, ...(settings.some(({ success }) => !success) && { finishAs: "Failed" as const }) };
}
