import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import { pino } from "pino";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { createSimulator } from "../simulator/simulator.ts";
import { readConfig } from "../src/config.ts";
import { runExplain } from "../src/explain-command.ts";
import type { Explanation } from "../src/processors/explain-job-group.ts";
import { createCompletionRecords } from "../src/queues/completion-record.ts";
import { keysOf } from "../src/queues/names.ts";
import { rulesFileSchema } from "../src/rules/contract.ts";
import { explainRules } from "../src/rules/match-rules.ts";
import type { JobGroupFacts } from "../src/rules/model.ts";
import { parseRules } from "../src/rules/parse-rules.ts";
import { planPublishes } from "../src/rules/plan-publishes.ts";
import { runCommand } from "./support/command-line.ts";
import { newNamespace, openRedis, redisUrl } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";

const folder = new URL("../examples/", import.meta.url);
const pathOf = (name: string) => fileURLToPath(new URL(name, folder));
const read = (name: string) => readFileSync(new URL(name, folder), "utf8");
const load = (name: string) => parseRules(read(name), name);

const facts: JobGroupFacts = {
  jobGroupId: 31,
  finishedAt: Date.UTC(2026, 10, 24, 23, 59),
  flow: { id: 11, name: "Nightly sales" },
  recipe: { id: 27, name: "orders" },
  ranFrom: "schedule",
  labels: {},
};

/** The tables that a job group is published to, as `connection/schema.table action`. */
const plansOf = (name: string, change: Partial<JobGroupFacts> = {}) => {
  const { plans, problems, conflicts } = planPublishes(load(name).rules, { ...facts, ...change });
  expect({ problems, conflicts }).toEqual({ problems: [], conflicts: [] });
  return plans.map(({ connection, schema, table, action }) => `${connection}/${schema}.${table} ${action}`);
};

const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

test("there are the general example and five from real life", () => {
  expect(files.toSorted()).toEqual([
    "date-tables.yaml",
    "environments.yaml",
    "nightly-replace.yaml",
    "rules.yaml",
    "tenants.yaml",
    "three-targets.yaml",
  ]);
});

test.each(files)("%s is good, without a warning, and fits the schema that it names", (name) => {
  expect(load(name).warnings).toEqual([]);
  expect(read(name).split("\n")[0]).toBe(
    "# yaml-language-server: $schema=../docs/contracts/rules.schema.json",
  );
  const fits = new Ajv({ strict: false }).compile(rulesFileSchema());
  fits(parse(read(name)));
  expect(fits.errors).toBeNull();
});

test.each(files)("%s passes the command check, which lists its publications", async (name) => {
  const path = pathOf(name);
  const { code, output } = await runCommand(["check", path]);
  expect({ code, output }).toMatchObject({
    code: 0,
    output: expect.stringContaining(`${path}: good, version `),
  });
  const json = await runCommand(["check", path, "--json"]);
  const { errors, warnings, publications } = JSON.parse(json.output) as Record<string, { rule: string }[]>;
  expect({ code: json.code, errors, warnings }).toEqual({ code: 0, errors: [], warnings: [] });
  const listed = load(name).rules.rules.flatMap(({ name: rule, publish }) => publish.map(() => rule));
  expect(publications?.map(({ rule }) => rule)).toEqual(listed);
});

interface Explained {
  readonly recipeId: number;
  readonly ranfrom?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** For each rule in the order of the file, whether it matches. */
  readonly matches: readonly boolean[];
  /** The whole of each publish request's body but for what all have; `id`: the job group, `date`: `YYYYMMDD` of its end. */
  readonly puts: (id: number, date: string) => readonly [number, string, string, string][];
}

const explained: Record<string, Explained> = {
  "rules.yaml": {
    recipeId: 27,
    matches: [true, true],
    puts: (id, date) => [
      [2, "public", "orders", "load"],
      [3, "reports", `orders_${id}`, "truncateAndLoad"],
      [4, "archive", `job_${date}_${id}`, "createAndLoad"],
    ],
  },
  "date-tables.yaml": {
    recipeId: 41,
    matches: [true],
    puts: (_, date) => [
      [2, "events", `events_${date}`, "load"],
      [2, "events", `events_${date.slice(0, 4)}_${date.slice(4, 6)}`, "load"],
    ],
  },
  "environments.yaml": {
    recipeId: 27,
    labels: { env: "prod" },
    matches: [false, true],
    puts: () => [[3, "public", "orders", "load"]],
  },
  "nightly-replace.yaml": {
    recipeId: 28,
    ranfrom: "schedule",
    matches: [true, false],
    puts: () => [[2, "nightly", "customers", "truncateAndLoad"]],
  },
  "tenants.yaml": {
    recipeId: 50,
    labels: { tenant: "acme" },
    matches: [true, true],
    puts: (_, date) => [
      [2, "tenant_acme", "usage", "upsert"],
      [2, "tenant_acme", `invoices_${date.slice(0, 4)}_${date.slice(4, 6)}`, "truncateAndLoad"],
    ],
  },
  "three-targets.yaml": {
    recipeId: 27,
    matches: [true],
    puts: (id) => [
      [2, "public", "invoices", "upsert"],
      [3, "reports", "invoices", "truncateAndLoad"],
      [4, "archive", `invoices_${id}`, "createAndLoad"],
    ],
  },
};

