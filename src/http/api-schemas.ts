import { z } from "zod";
import { MAX_BATCH } from "../producers/accept-batch.ts";
import { reportSchema } from "../producers/report-schema.ts";
import { WAIT_CAUSES } from "../queues/waits.ts";
import { taskStateSchema } from "../queues/record.ts";

// Answers are loose: they may gain fields, and whoever reads them passes over what it does not know.

const time = z.iso.datetime();
const labels = z.record(z.string(), z.string());

export const report = reportSchema.meta({ id: "Report" });
export const batch = z
  .array(report)
  .min(1)
  .max(MAX_BATCH)
  .meta({ id: "Batch", description: `1 to ${MAX_BATCH} reports.` });

const completion = z.string().meta({ description: "The completion's id.", examples: ["jobgroup-31"] });
const duplicate = z.boolean().meta({ description: "True when this report brought nothing new." });

export const accepted = z.looseObject({ completion, duplicate }).meta({
  id: "Accepted",
  description: "The report is stored durably.",
  examples: [{ completion: "jobgroup-31", duplicate: false }],
});

const understood = z.looseObject({
  status: z.string().nullable(),
  labels: z.record(z.string(), z.string()),
});

export const tested = z
  .looseObject({ test: z.literal(true), detail: z.string(), understood })
  .meta({ id: "Tested", description: 'A test delivery: "$jobId" stands where the id should.' });

const batchResult = z
  .discriminatedUnion("status", [
    z.looseObject({ status: z.literal(202), completion, duplicate }),
    z.looseObject({
      status: z.literal(200),
      test: z.literal(true),
      detail: z.string(),
      understood,
    }),
    z.looseObject({ status: z.literal([400, 503]), detail: z.string() }),
  ])
  .meta({
    id: "BatchResult",
    description: "What the report would have been answered alone; one with 503 is safe to send again.",
  });

const results = z.array(batchResult);

export const batchAnswer = z.looseObject({ results }).meta({
  id: "BatchAnswer",
  description: "One result for each report, in their order.",
  examples: [
    {
      results: [
        { status: 202, completion: "jobgroup-31", duplicate: false },
        { status: 400, detail: '"jobGroupId" is missing: send the job group\'s id.' },
      ],
    },
  ],
});

export const problem = z
  .looseObject({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: "What to change." }),
    requestId: z.string().optional().meta({ description: "Names the request in the relay's log." }),
    idempotencyKey: z.string().optional().meta({ description: "Of a run: ask again with it." }),
    mayRun: z
      .boolean()
      .optional()
      .meta({ description: "Of a run: true when it may have been started all the same." }),
    results: results.optional().meta({ description: "With the 503 of a batch: one for each report." }),
  })
  .meta({ id: "Problem", description: "RFC 9457 problem details." });

export const provenance = z
  .looseObject({
    count: z.int(),
    listed: z.array(z.looseObject({ at: time, source: z.string(), delivery: z.string().optional() })),
  })
  .meta({
    id: "Provenance",
    description: "The reports that stood when the task was planned: the first and the newest of them.",
  });

const task = z
  .looseObject({
    id: z.string().meta({ examples: ["jobgroup-31-2-public-orders"] }),
    target: z.string(),
    schema: z.string(),
    table: z.string(),
    action: z.string(),
    rule: z.string(),
    rulesVersion: z.string(),
    reports: provenance.optional(),
    state: taskStateSchema,
    attempts: z.int().meta({ description: "Attempts used up." }),
    words: z.string().optional().meta({ description: "The last that is to be said of the task." }),
    publishJobId: z.int().optional(),
    requestId: z.string().optional().meta({ description: "The platform's id of the last publish request." }),
    finishedAt: time.meta({ description: "When the job group finished on the platform." }),
    submittingAt: time.optional(),
    submittedAt: time.optional(),
    endedAt: time.optional(),
    waited: z.partialRecord(z.enum(WAIT_CAUSES), z.int()).meta({
      description: "Milliseconds by cause, of the waits that are over.",
      examples: [{ pace: 12_000 }],
    }),
    waits: z
      .looseObject({ cause: z.enum(WAIT_CAUSES), since: time, heldSince: time.optional(), words: z.string() })
      .optional()
      .meta({ description: "Why it waits at this moment." }),
    steps: z
      .array(z.string())
      .meta({ description: "What its runs told, each line with its time; kept as long as its job." }),
    evidence: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: "Of a parked task: what was sent and what the platform lists." }),
    decisions: z
      .array(
        z.looseObject({
          outcome: z.string(),
          by: z.string(),
          reason: z.string(),
          key: z.string().optional().meta({ description: "What a replay by force was named with." }),
          at: z.int().meta({ description: "Epoch milliseconds." }),
        }),
      )
      .optional(),
  })
  .meta({ id: "Task", description: "One publish of the job group into one table." });

const auditEntry = z
  .looseObject({
    id: z.string(),
    at: time,
    who: z.string().meta({ description: "The person's name, or what is known in its place." }),
    role: z.enum(["operator", "viewer", "api", "command line"]),
    from: z.string().meta({ description: "The address that was asked from." }),
    action: z.string().meta({ examples: ["pause", "resolve: again"] }),
    outcome: z.enum(["asked", "done", "refused", "failed"]),
    follows: z.string().optional().meta({ description: "The entry that it tells the end of." }),
    queue: z.string().optional(),
    taskId: z.string().optional(),
    jobGroupId: z.int().optional(),
    target: z.string().optional(),
    reason: z.string().optional(),
    detail: z.string().optional(),
    requestId: z.string().optional(),
  })
  .meta({ id: "AuditEntry", description: "What somebody asked for, or how that went." });

export const auditPage = z
  .looseObject({
    entries: z.array(auditEntry),
    next: z.string().optional().meta({ description: "The `before` of the next page; absent on the last." }),
  })
  .meta({ id: "AuditPage", description: "What operators did, newest first." });

export const story = z
  .looseObject({
    jobGroupId: z.int(),
    completion: z
      .looseObject({
        outcome: z
          .enum(["open", "dispatched", "no-rule", "skipped", "unknown", "failed"])
          .meta({ description: "How its dispatch ended; open while it has not." }),
        words: z.string().optional(),
        waits: z
          .string()
          .optional()
          .meta({ description: "While it is open: the gate that is shut, or what dispatch said last." }),
        labels,
        source: z.string().meta({ description: "The way in of the first report." }),
        reportedAt: time.optional(),
        reportCount: z.int(),
        reports: z
          .array(
            z.looseObject({
              at: time,
              source: z.string(),
              labels,
              status: z.string().optional(),
              delivery: z.string().optional(),
            }),
          )
          .meta({ description: "The first report and the newest of the others." }),
      })
      .optional(),
    summary: z.string().meta({
      description:
        "How many are published of those that were made; and what was not made and why: which rule won a table, a name that cannot be, a rule that cannot be judged.",
      examples: ["published 2 of 3, 1 parked"],
    }),
    tasks: z.array(task),
    audit: z
      .array(auditEntry)
      .meta({ description: "What operators did about the job group: the newest 100, in their order." }),
  })
  .meta({ id: "Story", description: "How a job group and each of its publish tasks stand." });

export const resolved = z
  .looseObject({ id: z.string(), state: taskStateSchema, words: z.string() })
  .meta({ id: "Resolved", description: "The task as the decision left it." });
