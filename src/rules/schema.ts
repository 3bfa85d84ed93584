import { z } from "zod";
import type { Action } from "./model.ts";
import { duration, flag, nameTemplate, text, wholeNumber } from "./schema-values.ts";
import { when } from "./schema-when.ts";
import { TARGET_NAME } from "./target-name.ts";
import { keyed, needs } from "./schema-words.ts";

const ACTIONS = [
  "create",
  "load",
  "createAndLoad",
  "truncateAndLoad",
  "dropAndLoad",
  "upsert",
] as const satisfies readonly Action[];
/** `inputFormat` of the publish call. */
const FORMATS = ["avro", "pqt", "csv", "json", "hyper"] as const;

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;
/** Where a backoff that names only its first delay stops doubling. */
const DEFAULT_BACKOFF_CAP_MS = 600_000;

const schemaName = nameTemplate("the name of a Redshift schema");

const delay = duration(100, 7 * DAY_MS);
const backoff = z
  .union([keyed({ first: delay, max: delay }), delay])
  .transform((value) =>
    typeof value === "number"
      ? { floorMs: value, capMs: Math.max(value, DEFAULT_BACKOFF_CAP_MS) }
      : { floorMs: value.first, capMs: value.max },
  )
  .refine(({ floorMs, capMs }) => floorMs <= capMs, { error: "has a `first` that is longer than its `max`" });

/** What a publication, a target and the file itself can say; publication-settings.ts has who wins, and the values when nobody does. */
const settings = {
  attempts: wholeNumber(1, 100).describe("How often a publish is tried; 8").exactOptional(),
  backoff: backoff
    .describe(
      "Between attempts, doubling: the first delay, or first and max; first at most max; 100ms to 7d, 5s and 10m",
    )
    .exactOptional(),
  deadline: duration(SECOND_MS, 31 * DAY_MS)
    .describe("Of time in which the platform answers; then the task is parked; 1s to 31d, 6h")
    .exactOptional(),
  settleAfter: z
    .union([z.literal("never"), duration(SECOND_MS, DAY_MS, ", or never")])
    .describe(
      "How long a publish that may have been sent can still show; never parks it at once; 1s to 1d, 2m for load, create and createAndLoad, else 15s",
    )
    .exactOptional(),
  priority: wholeNumber(1, 1000).describe("1 comes first; 1000").exactOptional(),
  stale: z
    .enum(["supersede", "publish"])
    .describe("What a replacing publish does when a newer job group was published to the table; supersede")
    .exactOptional(),
};

const defaults = keyed(settings).describe(
  "For every publication that does not say its own; a target's win over the file's",
);

const target = keyed({
  description: text("a text").describe("Shown on the board").exactOptional(),
  connection: wholeNumber(1, Number.MAX_SAFE_INTEGER).describe("The id of a Designer Cloud connection"),
  schema: schemaName.describe("The schema of publications that name none; placeholders as in table"),
  rateLimit: keyed({
    max: wholeNumber(1, 1_000_000),
    per: duration(100, 31 * DAY_MS),
    burst: flag.default(false),
  })
    .transform(({ max, per, burst }) => ({ max, perMs: per, burst }))
    .describe("Publishes started: an even pace, or with burst up to max at once; none")
    .exactOptional(),
  concurrency: wholeNumber(1, 1000).describe("Publishes running at once, over all processes; 4").default(4),
  freshness: duration(SECOND_MS, 31 * DAY_MS)
    .describe("The goal: published so soon after its job group finished; a miss is notified; 1s to 31d, none")
    .exactOptional(),
  defaults: defaults.exactOptional(),
});

const publication = keyed({
  target: text("the name of one of the `targets`").describe("The name of one of the targets"),
  schema: schemaName.describe("In place of the target's schema; placeholders as in table").exactOptional(),
  table: nameTemplate("the name of a table").describe(
    "May hold {jobGroupId} {date} {date:YYYY_MM} {recipe} {flow} {labels.env}",
  ),
  action: z
    .enum(ACTIONS)
    .describe("truncateAndLoad, dropAndLoad and upsert may safely be repeated; load appends"),
  format: z.enum(FORMATS).default("avro"),
  ...settings,
});

const rule = keyed({
  name: text("a name of its own").max(100, { error: "is longer than 100 characters" }),
  enabled: flag.describe("false switches the rule off; true").exactOptional(),
  when,
  publish: z
    .array(publication, { error: needs("a list of publications (`- target: ...`)") })
    .min(1, { error: "is empty: name at least one target and table" }),
});

/** The rules file as it is written; references between its parts are checked beside it. */
export const rulesFile = keyed({
  version: z.literal(1, { error: needs("1, the version of the rules file") }),
  serializeJobGroups: flag.describe("One publish of a job group at a time; true").default(true),
  defaults: defaults.exactOptional(),
  targets: z.record(z.string().meta({ pattern: TARGET_NAME.source }), target, {
    error: needs("a map of target names to targets"),
  }),
  rules: z.array(rule, { error: needs("a list of rules (`- name: ...`)") }),
});

export type Settings = z.output<typeof defaults>;
export type RulesFile = z.output<typeof rulesFile>;
