import { z } from "zod";
import { found, IS_MISSING, keyed, needs } from "./schema-words.ts";

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
  jobGroup: namePattern.describe("The id or name of the job group").exactOptional(),
  flow: namePattern.describe("The id or name of the flow").exactOptional(),
  recipe: namePattern.describe("The id or name of the recipe").exactOptional(),
  flowRun: idPattern.describe("The id of the run of the flow").exactOptional(),
  creator: idPattern.describe("The id of the user who ran it").exactOptional(),
  workspace: idPattern.describe("The id of the workspace").exactOptional(),
  ranFrom: namePattern.describe("How it was run: ui, schedule, api").exactOptional(),
  labels: z
    .record(z.string(), oneOrMany(label, labelWords), { error: needs("a map of label names to values") })
    .refine((labels) => Object.keys(labels).length > 0, { error: "is empty: name a label, or remove it" })
    .meta({
      minProperties: 1,
      description: "Extra fields of the report, each with the value that it must have",
    })
    .exactOptional(),
})
  .refine((when) => Object.keys(when).length > 0, {
    error: `is empty: ${CONDITION_HELP}`,
    // With nothing but an unknown key it is not empty: that key is the mistake.
    when: ({ issues }) => issues.length === 0,
  })
  .meta({ minProperties: 1, description: "All must hold; of a list, any" });

/** The conditions of a rule, each as a list. */
export const when = z.union([z.literal("all"), conditions], {
  error: ({ input }) => {
    if (input === undefined || input === null)
      return `${input === null ? "is empty" : IS_MISSING}: ${CONDITION_HELP}`;
    return `must be \`all\` or a map of conditions, not ${found(input)}`;
  },
});
