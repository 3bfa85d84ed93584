import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createSimulator, type SimulatorOptions } from "../simulator/simulator.ts";
import { checkRules } from "../src/check-rules.ts";
import { firstRules } from "../src/first-rules.ts";
import { runCommand } from "./support/command-line.ts";
import { releaseLater } from "./support/release.ts";
import { openSite } from "./support/relay.ts";

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "publish-relay-init-"));
  releaseLater(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function openTenant(options?: SimulatorOptions) {
  const simulator = createSimulator(options);
  await simulator.start();
  releaseLater(() => simulator.stop());
  return { simulator, env: { DESIGNER_CLOUD_URL: simulator.url, DESIGNER_CLOUD_TOKEN: "simulator-token" } };
}

test("what init writes passes check without a warning, and publishes", async () => {
  const site = await openSite({ rules: {}, simulator: { settings: { publishMs: 20 } } });
  site.simulator.createJobGroup({ recipeId: 30, webhook: false });
  const file = join(await folder(), "rules.yaml");
  const { code, output } = await runCommand(["init", file, "--connection", "3"], site.env);
  expect(output).toMatch(/^WRITTEN: .*rules\.yaml: 1 target, 2 rules, all to redshift-finance\.$/m);
  expect(output).toContain(`Next: read the file, then  publish-relay check ${file} --live`);
  expect(code).toBe(0);

  const text = await readFile(file, "utf8");
  expect(text.split("\n")[1]).toBe(`# Check it with: publish-relay check ${file} --live`);
  expect(text).toContain('connection: 3   # "redshift-finance", cluster-3.redshift.example.com/dev');
  expect(text).toMatch(/when: \{ recipe: 30 \} {3}# "ledger" of flow 12 "Finance close"; last job group \d+/);
  const check = await runCommand(["check", file, "--live"], site.env);
  expect(check.code).toBe(0);
  expect(checkRules(text, file).warnings).toEqual([]);
  // The others are there to be chosen.
  expect(text).toMatch(/^ {2}# redshift-sales:\n {2}# {3}connection: 2 /m);
  const all = text.replaceAll(/^ {2}# (?=(?: {2})?[\w-]+:)/gm, "  ");
  expect(checkRules(all, file).rules?.targets.map(({ connection }) => connection)).toEqual([2, 3, 4, 5]);

  const relay = await site.start({ RULES_FILE: file });
  const id = site.simulator.createJobGroup({ recipeId: 30, webhook: false });
  await relay.report(id);
  expect(await site.ended(id)).toMatchObject([
    {
      plan: { target: "redshift-finance", table: "ledger", action: "createAndLoad" },
      record: { state: "published" },
    },
  ]);
});

test("with several connections and none chosen no rule publishes until a person says so", async () => {
  const { env } = await openTenant();
  const file = join(await folder(), "rules.yaml");
  const { code, output } = await runCommand(["init", file], env);
  expect(code).toBe(0);
  expect(output).toMatch(/^SWITCHED OFF: there are 4 Redshift connections/m);
  const { rules, warnings, notes } = checkRules(await readFile(file, "utf8"), file);
  expect(rules?.rules.map(({ enabled }) => enabled)).toEqual([false]);
  expect(rules?.targets).toHaveLength(4);
  expect(warnings).toEqual([]);
  expect(notes).toEqual([expect.stringContaining("no rule is enabled")]);
  expect((await runCommand(["check", file], env)).output).toMatch(/^Note: no rule is enabled/m);
});

test("a connection that the platform does not reach is not chosen, and one that was named is switched off", async () => {
  const { env, simulator } = await openTenant();
  simulator.set({ connections: [{ id: 2, name: "redshift-sales", reachable: false }] });
  const file = join(await folder(), "rules.yaml");
  const { output } = await runCommand(["init", file], env);
  expect(output).toMatch(/^WRITTEN: .* all to redshift-finance\.$/m);
  expect(output).toMatch(/^LOOK: something speaks against connections 2, 5: the file says what\.$/m);
  expect(await readFile(file, "utf8")).toMatch(
    /# Look at it first: the platform does not reach.*\n {2}redshift-sales:/,
  );
  const named = await runCommand(["init", file, "--force", "--connection", "2"], env);
  expect(named.output).toMatch(/^SWITCHED OFF: connection 2 is not known to be good, so no rule/m);
  expect(named.output).toMatch(/^LOOK: connection 2: the platform does not reach its database \(FAILURE\)/m);
  expect(named.output).toMatch(/^LOOK: something speaks against connection 5: /m);
  // The others stand as comments, whatever the one that was named is like.
  expect(checkRules(await readFile(file, "utf8"), file).rules?.targets).toMatchObject([{ connection: 2 }]);
  const failed = [2, 3, 4, 5].map((id) => ({ id, name: `c${id}`, reachable: false }));
  simulator.set({ connections: failed });
  expect((await runCommand(["init", file, "--force"], env)).output).toMatch(
    /^SWITCHED OFF: connection 2 is not known to be good, and there are 4 Redshift connections/m,
  );
  simulator.set({ connections: [{ id: 2, name: "redshift-sales", reachable: false }] });
  const alone = [3, 4, 5].map((id) => ({ id, name: "x", vendor: "s3" }));
  simulator.set({ connections: alone });
  expect((await runCommand(["init", file, "--force"], env)).output).toMatch(/^SWITCHED OFF: connection 2/m);
  const other = await runCommand(["init", file, "--force", "--connection", "3"], env);
  expect(other).toMatchObject({ code: 1, output: expect.stringContaining("not Redshift") });
});

test("a file that is there is left as it is, without --force, before the platform is asked", async () => {
  const { env, simulator } = await openTenant();
  const file = join(await folder(), "rules.yaml");
  await writeFile(file, "mine");
  const refused = await runCommand(["init"], { ...env, RULES_FILE: file });
  expect(refused.code).toBe(1);
  expect(refused.output).toContain(`${file} is there already, and was left as it is`);
  expect(await readFile(file, "utf8")).toBe("mine");
  expect(simulator.requests()).toEqual([]);
  expect((await runCommand(["init", "--force"], { ...env, RULES_FILE: file })).code).toBe(0);
  expect(await readFile(file, "utf8")).toContain("version: 1");
});

test("where no file can be written, init says what to do, before the platform is asked", async () => {
  const { env, simulator } = await openTenant();
  const path = await folder();
  await writeFile(join(path, "afile"), "mine");
  await mkdir(join(path, "rules"));
  const refused = async (...args: string[]) => (await runCommand(["init", ...args], env)).output;
  expect(await refused(join(path, "no/r.yaml"))).toContain(`there is no folder ${join(path, "no")}: make it`);
  expect(await refused(join(path, "afile/x.yaml"))).toContain(`${join(path, "afile")} is a file, no folder`);
  for (const force of [[], ["--force"]])
    expect(await refused(join(path, "rules"), ...force)).toBe(
      `${join(path, "rules")} is a folder: name a file in it, such as ${join(path, "rules/rules.yaml")}`,
    );
  expect(simulator.requests()).toEqual([]);
});

test("a tenant without a Redshift connection, or a connection that is not there: nothing is written", async () => {
  const { env, simulator } = await openTenant();
  const file = join(await folder(), "rules.yaml");
  const unknown = await runCommand(["init", file, "--connection", "99"], env);
  expect(unknown).toMatchObject({ code: 1, output: expect.stringContaining("There is no connection 99") });
  simulator.set({ connections: [2, 3, 4, 5].map((id) => ({ id, name: "x", vendor: "s3" })) });
  const none = await runCommand(["init", file], env);
  expect(none).toMatchObject({ code: 1, output: expect.stringContaining("sees no Redshift connection") });
  await expect(readFile(file)).rejects.toThrow("ENOENT");
  expect(await runCommand(["init", file], {})).toMatchObject({
    code: 2,
    output: expect.stringContaining("DESIGNER_CLOUD_URL is not set"),
  });
});

test("recipes without Avro results are pointed out", async () => {
  const { env, simulator } = await openTenant();
  simulator.createJobGroup({ recipeId: 28, formats: ["csv"] });
  const file = join(await folder(), "rules.yaml");
  const { output } = await runCommand(["init", file, "--connection", "2"], env);
  expect(output).toContain("NO AVRO: the last results of recipe 28 have none");
  expect(output).not.toContain("recipe 27");
  expect(await readFile(file, "utf8")).toMatch(/# Its last results have no Avro[^]*table: customers/);
});

test("whatever names a tenant has, the file is good and its names differ", () => {
  const names = [
    "",
    "  ",
    "Größe: 5 # {x} 'y' \"z\"",
    "orders\n  - evil: true",
    "Orders",
    "orders",
    "1st",
    "%&/",
    "表",
    "a\u202etxt\u2066b",
    "注文 🚀 # x",
  ];
  const connections = names.map((name, i) => ({
    id: i + 1,
    name,
    vendor: "redshift",
    target: "yes" as const,
    doubts: ["its name\nsays"],
  }));
  const recipes = [...names, "recipe_3", "x".repeat(300)].map((name, i) => ({
    id: i + 1,
    name,
    jobGroupId: 100 + i,
    flow: { id: 1, name },
  }));
  for (const enabled of [true, false]) {
    const text = firstRules({
      url: "https://x.example.com",
      file: "rules.yaml",
      connections,
      recipes,
      chosen: 3,
      named: enabled,
      enabled,
    });
    const { errors, rules } = checkRules(text, "rules.yaml");
    expect(errors).toEqual([]);
    // Nothing in it turns text around or hides.
    expect(text).toContain("a‹U+202E›txt‹U+2066›b");
    expect(text).not.toMatch(/[^\n\P{Cc}]|\p{Cf}/u);
    // A letter or two that are left over are no name.
    const ofRest = rules?.rules.find(({ when }) => when !== "all" && when.recipe?.includes(11));
    expect(ofRest).toMatchObject({ name: "recipe-11", publish: [{ table: "recipe_11" }] });
    expect(rules?.targets).toHaveLength(enabled ? 1 : connections.length);
    expect(rules?.rules).toHaveLength(recipes.length);
    expect(new Set(rules?.rules.flatMap(({ publish }) => publish.map(({ table }) => table))).size).toBe(
      recipes.length,
    );
  }
  const empty = firstRules({
    url: "",
    file: "rules.yaml",
    connections,
    recipes: [],
    chosen: 1,
    named: true,
    enabled: true,
  });
  expect(checkRules(empty, "rules.yaml").errors).toEqual([]);
});

test("connections lists those that could be targets with what is told of them, and says what nobody can tell", async () => {
  const { env, simulator } = await openTenant();
  simulator.set({ connections: [{ id: 4, name: "redshift-marketing", reachable: false }] });
  const { code, output } = await runCommand(["connections"], env);
  expect(code).toBe(0);
  expect(output.split("\n").map((line) => line.trim().split(/ {2,}/))).toEqual(
    expect.arrayContaining([
      ["ID", "NAME", "KIND", "MAY BE A TARGET", "STATUS", "OWNER", "DATABASE"],
      [
        "2",
        "redshift-sales",
        "redshift",
        "yes",
        "SUCCESS",
        "person 1, shared with all",
        "cluster-2.redshift.example.com/dev",
      ],
      [
        "4",
        "redshift-marketing",
        "redshift",
        "yes",
        "FAILURE",
        "person 1, shared with all",
        "cluster-4.redshift.example.com/dev",
      ],
    ]),
  );
  expect(output).toMatch(/^Connection 4: the platform does not reach its database \(FAILURE\)/m);
  expect(output).toMatch(/^Connection 5: its name says that it is for reading/m);
  expect(output).not.toMatch(/^Connection [23]:/m);
  expect(output).not.toContain("files");
  expect(output).toContain("1 of another kind is left out: --all shows it.");
  expect((await runCommand(["connections", "--all"], env)).output).toMatch(/ 1 +files +s3 +no +not asked /);
  const json = JSON.parse((await runCommand(["connections", "--json"], env)).output) as {
    connections: unknown[];
  };
  expect(json.connections).toHaveLength(4);
  expect(json.connections[0]).toMatchObject({ id: 2, status: "SUCCESS", mayWrite: null });
});

test.each([
  [
    { status: 503 },
    /answered 503 .*The platform is away: try again later and, if that stays so, correct DESIGNER_CLOUD_URL/,
  ],
  [{ status: 429, retryAfterSeconds: 7 }, /answered 429 .*no more questions for now: try again in 7 s$/],
  [{ status: 403 }, /answered 403 .*The token's user may not do this: have the right given to them/],
])("when the platform answers %j, connections and init say what to do", async (answer, words) => {
  const { env, simulator } = await openTenant();
  simulator.addFault({ kind: "status", on: "any", ...answer });
  for (const args of [["connections"], ["init", join(await folder(), "rules.yaml")]]) {
    const { code, output } = await runCommand(args, env);
    expect(output).toMatch(words);
    expect(code).toBe(1);
  }
});

test("a tenant without any that could be a target ends with 1", async () => {
  const { env, simulator } = await openTenant();
  simulator.set({ connections: [2, 3, 4, 5].map((id) => ({ id, name: "x", vendor: "s3" })) });
  const { code, output } = await runCommand(["connections"], env);
  expect(code).toBe(1);
  expect(output).toContain("There is no Redshift connection");
});
