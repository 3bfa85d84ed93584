import { expect, test } from "vitest";
import type { Explanation } from "../src/processors/explain-job-group.ts";
import { eventually } from "./support/eventually.ts";
import { API_TOKEN, type LocalRelay, openSite, type Site } from "./support/relay.ts";

const targets = { sales: { connection: 2, schema: "public" } };
const rule = (name: string, when: unknown, table: string, more: object = {}) => ({
  name,
  when,
  publish: [{ target: "sales", table, action: "load" }],
  ...more,
});
const openWith = (...rules: object[]) =>
  openSite({ rules: { targets, rules }, simulator: { settings: { publishMs: 20 } } });

/** Reports a new run of the recipe; resolves with its id. */
async function run(site: Site, relay: LocalRelay, recipeId: number | null, more: object = {}) {
  const id = site.simulator.createJobGroup({ recipeId, webhook: false, ...more });
  await relay.report(id);
  return id;
}
const looksAgain = (site: Site, id: number, words: string) =>
  eventually(
    async () => {
      const job = (await site.queue("completions").getJobs()).find(({ data }) => data.jobGroupId === id);
      const shown = JSON.stringify(job?.progress ?? "");
      if (shown.includes("looks again later") && shown.includes(words)) return true;
      throw new Error(shown);
    },
    { what: `job group ${id} is looked at again: ${words}` },
  );
/** Resolves once the job group's parent tells so on the board. */
const onBoard = (site: Site, id: number, words: RegExp) =>
  eventually(
    async () => {
      const parent = await site.queue("job-groups").getJob(`jobgroup-${id}`);
      const shown = String(parent?.returnvalue?.words);
      if (words.test(shown)) return true;
      throw new Error(shown);
    },
    { what: `the summary of job group ${id} on the board` },
  );
const asked = (site: Site, kind: string) => site.simulator.requests({ kind }).length;
const explained = async (relay: LocalRelay, id: number) => {
  const answer = await fetch(`${relay.url}/v1/job-groups/${id}/explain`, {
    headers: { authorization: `Bearer ${API_TOKEN}` },
  });
  return (await answer.json()) as Explanation;
};

test("a name or flow that the platform does not tell is no no-match: it is asked again, and matches when it comes", async () => {
  const site = await openWith(
    rule("by-recipe", { recipe: "ord*" }, "orders"),
    rule("by-flow", { flow: "Daily*" }, "daily"),
  );
  const { simulator } = site;
  simulator.set({
    recipes: [
      { id: 41, name: null, flowId: 12 },
      { id: 42, name: "x", flowId: null },
      { id: 43, name: "", flowId: 13 },
    ],
    flows: [{ id: 13, name: null }],
  });
  const relay = await site.start();
  simulator.addFault({ kind: "status", status: 403, on: "recipe", times: 1 });
  const forbidden = await run(site, relay, 27);
  await looksAgain(site, forbidden, "the token may not read recipe 27");

  const unnamed = await run(site, relay, 41);
  const flowless = await run(site, relay, 42);
  const both = await run(site, relay, 43);
  const recipeless = await run(site, relay, null);
  await looksAgain(site, unnamed, 'Rule \\"by-recipe\\" cannot be judged');
  await looksAgain(site, unnamed, "the platform tells no name of recipe 41");
  await looksAgain(site, flowless, "the platform names no flow of recipe 42");
  await looksAgain(site, both, "no name of recipe 43; the platform tells no name of flow 13");
  await looksAgain(site, recipeless, `the platform names no recipe of job group ${recipeless}`);

  const told = await explained(relay, unnamed);
  expect(told.detail).toContain("the platform tells no name of recipe 41; it would be asked again");
  expect(told.rules).toMatchObject([
    { name: "by-recipe", matches: "unknown", failed: { field: "recipe", found: "41, name not known" } },
    { name: "by-flow", matches: false, failed: { field: "flow", found: '12 "Finance close"' } },
  ]);
  expect(told.tasks).toEqual([]);

  simulator.set({
    recipes: [
      { id: 41, name: "orders", flowId: 12 },
      { id: 42, name: "x", flowId: 11 },
      { id: 43, name: "orders", flowId: 13 },
    ],
    flows: [{ id: 13, name: "Daily, too" }],
  });
  await Promise.all([
    site.ended(unnamed),
    site.ended(flowless),
    site.ended(both, 2),
    site.ended(forbidden, 2),
  ]);
  const tables = async (id: number) => (await site.tasks(id)).map(({ plan }) => plan.table).sort();
  expect(await tables(unnamed)).toEqual(["orders"]);
  expect(await tables(flowless)).toEqual(["daily"]);
  expect(await tables(both)).toEqual(["daily", "orders"]);
  expect(await tables(forbidden)).toEqual(["daily", "orders"]);
});

