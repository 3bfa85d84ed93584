import { readdirSync, readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { rulesFileSchema } from "../src/rules/contract.ts";
import { explainRules } from "../src/rules/match-rules.ts";
import type { JobGroupFacts } from "../src/rules/model.ts";
import { parseRules } from "../src/rules/parse-rules.ts";
import { planPublishes } from "../src/rules/plan-publishes.ts";

const folder = new URL("../examples/", import.meta.url);
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
