import { shown } from "./look.ts";
import type { SurveyedConnection } from "./processors/survey-connections.ts";
import type { SurveyedRecipe } from "./processors/survey-recipes.ts";

/** What a first rules file is written from. */
export interface Tenant {
  /** Where it was asked. */
  readonly url: string;
  /** Where the rules file will be. */
  readonly file: string;
  /** Those that could be targets; at least one. */
  readonly connections: readonly SurveyedConnection[];
  readonly recipes: readonly SurveyedRecipe[];
  /** The connection that the rules publish to. */
  readonly chosen: number;
  /** It was chosen by name: the others stand as comments. */
  readonly named: boolean;
  /** Publish from the first start on; false: each rule waits for a person to switch it on. */
  readonly enabled: boolean;
}

/**
 * A first rules file, with a comment to each part: a target for each connection, a rule for each recipe. The rules make
 * new tables and touch none that is there.
 */
export function firstRules({ url, file, connections, recipes, chosen, named, enabled }: Tenant): string {
  const targets = uniqueNames(connections, ({ id, name }) => [targetName(name), `connection-${id}`]);
  const tables = uniqueNames(recipes, ({ id, name }) => [tableName(name), `recipe_${id}`]);
  const target = targets.get(chosen) ?? "";
  const lines = [
    `# A first rules file, from what ${shown(url)} told. Change it as you like: it is yours.`,
    `# Check it with: ${checkWords(file)}`,
    "version: 1",
    "",
    named && connections.length > 1
      ? "# The other Redshift connections stand here as comments: take the # out where you publish to one."
      : "# One for each Redshift connection; take out those that you do not publish to.",
    "targets:",
    ...connections.flatMap((connection) => {
      const own = targetLines(connection, targets.get(connection.id) ?? "");
      return named && connection.id !== chosen ? asComment(own) : [...own, ...LIMITS];
    }),
    "",
    "# Every rule that matches a finished job group is applied.",
    ...(recipes.length === 0
      ? [
          "# No job group of a recipe is complete yet. A rule looks like this:",
          "#  - name: orders",
          "#    when: { recipe: 27 }",
          "#    publish:",
          `#      - { target: ${target}, table: orders, action: createAndLoad }`,
          "rules: []",
        ]
      : [
          "# These are the recipes that ran last. createAndLoad makes a new table at each run and touches none that is",
          "# there. Other actions: load appends rows, truncateAndLoad and dropAndLoad replace them, upsert merges.",
          ...(enabled ? [] : ["# None publishes until you take its `enabled: false` out."]),
          "rules:",
          ...recipes.flatMap((recipe) => ruleLines(recipe, target, tables.get(recipe.id) ?? "", enabled)),
        ]),
  ];
  return `${lines.join("\n")}\n`;
}

/** The command that checks a rules file, and asks the platform too. */
export function checkWords(file: string): string {
  if (file === "rules.yaml") return "publish-relay check --live";
  return `publish-relay check ${/^[\w./-]+$/.test(file) ? file : JSON.stringify(shown(file))} --live`;
}

const LIMITS = [
  "    # rateLimit: { max: 30, per: 1m }   # publishes started, evenly; without it only the concurrency limits them",
  "    # concurrency: 4   # publishes running at the same time",
];

/** What is a comment already stays one. */
const asComment = (lines: readonly string[]): string[] =>
  lines.map((line) => (/^ *#/.test(line) ? line : line.replace(/^ {2}/, "  # ")));

function targetLines({ id, name, doubts, host, database }: SurveyedConnection, target: string): string[] {
  const where =
    host === undefined ? "" : `, ${shown(host)}${database === undefined ? "" : `/${shown(database)}`}`;
  return [
    ...doubts.map((words) => `  # Look at it first: ${shown(words)}.`),
    `  ${target}:`,
    `    connection: ${id}   # ${name === undefined ? "its name is not told" : JSON.stringify(shown(name))}${where}`,
    "    schema: public   # the schema in Redshift",
  ];
}

function ruleLines(recipe: SurveyedRecipe, target: string, table: string, enabled: boolean): string[] {
  const { id, name, flow, jobGroupId, hasAvro } = recipe;
  const called = name === undefined ? `recipe ${id}` : JSON.stringify(shown(name));
  const of = flow
    ? ` of flow ${flow.id}${flow.name === undefined ? "" : ` ${JSON.stringify(shown(flow.name))}`}`
    : "";
  return [
    `  - name: ${table.replaceAll("_", "-")}`,
    ...(enabled ? [] : ["    enabled: false"]),
    `    when: { recipe: ${id} }   # ${called}${of}; last job group ${jobGroupId}`,
    "    publish:",
    ...(hasAvro === false
      ? ["      # Its last results have no Avro, which Redshift needs: add an Avro output to the recipe."]
      : []),
    `      - { target: ${target}, table: ${table}, action: createAndLoad }`,
  ];
}

/** A name for each by its id: the first that nobody has. */
function uniqueNames<T extends { readonly id: number }>(
  all: readonly T[],
  namesOf: (one: T) => readonly [string | undefined, string],
): Map<number, string> {
  const taken = new Set<string>();
  return new Map(
    all.map((one) => {
      const [wanted, fallback] = namesOf(one);
      let name = wanted !== undefined && !taken.has(wanted) ? wanted : fallback;
      while (taken.has(name)) name += "x";
      taken.add(name);
      return [one.id, name];
    }),
  );
}

/** What is left of a name in other letters says nothing when it is shorter. */
const NAME_LEAST = 3;

/** `Sales DWH (EU)` becomes `sales-dwh-eu`; undefined when too little is left. */
function targetName(name = ""): string | undefined {
  const bare = slug(name, "-").slice(0, 64).replace(/-+$/, "");
  return bare.length >= NAME_LEAST ? bare : undefined;
}

/** `Orders 2026` becomes `orders_2026`; undefined when too little is left, or it begins as no name may. */
function tableName(name = ""): string | undefined {
  const bare = slug(name, "_").slice(0, 100).replace(/_+$/, "");
  return /^[a-z]/.test(bare) && bare.length >= NAME_LEAST ? bare : undefined;
}

function slug(name: string, between: string): string {
  return name
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean)
    .join(between);
}
