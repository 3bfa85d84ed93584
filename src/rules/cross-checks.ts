import { z } from "zod";
import type { RulesProblem } from "./rules-error.ts";
import { didYouMean } from "./suggest.ts";
import { foldTemplate } from "./name-template.ts";
import { TARGET_NAME } from "./target-name.ts";
import type { Path, YamlSource } from "./yaml-source.ts";

// The outline of a rules file, as far as it can be made out: the parts are checked against each other
// even when one of them is wrong in itself, so that all problems are told at once.
const textOrNothing = z.string().optional().catch(undefined);
const targetOutline = z
  .object({ connection: z.number().optional().catch(undefined), schema: textOrNothing })
  .catch({});
const publicationOutline = z
  .object({ target: textOrNothing, schema: textOrNothing, table: textOrNothing })
  .catch({});
const ruleOutline = z
  .object({ name: textOrNothing, publish: z.array(publicationOutline).catch([]) })
  .catch({ publish: [] });
const fileOutline = z
  .object({
    // Undefined when there are none to go by: then that is the mistake, and not each name of one.
    targets: z.record(z.string(), targetOutline).optional().catch(undefined),
    rules: z.array(ruleOutline).catch([]),
  })
  .catch({ rules: [] });

type Outline = z.output<typeof fileOutline>;

/** Mistakes between the parts of a rules file: names that are used twice or do not exist. */
export function crossCheck(source: YamlSource): RulesProblem[] {
  const outline = fileOutline.parse(source.value);
  return [
    ...targetNameProblems(outline, source),
    ...ruleNameProblems(outline, source),
    ...publicationProblems(outline, source),
  ];
}

function targetNameProblems({ targets = {} }: Outline, source: YamlSource): RulesProblem[] {
  return Object.keys(targets).flatMap((name) => {
    if (TARGET_NAME.test(name)) return [];
    const message = `the target name ${JSON.stringify(name)} must be made of a-z, 0-9, _ and -, start with a letter or digit and have at most 64 characters`;
    return [source.at(["targets", name], message, "key")];
  });
}

function ruleNameProblems({ rules }: Outline, source: YamlSource): RulesProblem[] {
  const seen = new Map<string, number>();
  return rules.flatMap(({ name }, index) => {
    if (name === undefined || name === "") return [];
    const first = seen.get(name);
    if (first === undefined) {
      seen.set(name, index);
      return [];
    }
    const line = lineOf(["rules", first, "name"], source);
    const message = `another rule is named ${JSON.stringify(name)} too (line ${line}): rename one`;
    return [source.at(["rules", index, "name"], message)];
  });
}

function publicationProblems({ targets, rules }: Outline, source: YamlSource): RulesProblem[] {
  if (targets === undefined) return [];
  const known = new Map(Object.entries(targets));
  return rules.flatMap((rule, ruleIndex) => {
    const places = new Map<string, Path>();
    return rule.publish.flatMap(({ target: targetName, schema, table }, index) => {
      if (targetName === undefined || targetName === "") return [];
      const path = ["rules", ruleIndex, "publish", index];
      const target = known.get(targetName);
      if (target === undefined) {
        const names = [...known.keys()];
        const hint =
          didYouMean(targetName, names) || (names.length > 0 ? ` The targets are ${names.join(", ")}.` : "");
        return [source.at([...path, "target"], `there is no target ${JSON.stringify(targetName)}.${hint}`)];
      }
      const ownSchema = schema ?? target.schema;
      if (target.connection === undefined || ownSchema === undefined || table === undefined) return [];
      const place = JSON.stringify([target.connection, foldTemplate(ownSchema), foldTemplate(table)]);
      const first = places.get(place);
      if (first !== undefined) {
        const line = lineOf([...first, "table"], source);
        const message = `this rule publishes to ${ownSchema}.${table} of connection ${target.connection} already (line ${line}; Redshift does not tell A from a): remove one`;
        return [source.at([...path, "table"], message)];
      }
      places.set(place, path);
      return [];
    });
  });
}

const lineOf = (path: Path, source: YamlSource): number => source.at(path, "").line;
