import { z } from "zod";
import { formatDuration, parseDuration } from "./duration.ts";
import type { Action } from "./model.ts";
import { found, keyed, needs } from "./schema-words.ts";
import { templateProblems } from "./name-template.ts";

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

const wholeNumber = (min: number, max: number) => {
  const error = needs(
    max === Number.MAX_SAFE_INTEGER
      ? `a whole number, ${min} or more`
      : `a whole number from ${min} to ${max}`,
  );
  return z.int({ error }).min(min, { error }).max(max, { error });
};

const text = (wanted: string) => z.string({ error: needs(wanted) }).min(1, { error: needs(wanted) });

const flag = z.boolean({ error: needs("true or false") });

const duration = (minMs: number, maxMs: number, or = "") =>
  z.unknown().transform((value, context) => {
    const ms = typeof value === "string" ? parseDuration(value) : undefined;
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    const unit = typeof value === "number" ? `. A number needs a unit: ${value}s, ${value}m, ...` : "";
    const wanted = `a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 500ms 20s 1m 2h 90d${or}`;
    context.addIssue({ code: "custom", message: needs(wanted)({ input: value }) + unit });
    return z.NEVER;
  });

const nameTemplate = (wanted: string) =>
  text(wanted).superRefine((template, context) => {
    for (const problem of templateProblems(template))
      context.addIssue({ code: "custom", message: `${found(template)} ${problem}` });
  });

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
  attempts: wholeNumber(1, 100).exactOptional(),
  backoff: backoff.exactOptional(),
  deadline: duration(SECOND_MS, 31 * DAY_MS).exactOptional(),
  settleAfter: z.union([z.literal("never"), duration(SECOND_MS, DAY_MS, ", or never")]).exactOptional(),
  priority: wholeNumber(1, 1000).exactOptional(),
  stale: z.enum(["supersede", "publish"]).exactOptional(),
};

const defaults = keyed(settings);

const target = keyed({
  description: text("a text").exactOptional(),
  connection: wholeNumber(1, Number.MAX_SAFE_INTEGER),
  schema: schemaName,
  rateLimit: keyed({
    max: wholeNumber(1, 1_000_000),
    per: duration(100, 31 * DAY_MS),
    burst: flag.default(false),
  })
    .transform(({ max, per, burst }) => ({ max, perMs: per, burst }))
    .exactOptional(),
  concurrency: wholeNumber(1, 1000).default(4),
  defaults: defaults.exactOptional(),
});

const oneOrMany = <Item extends z.ZodType>(item: Item, wanted: string) => {
  const error = needs(wanted);
  return z
    .union(
      [
        item,
        z.array(item, { error }).min(1, { error: `is an empty list, which matches nothing: ${wanted}` }),
      ],
      { error },
    )
    .transform((value) => (Array.isArray(value) ? value : [value]) as z.output<Item>[]);
};

const nameWords = "an id, a name with * and ?, or a list of them";
const name = z.union([z.int(), z.string().min(1).max(500)], { error: needs(nameWords) });
const namePattern = oneOrMany(name, nameWords);

const idWords = "an id (a whole number), or a list of them";
const id = z.union(
  [
    z.int(),
    z
      .string()
      .regex(/^\d{1,15}$/)
      .transform(Number),
  ],
  { error: needs(idWords) },
);
const idPattern = oneOrMany(id, idWords);

const labelWords = "a value with * and ?, or a list of them";
const label = z.union([z.int(), z.string().max(500), z.boolean().transform(String)], {
  error: needs(labelWords),
});

const CONDITION_HELP = "say `when: all` to take every completion, or give conditions such as `recipe: 27`";
const conditions = keyed({
  jobGroup: namePattern.exactOptional(),
  flow: namePattern.exactOptional(),
  recipe: namePattern.exactOptional(),
  flowRun: idPattern.exactOptional(),
  creator: idPattern.exactOptional(),
  workspace: idPattern.exactOptional(),
  ranFrom: namePattern.exactOptional(),
  labels: z
    .record(z.string(), oneOrMany(label, labelWords), { error: needs("a map of label names to values") })
    .refine((labels) => Object.keys(labels).length > 0, { error: "is empty: name a label, or remove it" })
    .exactOptional(),
}).refine((when) => Object.keys(when).length > 0, { error: `is empty: ${CONDITION_HELP}` });

const when = z.union([z.literal("all"), conditions], {
  error: ({ input }) => {
    if (input === undefined || input === null)
      return `is ${input === null ? "empty" : "missing"}: ${CONDITION_HELP}`;
    return `must be \`all\` or a map of conditions, not ${found(input)}`;
  },
});

const publication = keyed({
  target: text("the name of one of the `targets`"),
  schema: schemaName.exactOptional(),
  table: nameTemplate("the name of a table"),
  action: z.enum(ACTIONS),
  format: z.enum(FORMATS).default("avro"),
  ...settings,
});

const rule = keyed({
  name: text("a name of its own").max(100, { error: "is longer than 100 characters" }),
  enabled: flag.exactOptional(),
  when,
  publish: z
    .array(publication, { error: needs("a list of publications (`- target: ...`)") })
    .min(1, { error: "is empty: name at least one target and table" }),
});

/** The rules file as it is written; references between its parts are checked beside it. */
export const rulesFile = keyed({
  version: z.literal(1, { error: needs("1, the version of the rules file") }),
  serializeJobGroups: flag.default(true),
  defaults: defaults.exactOptional(),
  targets: z.record(z.string(), target, { error: needs("a map of target names to targets") }),
  rules: z.array(rule, { error: needs("a list of rules (`- name: ...`)") }),
});

export type Settings = z.output<typeof defaults>;
export type RulesFile = z.output<typeof rulesFile>;