test("what surely does not hang on a name is published at once, the rest when it is told; the summary says what waits and which rule won", async () => {
  const site = await openWith(
    rule("by-flow", { flow: "Daily*" }, "orders"),
    rule("by-recipe", { recipe: [41, 42] }, "Orders", {
      publish: ["Orders", "ids"].map((table) => ({ target: "sales", table, action: "load" })),
    }),
  );
  site.simulator.set({
    recipes: [
      { id: 41, name: "a", flowId: 13 },
      { id: 42, name: "b", flowId: 14 },
    ],
    flows: [
      { id: 13, name: null },
      { id: 14, name: null },
    ],
  });
  const relay = await site.start();
  const daily = await run(site, relay, 41);
  const weekly = await run(site, relay, 42);
  await looksAgain(site, daily, "no name of flow 13");
  await looksAgain(site, weekly, "no name of flow 14");
  const [first] = await site.ended(daily);
  expect(first?.plan).toMatchObject({ rule: "by-recipe", table: "ids" });
  const told = await explained(relay, daily);
  expect(told.detail).toMatch(
    /by-flow.*asked again for a while\. 0 .* would be made; 1 publish task would be held back/,
  );
  expect(told.tasks).toMatchObject([
    { table: "ids", state: "published" },
    { table: "Orders", state: "held back", words: expect.stringContaining('(rule "by-flow")') },
  ]);
  expect(await relay.story(daily)).toMatchObject({
    completion: { outcome: "open" },
    summary: expect.stringMatching(
      /^published 1 of 1; Rule "by-flow" cannot be judged.*public\.Orders.*held back/,
    ),
  });

  site.simulator.set({
    flows: [
      { id: 13, name: "Daily" },
      { id: 14, name: "Weekly" },
    ],
  });
  const tasksOf = async (id: number) =>
    (await site.ended(id, 2)).map(({ plan }) => `${plan.rule} ${plan.table}`).sort();
  expect(await tasksOf(daily)).toEqual(["by-flow orders", "by-recipe ids"]);
  expect(await tasksOf(weekly)).toEqual(["by-recipe Orders", "by-recipe ids"]);
  const won = /^published 2 of 2; rule "by-recipe", public\.Orders .* rule "by-flow", earlier in the file/;
  await onBoard(site, daily, won);
  await onBoard(site, weekly, /^published 2 of 2$/);
  expect(await relay.story(daily)).toMatchObject({ summary: expect.stringMatching(won) });
});

test("what is not told holds up nothing when no rule hangs on it", async () => {
  const site = await openWith(
    rule("by-id", { recipe: 41 }, "ids"),
    rule("id-or-name", { recipe: [41, "orders*"] }, "either"),
    rule("other-runs", { recipe: "x*", ranFrom: "schedule" }, "scheduled_{flow}"),
    rule("off", { flow: "x*" }, "t_{flow}", { enabled: false }),
  );
  site.simulator.set({ recipes: [{ id: 41, name: null, flowId: null }] });
  const relay = await site.start();
  const id = await run(site, relay, 41);
  const tasks = await site.ended(id, 2);
  expect(tasks.map(({ plan }) => plan.rule).sort()).toEqual(["by-id", "id-or-name"]);
});

test("a placeholder of a rule that matches needs its name as well", async () => {
  const site = await openWith(rule("all", "all", "t_{recipe}"));
  site.simulator.set({ recipes: [{ id: 41, name: null, flowId: 11 }] });
  const relay = await site.start();
  const id = await run(site, relay, 41);
  await looksAgain(site, id, 'Rule \\"all\\" cannot be judged');
  expect(site.puts(id)).toEqual([]);
});

test("names are asked for only if a rule needs them", async () => {
  const site = await openWith(
    rule("by-id", { recipe: [27, "*"] }, "ids"),
    rule("off", { flow: "x*" }, "t_{flow}", { enabled: false }),
  );
  const relay = await site.start();
  await site.ended(await run(site, relay, 27));
  expect([asked(site, "recipe"), asked(site, "flow")]).toEqual([0, 0]);
});

test("many runs of one recipe at once ask for its names once, and those that come soon after ask nothing", async () => {
  const site = await openWith(rule("daily", { flow: "Daily*", recipe: "orders" }, "daily"));
  site.simulator.addFault({ kind: "slow", on: "recipe", ms: 300, times: 1 });
  const relay = await site.start();
  const ids = await Promise.all(Array.from({ length: 8 }, () => run(site, relay, 27)));
  await Promise.all(ids.map((id) => site.ended(id)));
  await site.ended(await run(site, relay, 27));
  expect([asked(site, "recipe"), asked(site, "flow")]).toEqual([1, 1]);
  // Who asks why wants to know how it is now.
  await explained(relay, ids[0] ?? 0);
  expect([asked(site, "recipe"), asked(site, "flow")]).toEqual([2, 2]);
});
