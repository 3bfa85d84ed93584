import { z } from "zod";
import { taskStateSchema } from "../queues/record.ts";
import { provenance } from "./api-schemas.ts";

// Loose, as all answers: they may gain fields.

const named = z.looseObject({ id: z.int(), name: z.string().optional() });
const clause = {
  field: z.string().meta({ examples: ["recipe", "labels.env"] }),
  wanted: z.string().meta({ description: "What the rule asks for.", examples: ['27 or "orders*"'] }),
  found: z.string().meta({ description: "What the job group has.", examples: ['12 "customers"'] }),
};

const rule = z
  .looseObject({
    name: z.string(),
    matches: z
      .union([z.boolean(), z.literal("unknown")])
      .meta({ description: "unknown: it depends on what only the platform can tell." }),
    failed: z.looseObject(clause).optional().meta({ description: "The first condition that does not hold." }),
    reasons: z.array(z.looseObject({ ...clause, holds: z.boolean() })),
  })
  .meta({ id: "ExplainedRule" });

const publishBody = z
  .looseObject({
    connection: z.looseObject({ id: z.int() }),
    path: z.array(z.string()),
    table: z.string(),
    action: z.string(),
    inputFormat: z.string(),
    flowNodeId: z.int().optional(),
  })
  .meta({ id: "PublishBody", description: "The body of the platform's publish request." });

const task = z
  .looseObject({
    id: z.string(),
    rule: z.string(),
    rulesVersion: z.string(),
    target: z.string(),
    schema: z.string(),
    table: z.string(),
    action: z.string(),
    state: z.union([z.literal(["new", "held back", "not planned"]), taskStateSchema]).meta({
      description:
        "new: the next dispatch makes it. held back: a rule earlier in the file, which cannot be judged yet, may publish into its table. not planned: nothing of the job group is published. Else how it stands in the record. `words` say why.",
    }),
    inRules: z.boolean().meta({ description: "Would the rules make it today?" }),
    reports: provenance.optional(),
    words: z
      .string()
      .optional()
      .meta({ description: "The last that is to be said of it; why it is not made." }),
    request: z
      .looseObject({
        method: z.literal("PUT"),
        path: z.string(),
        body: publishBody,
        exact: z.boolean().meta({
          description: "False: what the platform did not tell (recipe, date of the end) may change it.",
        }),
      })
      .meta({ description: "What is sent to the platform, or was, or would be if the task were made." }),
  })
  .meta({ id: "ExplainedTask" });

const count = z.int().nonnegative();

const target = z
  .looseObject({
    name: z.string(),
    inRules: z.boolean().meta({ description: "Is it in the rules of the process that answers?" }),
    limits: z.enum(["in force", "not in force yet", "not known"]).meta({
      description:
        "Where connection, pace and concurrency come from: the fleet goes by them; they stand in the rules file of the process that answers alone; nobody knows them.",
    }),
    limitsWords: z.string().meta({ description: "Whose they are." }),
    connection: z.int().optional().meta({ description: "Absent: not known." }),
    pace: z
      .looseObject({
        max: z.int(),
        perMs: z.number(),
        burst: z.boolean(),
        nextStartInMs: z.number().meta({ description: "When the next start is due; 0: now." }),
      })
      .nullable()
      .meta({ description: "null: no rate limit; with limits that are not known: not known." }),
    concurrency: z.int().nullable().meta({ description: "null: not known." }),
    paused: z.boolean(),
    breaker: z.looseObject({ open: z.boolean(), failures: count, openMs: z.number(), words: z.string() }),
    queue: z.looseObject({ waiting: count, delayed: count, active: count, running: count }),
  })
  .meta({ id: "TargetStanding", description: "How a target and its queue stand." });

export const explanation = z
  .looseObject({
    jobGroupId: z.int(),
    detail: z.string().meta({ description: "What comes of the job group, in a sentence or two." }),
    rulesVersion: z.string().nullable().meta({ description: "null: this process has no rules." }),
    fleet: z
      .looseObject({
        rulesVersion: z.string().nullable().meta({ description: "null: the fleet never had any rules." }),
        same: z.boolean().meta({ description: "Are they the rules that were asked?" }),
        words: z.string(),
      })
      .meta({ description: "The newest rules of the fleet, beside those that were asked." }),
    platform: z.looseObject({
      answered: z.boolean().meta({ description: "Did the platform answer all that was asked?" }),
      known: z.boolean().meta({ description: "Did it describe the job group?" }),
      words: z.string(),
    }),
    gate: z.looseObject({ shutMs: z.number(), words: z.string(), since: z.iso.datetime().optional() }).meta({
      description:
        "While it is shut nothing is published; 0: it is open, or tried just now. `since` stays until a call is answered.",
    }),
    facts: z
      .looseObject({
        jobGroupId: z.int(),
        name: z.string().optional(),
        finishedAt: z.iso.datetime().optional(),
        flow: named.optional(),
        recipe: named.optional(),
        flowRun: z.int().optional(),
        creator: z.int().optional(),
        workspace: z.int().optional(),
        ranFrom: z.string().optional(),
        labels: z.record(z.string(), z.string()),
      })
      .meta({ description: "What the rules were asked about, as far as it is known." }),
    rules: z.array(rule).meta({ description: "In the order of the rules file." }),
    tasks: z
      .array(task)
      .meta({ description: "What the rules make of the job group, and what its record holds beside." }),
    targets: z.array(target),
    notes: z.array(z.string()).meta({ description: "Publications that cannot be made, and why." }),
    record: z
      .looseObject({
        outcome: z.string(),
        words: z.string().optional(),
        reportCount: z.int(),
        summary: z.string(),
      })
      .nullable()
      .meta({ description: "null: nobody reported the job group." }),
  })
  .meta({
    id: "Explanation",
    description: "Which rules match and why, what is sent, and how the targets stand.",
  });
