import { expect, test } from "vitest";
import { only, openSite, statesOf } from "./support/relay.ts";
import { eventually } from "./support/eventually.ts";

const load = { table: "orders", action: "load", settleAfter: "1s", backoff: "100ms" };
const twoTargets = (more: object = {}) => ({
  targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "public" } },
  rules: [
    {
      name: "all",
      when: "all",
      publish: [
        { target: "sales", ...load },
        { target: "finance", ...load },
      ],
    },
  ],
  ...more,
});

test('"another publish is running" is waited for, and uses no attempt', async () => {
  const site = await openSite({ rules: twoTargets() });
  site.simulator.addFault({
    kind: "status",
    status: 409,
    times: 1,
    connection: 2,
    body: { exception: { name: "Conflict", message: "Another publish of this job group is running" } },
  });
  const relay = await site.start();
  await relay.report(2);
  const tasks = await site.ended(2, 2);
  expect(statesOf(tasks)).toEqual(["finance published", "sales published"]);
  expect(tasks.map(({ record }) => record.attempts)).toEqual([0, 0]);
});

test.each([403, 500])("so it is when the words come with a %i", async (status) => {
  const publish = [{ target: "sales", ...load, attempts: 1 }];
  const site = await openSite({ rules: twoTargets({ rules: [{ name: "all", when: "all", publish }] }) });
  site.simulator.addFault({
    kind: "status",
    status,
    times: 1,
    body: { exception: { name: "Other", message: "Another publish of this job group is running" } },
  });
  const relay = await site.start();
  await relay.report(2);
  const { record } = only(await site.ended(2));
  expect(record).toMatchObject({ state: "published", attempts: 0 });
  expect(site.puts(2)).toHaveLength(2);
});

test("a platform that says so for ever, with a status that tells nothing, is not waited for beyond the deadline", async () => {
  const publish = [{ target: "sales", ...load, deadline: "3s" }];
  const site = await openSite({ rules: twoTargets({ rules: [{ name: "all", when: "all", publish }] }) });
  site.simulator.addFault({
    kind: "status",
    status: 500,
    body: { exception: { name: "Other", message: "Another publish of this job group is running" } },
  });
  const relay = await site.start();
  await relay.report(2);
  const { record } = only(await site.ended(2));
  expect(record).toMatchObject({ state: "parked", attempts: 0 });
  expect(record.words).toContain("another publish runs");
});

test("somebody's publish of the same job group in the UI is waited for, then ours is sent once", async () => {
  const site = await openSite({ rules: twoTargets() });
  site.simulator.set({ publishMs: 600 });
  site.simulator.foreignPublish({
    jobGroupId: 2,
    connection: 4,
    schema: "public",
    table: "by_hand",
    action: "load",
  });
  const relay = await site.start();
  await relay.report(2);
  expect(statesOf(await site.ended(2, 2))).toEqual(["finance published", "sales published"]);
  // One that was refused because the other runs is none.
  expect(site.puts(2).filter(({ result }) => result === 200)).toHaveLength(2);
  expect(site.simulator.twice()).toEqual([]);
});

test("a publish into our table that somebody made in the UI before counts as published, and nothing is sent", async () => {
  const site = await openSite({ rules: twoTargets() });
  site.simulator.set({ publishMs: 10, appearMs: 1 });
  site.simulator.foreignPublish({
    jobGroupId: 2,
    connection: 2,
    schema: "public",
    table: "orders",
    action: "load",
  });
  await eventually(async () => site.simulator.tables("public.orders")[0], {
    what: "the rows of the publish by hand",
  });
  const relay = await site.start();
  await relay.report(2);
  const sales = (await site.ended(2, 2)).find(({ plan }) => plan.target === "sales");
  expect(sales?.record).toMatchObject({ state: "published" });
  expect(sales?.record.words).toContain("Already published");
  expect(site.puts(2).map(({ body }) => body)).not.toContainEqual(
    expect.objectContaining({ connection: { id: 2 } }),
  );
});

test("a paused target does not hold up the other targets of its job groups", async () => {
  const site = await openSite({ rules: twoTargets() });
  const relay = await site.start();
  await site.queue("publish.sales").pause();
  const ids = [1, 2, 3].map(() => site.simulator.createJobGroup({ recipeId: 27, webhook: false }));
  for (const id of ids) await relay.report(id);
  await eventually(async () => (await site.queue("publish.finance").getCompletedCount()) === ids.length, {
    what: "finance is published",
  });
  expect(await site.queue("publish.sales").getCompletedCount()).toBe(0);
  await site.queue("publish.sales").resume();
  for (const id of ids)
    expect(statesOf(await site.ended(id, 2))).toEqual(["finance published", "sales published"]);
});

