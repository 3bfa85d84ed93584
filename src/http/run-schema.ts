import { z } from "zod";

/** Longer keys and values are of no use to anybody. */
const MAX_CHARS = 1_000;
const MAX_KEY_CHARS = 200;
const MAX_PARAMETERS = 100;

/** The formats that can be asked for. */
export const RUN_FORMATS = ["avro", "csv", "json", "pqt"] as const;

const value = z.union([z.string().max(MAX_CHARS), z.number(), z.boolean()]).transform(String);

/** What names a run. */
export const runKey = z
  .string()
  .trim()
  .min(1)
  .max(MAX_KEY_CHARS)
  .regex(/^[\x20-\x7e]+$/, "must be printable ASCII");

/** What a run is asked for with. */
export const runBody = z
  .strictObject({
    recipeId: z.int().positive().meta({ description: "The recipe (on the platform: wrangledDataset)." }),
    parameters: z
      .record(z.string().min(1).max(MAX_CHARS), value)
      .refine((all) => Object.keys(all).length <= MAX_PARAMETERS, `must be at most ${MAX_PARAMETERS}`)
      .default({})
      .meta({
        description: "Values of the recipe's parameters in this run; the platform does not check them.",
      }),
    format: z.enum(RUN_FORMATS).optional().meta({
      description:
        "The results must have this format, avro for Redshift: when the recipe's last results lack it, the run writes it in place of the recipe's own outputs.",
    }),
    path: z.string().trim().min(1).max(MAX_CHARS).optional().meta({
      description:
        "Where that output is written; by default beside the recipe's last results. Goes with format.",
    }),
    idempotencyKey: runKey.optional().meta({
      description:
        "Names the run: the same key runs once. The header Idempotency-Key does the same; without both each call runs.",
    }),
  })
  .refine(({ format, path }) => path === undefined || format !== undefined, {
    error: "goes with format",
    path: ["path"],
  })
  .meta({
    id: "Run",
    examples: [{ recipeId: 27, parameters: { country: "Germany" }, idempotencyKey: "orders-2026-11-24" }],
  });

export const runStarted = z
  .looseObject({
    jobGroupId: z.int().nullable().meta({
      description:
        "null: it was started by an earlier call, and which job group it is cannot be told; it is published when a webhook or the poller reports it.",
    }),
    repeated: z
      .boolean()
      .meta({ description: "True when it was started before, and this call started nothing." }),
    idempotencyKey: z.string().meta({ description: "The key that was given, or the one that was made." }),
    detail: z.string(),
  })
  .meta({ id: "RunStarted", description: "The job group runs; once it ends it is published by the rules." });