test("the command explain tells the exact bodies that each of them leads to, for a job group of the platform", async () => {
  const simulator = createSimulator({
    settings: {
      flows: [{ id: 11, name: "Nightly sales" }],
      recipes: [
        { id: 41, name: "clicks", flowId: 12 },
        { id: 50, name: "usage", flowId: 12 },
      ],
    },
  });
  await simulator.start();
  releaseLater(() => simulator.stop());
  const namespace = newNamespace();
  const records = createCompletionRecords(openRedis(), keysOf(namespace), 60_000);
  expect(Object.keys(explained).toSorted()).toEqual(files.toSorted());
  for (const [name, { recipeId, ranfrom, labels, matches, puts }] of Object.entries(explained)) {
    const id = simulator.createJobGroup({ recipeId, webhook: false, ...(ranfrom && { ranfrom }) });
    if (labels) await records.merge(id, { source: "webhook", labels });
    const config = readConfig({
      DESIGNER_CLOUD_URL: simulator.url,
      DESIGNER_CLOUD_TOKEN: "simulator-token",
      REDIS_URL: redisUrl(),
      NAMESPACE: namespace,
      RULES_FILE: pathOf(name),
    });
    const { text, ok } = await runExplain({ jobGroupId: id, json: true }, config, pino({ level: "silent" }));
    const { rules, tasks, notes, facts: found } = JSON.parse(text) as Explanation;
    expect({ name, ok, notes, matches: rules.map((rule) => rule.matches) }).toEqual({
      name,
      ok: true,
      notes: [],
      matches,
    });
    const date = found.finishedAt?.slice(0, 10).replaceAll("-", "") ?? "";
    expect(tasks.map(({ request }) => request)).toEqual(
      puts(id, date).map(([connection, schema, table, action]) => ({
        method: "PUT",
        path: `/v4/jobGroups/${id}/publish`,
        body: {
          connection: { id: connection },
          path: [schema],
          table,
          action,
          inputFormat: "avro",
          flowNodeId: recipeId,
        },
        exact: true,
      })),
    );
  }
});

test("environments: the label decides, and without it nothing is published", () => {
  expect(plansOf("environments.yaml", { labels: { env: "test" } })).toEqual([
    "2/staging.orders truncateAndLoad",
  ]);
  expect(plansOf("environments.yaml", { labels: { env: "prod" } })).toEqual(["3/public.orders load"]);
  expect(plansOf("environments.yaml")).toEqual([]);
  expect(explainRules(load("environments.yaml").rules, facts).map(({ matches }) => matches)).toEqual([
    false,
    false,
  ]);
});

test("three targets: one recipe, three places, a target's own defaults", () => {
  expect(plansOf("three-targets.yaml")).toEqual([
    "2/public.invoices upsert",
    "3/reports.invoices truncateAndLoad",
    "4/archive.invoices_31 createAndLoad",
  ]);
  const { plans } = planPublishes(load("three-targets.yaml").rules, facts);
  expect(plans.map(({ attempts, priority }) => [attempts, priority])).toEqual([
    [8, 1],
    [12, 1000],
    [8, 1000],
  ]);
});

test("nightly replace: scheduled runs alone, with the file's defaults", () => {
  expect(plansOf("nightly-replace.yaml")).toEqual(["2/nightly.orders truncateAndLoad"]);
  expect(plansOf("nightly-replace.yaml", { ranFrom: "ui" })).toEqual([]);
  expect(planPublishes(load("nightly-replace.yaml").rules, facts).plans[0]).toMatchObject({
    backoff: { floorMs: 30_000, capMs: 1_800_000 },
    settleAfterMs: 60_000,
    stale: "supersede",
  });
});

test("tenants: a schema each, more for some, and a tenant that is no name is refused", () => {
  const of = (tenant: string) => ({ recipe: { id: 5, name: "usage" }, labels: { tenant } });
  expect(plansOf("tenants.yaml", of("initech"))).toEqual(["2/tenant_initech.usage upsert"]);
  expect(plansOf("tenants.yaml", of("acme"))).toEqual([
    "2/tenant_acme.usage upsert",
    "2/tenant_acme.invoices_2026_11 truncateAndLoad",
  ]);
  const { plans, problems } = planPublishes(load("tenants.yaml").rules, { ...facts, ...of("a; drop") });
  expect([plans.length, problems.length]).toEqual([0, 1]);
});

test("date tables: the day and the month of the finish, in UTC", () => {
  expect(plansOf("date-tables.yaml", { recipe: { id: 41 } })).toEqual([
    "2/events.events_20261124 load",
    "2/events.events_2026_11 load",
  ]);
});