test("publishes of one job group run one at a time, unless the rules say that they need not", async () => {
  const oneAtATime = await openSite({ rules: twoTargets() });
  const together = await openSite({ rules: twoTargets({ serializeJobGroups: false }) });
  for (const { simulator } of [oneAtATime, together]) simulator.set({ publishMs: 800, concurrent: "append" });
  for (const site of [oneAtATime, together]) {
    const relay = await site.start();
    await relay.report(2);
    expect(statesOf(await site.ended(2, 2))).toEqual(["finance published", "sales published"]);
    expect(site.simulator.twice()).toEqual([]);
  }
  const gap = (site: typeof together): number => {
    const [first, second] = site.puts(2);
    return Number(second?.at) - Number(first?.at);
  };
  expect(gap(oneAtATime)).toBeGreaterThanOrEqual(800);
  expect(gap(together)).toBeLessThan(800);
});

test("a repeated report publishes nothing again, even when the jobs were removed on the board", async () => {
  const site = await openSite({ rules: twoTargets() });
  const relay = await site.start();
  await relay.report(2);
  await site.ended(2, 2);
  await eventually(
    async () => (await (await site.queue("job-groups").getJob("jobgroup-2"))?.isCompleted()) === true,
    {
      what: "the end of the job group",
    },
  );
  for (const name of ["completions", "job-groups", "publish.sales", "publish.finance"]) {
    await site.queue(name).clean(0, 100, "completed");
  }
  expect(await relay.report(2)).toMatchObject({ status: 202, duplicate: true });
  const job = await site.dispatched(2);
  expect(job.returnvalue.words).toMatch(/sales\.public\.orders already published on \d{4}-/);
  expect(site.puts(2)).toHaveLength(2);
});

test("a refusal of the same target counts as published only if the platform lists the table", async () => {
  const rules = { ...twoTargets(), targets: { sales: { connection: 2, schema: "public" } } };
  const publish = [{ target: "sales", ...load }];
  const site = await openSite({ rules: { ...rules, rules: [{ name: "all", when: "all", publish }] } });
  site.simulator.addFault({
    kind: "status",
    status: 400,
    times: 1,
    body: { exception: { name: "ValidationFailed", message: "Results were already written to this target" } },
  });
  const relay = await site.start();
  await relay.report(2);
  const { record } = only(await site.ended(2));
  expect(record).toMatchObject({ state: "failed" });
  expect(record.words).toContain("already written to this target");
});

test("when the platform cannot say just then whether it lists the table, it is asked again", async () => {
  const rules = { ...twoTargets(), targets: { sales: { connection: 2, schema: "public" } } };
  const publish = [{ target: "sales", ...load }];
  const site = await openSite({ rules: { ...rules, rules: [{ name: "all", when: "all", publish }] } });
  site.simulator.addFault({ kind: "status", status: 503, on: "outputs", times: 1 });
  site.simulator.addFault({
    kind: "status",
    status: 400,
    times: 2,
    body: { exception: { name: "ValidationFailed", message: "Results were already written to this target" } },
  });
  const relay = await site.start();
  await relay.report(2);
  expect(only(await site.ended(2)).record).toMatchObject({ state: "failed" });
  expect(site.puts(2)).toHaveLength(2);
  expect(site.simulator.requests({ kind: "outputs" })).toHaveLength(2);
});

test("the tasks of a job group that wait for each other go in the order of the rules, whatever they are called", async () => {
  const tables = ["zebras", "yaks", "wolves", "ants"];
  const publish = tables.map((table) => ({ target: "sales", ...load, table }));
  const site = await openSite({ rules: twoTargets({ rules: [{ name: "all", when: "all", publish }] }) });
  const relay = await site.start();
  await relay.report(2);
  await site.ended(2, 4);
  // Which one is first goes by the job group's id.
  expect(site.puts(2).map(({ body }) => Reflect.get(body as object, "table"))).toEqual([
    "wolves",
    "zebras",
    "yaks",
    "ants",
  ]);
});
