import { z } from "zod";
import type { PublishPlan } from "../rules/model.ts";

const planSchema = z.looseObject({
  v: z.literal(1),
  jobGroupId: z.number().int().positive(),
  finishedAt: z.number(),
  flowNodeId: z.number().optional(),
  rule: z.string(),
  rulesVersion: z.string(),
  target: z.string(),
  connection: z.number(),
  schema: z.string(),
  table: z.string(),
  action: z.enum(["create", "load", "createAndLoad", "truncateAndLoad", "dropAndLoad", "upsert"]),
  format: z.string(),
  attempts: z.number(),
  backoff: z.object({ floorMs: z.number(), capMs: z.number() }),
  deadlineMs: z.number(),
  settleAfterMs: z.union([z.number(), z.literal("never")]),
  priority: z.number(),
  stale: z.enum(["supersede", "publish"]),
  serialize: z.boolean(),
  // For people alone: whatever it holds, the task is published.
  reports: z
    .object({
      count: z.number(),
      listed: z.array(z.object({ at: z.string(), source: z.string(), delivery: z.string().exactOptional() })),
    })
    .optional()
    .catch(undefined),
});

/** Reads a publish task's data; anyone can edit it on the board, so it is checked each time. Throws a ZodError. */
export function parsePlan(data: unknown): PublishPlan {
  const { flowNodeId, reports, ...plan } = planSchema.parse(data);
  return { ...plan, ...(flowNodeId !== undefined && { flowNodeId }), ...(reports && { reports }) };
}
