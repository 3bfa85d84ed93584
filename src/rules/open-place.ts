import type { JobGroupFacts, Publication, Rule, Target } from "./model.ts";
import { fillTemplate, placeholdersOf } from "./name-template.ts";
import { type TablePlace, taskKey } from "./task-identity.ts";

/** Where a publication of an undecided rule may end up; what is absent hangs on a name that is not told: it may be any. */
export interface OpenPlace {
  readonly rule: string;
  readonly connection: number;
  readonly schema?: string;
  readonly table?: string;
}

/**
 * Where a publication of an undecided rule may end up; undefined when that is decided: it ends up nowhere, or its rule
 * `matches` and its names are known.
 */
export function openPlaceOf(
  publication: Publication,
  rule: Rule,
  target: Target | undefined,
  facts: JobGroupFacts,
  matches: boolean,
): OpenPlace | undefined {
  if (target === undefined) return undefined;
  const schema = nameOf(publication.schema ?? target.schema, facts);
  const table = nameOf(publication.table, facts);
  if (schema === "none" || table === "none") return undefined;
  if (matches && "name" in schema && "name" in table) return undefined;
  return {
    rule: rule.name,
    connection: target.connection,
    ...("name" in schema && { schema: schema.name }),
    ...("name" in table && { table: table.name }),
  };
}

/** May a place turn out to be the same table as another one, which is known? */
export function mayBe({ connection, schema, table }: OpenPlace, known: TablePlace): boolean {
  const filled = { connection, schema: schema ?? known.schema, table: table ?? known.table };
  return taskKey(filled) === taskKey(known);
}

/** `none`: there is no such name, whatever is told. */
function nameOf(template: string, facts: JobGroupFacts): { name: string } | { untold: true } | "none" {
  const filled = fillTemplate(template, facts);
  if ("name" in filled) return filled;
  const lacks = (what: string): boolean =>
    (what === "recipe" || what === "flow") && facts[what]?.name === undefined;
  return placeholdersOf(template).some(lacks) ? { untold: true } : "none";
}
