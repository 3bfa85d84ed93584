import { z } from "zod";
import { ROUTE_KINDS } from "./route.ts";

const ms = z.number().min(0);
/** Which requests are meant: one kind of route, or all. */
export const onSchema = z.enum([...ROUTE_KINDS, "any"]);
/** Milliseconds, or `[min, max]` to draw from. */
export const spanSchema = z.union([ms, z.tuple([ms, ms])]);

const policySchema = z.union([
  z.enum(["refuse", "accept-then-fail", "append"]),
  z.strictObject({
    policy: z.enum(["refuse", "accept-then-fail", "append"]).exactOptional(),
    status: z.int().exactOptional(),
    name: z.string().exactOptional(),
    message: z.string().exactOptional(),
  }),
]);

const tokenSchema = z.strictObject({
  token: z.string().min(1),
  /** From the moment of the setting; absent: never. */
  expiresInMs: z.number().exactOptional(),
  /** False: the token lacks the scope, a publish is answered 403. */
  mayPublish: z.boolean().exactOptional(),
});

const quotaSchema = z.strictObject({
  on: onSchema,
  limit: z.int().min(1),
  perMs: z.int().min(1),
});

/** What `POST /_control/settings` takes: any part of it. */
export const settingsSchema = z.strictObject({
  seed: z.int().exactOptional(),
  appearMs: spanSchema.exactOptional(),
  publishMs: spanSchema.exactOptional(),
  rows: z.int().min(0).exactOptional(),
  sameTarget: policySchema.exactOptional(),
  concurrent: policySchema.exactOptional(),
  showAs: z.enum(["job", "group"]).exactOptional(),
  publishRoute: z.boolean().exactOptional(),
  webhookRoute: z.boolean().exactOptional(),
  outputTables: z.enum(["real", "base", "none"]).exactOptional(),
  touchOnPublish: z.boolean().exactOptional(),
  webhookOnPublish: z.boolean().exactOptional(),
  maxLimit: z.int().min(1).nullable().exactOptional(),
  runMs: spanSchema.exactOptional(),
  tokens: z.array(tokenSchema).exactOptional(),
  quotas: z.array(quotaSchema).exactOptional(),
  /** A name or flow of null: the platform does not tell it. */
  flows: z.array(z.strictObject({ id: z.int(), name: z.string().nullable() })).exactOptional(),
  recipes: z
    .array(
      z.strictObject({
        id: z.int(),
        name: z.string().nullable(),
        flowId: z.int().nullable(),
        /** What its own outputs are written as; absent: Avro and CSV. */
        formats: z.array(z.string()).exactOptional(),
      }),
    )
    .exactOptional(),
  connections: z
    .array(
      z.strictObject({
        id: z.int(),
        name: z.string(),
        vendor: z.string().exactOptional(),
        write: z.boolean().exactOptional(),
        reachable: z.boolean().exactOptional(),
      }),
    )
    .exactOptional(),
});
export type SettingsPatch = z.infer<typeof settingsSchema>;

export interface Refusal {
  policy: "refuse" | "accept-then-fail" | "append";
  status: number;
  name: string;
  message: string;
}

type Switches = Required<
  Omit<SettingsPatch, "sameTarget" | "concurrent" | "tokens" | "flows" | "recipes" | "connections">
>;

/** How the platform behaves now; changed live by `applySettings`. */
export interface Settings extends Switches {
  /** Results of a job group that already stand in this table. */
  sameTarget: Refusal;
  /** A publish while another one of the same job group runs. */
  concurrent: Refusal;
}

/** A faithful platform at a pace that suits tests. */
export function defaultSettings(): Settings {
  return {
    seed: 1,
    appearMs: 50,
    publishMs: 300,
    rows: 100,
    sameTarget: {
      policy: "refuse",
      status: 400,
      name: "DataServiceInvalidRequest",
      message: "Results were already written to this target",
    },
    concurrent: {
      policy: "refuse",
      status: 409,
      name: "ConflictException",
      message: "Another publish of this job group is running",
    },
    showAs: "job",
    publishRoute: true,
    webhookRoute: true,
    outputTables: "real",
    touchOnPublish: false,
    webhookOnPublish: false,
    maxLimit: null,
    runMs: 500,
    quotas: [],
  };
}

/** Merges the switches of a patch; what belongs to the platform's data (tokens, recipes, ...) is not looked at here. */
export function applySettings(settings: Settings, patch: SettingsPatch): void {
  const { sameTarget, concurrent, tokens: _t, flows: _f, recipes: _r, connections: _c, ...switches } = patch;
  Object.assign(settings, switches);
  mergePolicy(settings.sameTarget, sameTarget);
  mergePolicy(settings.concurrent, concurrent);
}

function mergePolicy(refusal: Refusal, patch: SettingsPatch["sameTarget"]): void {
  if (patch === undefined) return;
  Object.assign(refusal, typeof patch === "string" ? { policy: patch } : patch);
}
