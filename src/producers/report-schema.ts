import { z } from "zod";

export const MAX_LABELS = 50;
export const MAX_LABEL_NAME_CHARS = 100;
export const MAX_LABEL_VALUE_CHARS = 1_000;

/** Of a report from a backend service, by HTTP or as a message. */
export const REPORT_EXAMPLE = { jobGroupId: 31, status: "Complete", labels: { env: "prod" } } as const;

const id = z.union([
  z.number().int().positive().max(Number.MAX_SAFE_INTEGER),
  z
    .string()
    .regex(/^[1-9]\d{0,15}$/)
    .refine((text) => Number.isSafeInteger(Number(text))),
]);
const status = z.string().max(100).nullish();

// JSON Schema's maxLength binds strings alone, as it should: other values are kept as JSON text.
const label = z.unknown().meta({ maxLength: MAX_LABEL_VALUE_CHARS });
const labelNames = { type: "string", minLength: 1, maxLength: MAX_LABEL_NAME_CHARS };

/**
 * A completion report, whoever sends it: what `parseReport` checks with, and what the OpenAPI document and
 * docs/contracts are made from. What it adds for them in `meta`, `parseReport` checks by hand.
 */
export const reportSchema = z
  .object({
    jobGroupId: id.optional().meta({ description: "The id of the job group that finished.", examples: [31] }),
    jobId: id
      .optional()
      .meta({ description: "The same by the name that Designer Cloud uses: send one of the two." }),
    status: status.meta({
      description:
        "The status that the reporter saw. A hint: the relay asks the platform before it does anything.",
      examples: ["Complete"],
    }),
    jobStatus: status.meta({ description: "The same by the name that Designer Cloud uses." }),
    labels: z
      .record(z.string(), label)
      .meta({ propertyNames: labelNames, maxProperties: MAX_LABELS })
      .nullish()
      .meta({
        description: `Names and values that rules can match on; at most ${MAX_LABELS} together with the fields beside these. Values that are no text are kept as JSON text of at most ${MAX_LABEL_VALUE_CHARS} characters; null is left out.`,
      }),
  })
  .catchall(label)
  .meta({
    description:
      "Says that a job group finished. Several reports of one job group are one completion. Every field that is not named here is a label too.",
    propertyNames: labelNames,
    anyOf: [{ required: ["jobGroupId"] }, { required: ["jobId"] }],
    examples: [REPORT_EXAMPLE],
  });
