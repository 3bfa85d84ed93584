import { z } from "zod";
import { NO_REASON, saysSomething } from "../producers/reason.ts";
import { moment } from "../producers/moment.ts";
import { runKey } from "./run-schema.ts";

/** A call may have so many job groups. */
export const MAX_REPLAYED = 1_000;

const id = z.int().positive();
const name = z.string().trim().min(1).max(200);
const when = z.string().refine((text) => moment.safeParse(text).success, {
  error: "must be a time with its zone like 2026-11-24T08:00:00Z, or a duration back like 2h",
});

/** What a replay is asked for with. */
export const replayBody = z
  .strictObject({
    jobGroupIds: z
      .array(id)
      .min(1)
      .max(MAX_REPLAYED)
      .optional()
      .meta({ description: "Either these, or since." }),
    since: when.optional().meta({
      description:
        "Job groups that finished on the platform from then on: a time with its zone, or a duration back.",
    }),
    until: when.optional().meta({ description: "With since: and up to then; default now." }),
    rule: name.optional().meta({ description: "Only tasks that this rule makes." }),
    target: name.optional().meta({ description: "Only tasks for this target." }),
    failed: z.boolean().default(false).meta({ description: "Only tasks that failed." }),
    force: z
      .boolean()
      .default(false)
      .meta({ description: "Send again what is published; load, create and createAndLoad need a reason." }),
    reason: z
      .string()
      .trim()
      .min(1, { error: NO_REASON, abort: true })
      .max(1_000)
      .refine(saysSomething, NO_REASON)
      .optional()
      .meta({ description: "Kept with each task." }),
    dryRun: z.boolean().default(true).meta({ description: "false does it." }),
    idempotencyKey: runKey.optional().meta({
      description:
        "Names a replay by force: the same key sends no task twice by force. The header Idempotency-Key does the same; without both, the reason is its name. Without force it has no meaning, for nothing is sent twice.",
    }),
    by: z.string().trim().min(1).max(100).optional().meta({ description: "Who asks." }),
  })
  .refine(({ jobGroupIds, since }) => (jobGroupIds === undefined) !== (since === undefined), {
    error: "say jobGroupIds or since, one of them",
  })
  .refine(({ since, until }) => until === undefined || since !== undefined, {
    error: "until goes with since",
    path: ["until"],
  })
  .meta({ id: "Replay", examples: [{ since: "2h", target: "sales", failed: true }] });

const line = z
  .looseObject({
    jobGroupId: z.int(),
    state: z
      .enum([
        "new",
        "failed",
        "published",
        "running",
        "waiting",
        "parked",
        "superseded",
        "refused",
        "unknown",
        "no-rule",
        "note",
      ])
      .meta({
        description:
          "How the task, or without one the job group, stands; unknown: the platform did not tell just now, ask again later.",
      }),
    does: z.enum(["publish", "note as published", "nothing"]).meta({
      description: "note as published: its results are in the table, and no publish request is sent.",
    }),
    words: z.string(),
    task: z
      .looseObject({
        id: z.string(),
        rule: z.string(),
        target: z.string(),
        schema: z.string(),
        table: z.string(),
        action: z.string(),
      })
      .optional(),
    done: z.boolean().optional().meta({ description: "Absent in a dry run." }),
  })
  .meta({ id: "ReplayLine" });

export const replayed = z
  .looseObject({ dryRun: z.boolean(), summary: z.string(), lines: z.array(line) })
  .meta({
    id: "Replayed",
    description: "What a replay would do or did, the job groups that finished first first.",
  });
