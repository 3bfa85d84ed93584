import { expect, test } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import { PLANNED } from "../src/queues/record.ts";
import { createReplayStore } from "../src/queues/replay-store.ts";
import type { ReplayArguments } from "../src/replay-command.ts";
import { eventually } from "./support/eventually.ts";
import { openRedis } from "./support/redis.ts";
import { openSite, type Site, statesOf } from "./support/relay.ts";
import { allEnded, evictJobs, evictRecord, inShort, replay } from "./support/replays.ts";

const TARGETS = ["finance", "sales"];
const RULES = {
  targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "public" } },
  rules: [
    {
      name: "orders",
      when: { recipe: "orders" },
      publish: [
        {
          target: "sales",
          table: "orders",
          action: "load",
          attempts: 1,
          settleAfter: "1s",
          deadline: "1s",
        },
      ],
    },
    {
      name: "copies",
      when: { recipe: "orders" },
      publish: [{ target: "finance", table: "copy_{jobGroupId}", action: "truncateAndLoad" }],
    },
  ],
};
const REFUSED = { kind: "status", status: 403, times: 1 } as const;

const open = (settings: object = {}) =>
  openSite({
    rules: RULES,
    simulator: { settings: { publishMs: 20, sameTarget: "append", concurrent: "append", ...settings } },
  });

/** One job group of each kind, by what became of it. */
async function openWorld() {
  const site = await open();
  const { simulator } = site;
  const make = () => simulator.createJobGroup();
  const ids = {
    fresh: make(),
    completed: make(),
    failed: make(),
    parked: make(),
    evicted: make(),
    forgotten: make(),
    cancelled: simulator.createJobGroup({ status: "Canceled" }),
    unknown: 99_999,
    unruled: simulator.createJobGroup({ recipeId: 30 }),
  };
  simulator.addFault({ ...REFUSED, jobGroupId: ids.failed, connection: 2 });
  simulator.addFault({ kind: "stuck", jobGroupId: ids.parked, connection: 2, times: 1 });
  const relay = await site.start();
  const reported = [ids.completed, ids.failed, ids.parked, ids.evicted, ids.forgotten];
  for (const id of reported) await relay.report(id);
  await Promise.all(reported.map((id) => site.ended(id, 2)));
  await evictJobs(site, ids.evicted, TARGETS);
  await evictRecord(site, ids.forgotten, TARGETS);
  return { ...site, ids };
}

/** How many publish requests came, by job group and connection. */
function putsOf(site: Site, ids: readonly number[]): Map<string, number> {
  const puts = new Map<string, number>();
  for (const id of ids) {
    for (const { body } of site.puts(id)) {
      const key = `${id} ${(body as { connection: { id: number } }).connection.id}`;
      puts.set(key, (puts.get(key) ?? 0) + 1);
    }
  }
  return puts;
}

const left = ["finance published -> nothing", "sales published -> nothing"];
const none = ["- refused -> nothing"];
const CASES: readonly [string, Partial<ReplayArguments>, Record<string, readonly string[]>][] = [
  [
    "without more",
    {},
    {
      fresh: ["finance new -> publish", "sales new -> publish"],
      completed: left,
      failed: ["finance published -> nothing", "sales failed -> publish"],
      parked: ["finance published -> nothing", "sales parked -> nothing"],
      evicted: left,
      forgotten: left,
      cancelled: none,
      unknown: none,
      unruled: ["- no-rule -> nothing"],
    },
  ],
  [
    "only what failed",
    { failed: true },
    { failed: ["sales failed -> publish"], cancelled: none, unknown: none },
  ],
  [
    "by force without a reason",
    { force: true },
    {
      fresh: ["finance new -> publish", "sales new -> publish"],
      completed: ["finance published -> publish", "sales refused -> nothing"],
      failed: ["finance published -> publish", "sales failed -> publish"],
      parked: ["finance published -> publish", "sales parked -> nothing"],
      evicted: ["finance published -> publish", "sales refused -> nothing"],
      forgotten: ["finance new -> publish", "sales refused -> nothing"],
      cancelled: none,
      unknown: none,
      unruled: ["- no-rule -> nothing"],
    },
  ],
  [
    "by force with a reason, one target",
    { force: true, reason: "the table was emptied", target: "sales" },
    {
      fresh: ["sales new -> publish"],
      completed: ["sales published -> publish"],
      failed: ["sales failed -> publish"],
      parked: ["sales parked -> nothing"],
      evicted: ["sales published -> publish"],
      forgotten: ["sales new -> publish"],
      cancelled: none,
      unknown: none,
      unruled: [],
    },
  ],
  [
    "by a rule",
    { rule: "copies" },
    { fresh: ["finance new -> publish"], failed: ["finance published -> nothing"] },
  ],
];

test.each(CASES)(
  "each line of a dry run says what --yes then does, counted in publish requests: %s",
  async (_, choice, expected) => {
    const world = await openWorld();
    const jobGroupIds = Object.values(world.ids);
    const before = putsOf(world, jobGroupIds);
    const foretold = await replay(world, { ...choice, jobGroupIds });
    expect(putsOf(world, jobGroupIds)).toEqual(before);
    for (const [name, lines] of Object.entries(expected)) {
      const id = world.ids[name as keyof typeof world.ids];
      expect([name, inShort(foretold.lines.filter(({ jobGroupId }) => jobGroupId === id))]).toEqual([
        name,
        lines,
      ]);
    }
    expect(foretold.ok).toBe(false);

    const done = await replay(world, { ...choice, jobGroupIds, yes: true });
    expect(done.lines.map(({ done: _done, ...line }) => line)).toEqual(foretold.lines);
    expect(done.lines.map((line) => line.done)).toEqual(done.lines.map(({ does }) => does !== "nothing"));
    await allEnded(world, jobGroupIds);
    const after = putsOf(world, jobGroupIds);
    for (const { jobGroupId, task, does } of done.lines) {
      if (!task) continue;
      const key = `${jobGroupId} ${task.target === "sales" ? 2 : 3}`;
      const sent = (after.get(key) ?? 0) - (before.get(key) ?? 0);
      expect([key, sent]).toEqual([key, does === "publish" ? 1 : 0]);
    }
    const sum = (puts: Map<string, number>) => [...puts.values()].reduce((all, n) => all + n, 0);
    const foretoldPuts = foretold.lines.filter(({ does }) => does === "publish").length;
    expect(sum(after) - sum(before)).toBe(foretoldPuts);

    // Without force, and whatever went before, the same again publishes nothing.
    await replay(world, { ...choice, force: false, jobGroupIds, yes: true });
    await allEnded(world, jobGroupIds);
    expect(putsOf(world, jobGroupIds)).toEqual(after);
  },
  40_000,
);

const FORCED = { force: true, reason: "the table was emptied" };
test.each([
  ["completed", 0, 2],
  ["failed", 1, 2],
  ["parked", 0, 1],
  ["evicted", 0, 2],
] as const)(
  "replay of a job group that is %s: the PUTs that reach the platform are %i, and by force with a reason %i",
  async (kind, puts, forcedPuts) => {
    const site = await open();
    const { simulator } = site;
    const id = simulator.createJobGroup();
    if (kind === "failed") simulator.addFault({ ...REFUSED, jobGroupId: id, connection: 2 });
    if (kind === "parked") simulator.addFault({ kind: "stuck", jobGroupId: id, connection: 2, times: 1 });
    const relay = await site.start();
    await relay.report(id);
    const tasks = await site.ended(id, 2);
    const sales = kind === "failed" || kind === "parked" ? kind : "published";
    expect(statesOf(tasks)).toEqual(["finance published", `sales ${sales}`]);
    if (kind === "evicted") await evictJobs(site, id, TARGETS);
    for (const [choice, expected] of [
      [{}, puts],
      [FORCED, forcedPuts],
    ] as const) {
      simulator.clearRequests();
      const dry = await replay(site, { ...choice, jobGroupIds: [id] });
      expect(dry.lines.filter(({ does }) => does === "publish")).toHaveLength(expected);
      expect(site.puts(id)).toHaveLength(0);
      await replay(site, { ...choice, jobGroupIds: [id], yes: true });
      await allEnded(site, [id]);
      expect(site.puts(id)).toHaveLength(expected);
    }
  },
  30_000,
);

test("a task whose record is gone goes at once, though its old job still stands", async () => {
  const site = await open();
  const id = site.simulator.createJobGroup();
  const relay = await site.start();
  await relay.report(id);
  await site.ended(id, 2);
  await openRedis().del(keysOf(site.namespace).group(id));
  const { lines } = await replay(site, { jobGroupIds: [id], ...FORCED, yes: true });
  expect(inShort(lines)).toEqual(["finance new -> publish", "sales new -> publish"]);
  await allEnded(site, [id], 8_000);
  expect(site.puts(id)).toHaveLength(4);
});

test("who replayed a task, and why, is kept with it", async () => {
  const site = await open();
  const id = site.simulator.createJobGroup();
  site.simulator.addFault({ ...REFUSED, jobGroupId: id, connection: 2 });
  const relay = await site.start();
  await relay.report(id);
  await site.ended(id, 2);
  await replay(site, { jobGroupIds: [id], reason: "rights were given", yes: true });
  await allEnded(site, [id]);
  const tasks = await site.tasks(id);
  expect(statesOf(tasks)).toEqual(["finance published", "sales published"]);
  const sales = tasks.find(({ plan }) => plan.target === "sales");
  expect(sales?.record.decisions).toMatchObject([
    { outcome: "replay", by: expect.stringContaining("ada"), reason: "rights were given" },
  ]);
  expect(sales?.plan.reports?.listed.map(({ source }) => source)).toEqual(["webhook", "replay"]);
  expect(await relay.story(id)).toMatchObject({
    summary: "published 2 of 2",
    audit: [
      { action: "replay", outcome: "asked", reason: "rights were given" },
      { action: "replay", outcome: "done" },
    ],
  });
});

test.each([
  ["sales", "load", "does not say which table it wrote"],
  ["finance", "truncateAndLoad", "it may be published already"],
])(
  "when the platform does not tell which table was written, what may be in %s is sent by force alone (%s)",
  async (target, _, words) => {
    const site = await open({ outputTables: "none" });
    const id = site.simulator.createJobGroup();
    const relay = await site.start();
    await relay.report(id);
    await site.ended(id, 2);
    await evictRecord(site, id, TARGETS);
    const asked = { jobGroupIds: [id], target };
    const plain = await replay(site, { ...asked, yes: true });
    expect(inShort(plain.lines)).toEqual([`${target} refused -> nothing`]);
    expect(plain.ok).toBe(false);
    expect(plain.lines[0]?.words).toContain(words);
    expect(site.puts(id)).toHaveLength(2);
    const forced = await replay(site, { ...asked, force: true, reason: "counted: no rows", yes: true });
    expect(inShort(forced.lines)).toEqual([`${target} new -> publish`]);
    expect(forced.lines[0]?.words).toContain("sent again by force");
    await allEnded(site, [id]);
    expect(site.puts(id)).toHaveLength(3);
  },
);

test("what is sent again by force and refused by the platform ends as failed: nothing was written", async () => {
  const site = await openSite({ rules: RULES, simulator: { settings: { publishMs: 20 } } });
  const id = site.simulator.createJobGroup();
  const relay = await site.start();
  await relay.report(id);
  await site.ended(id, 2);
  const asked = { jobGroupIds: [id], target: "sales", force: true, reason: "the table was emptied" };
  expect(inShort((await replay(site, { ...asked, yes: true })).lines)).toEqual([
    "sales published -> publish",
  ]);
  await eventually(async () => site.puts(id).length === 3);
  await allEnded(site, [id]);
  const sales = (await site.tasks(id)).find(({ plan }) => plan.target === "sales");
  expect(sales?.record).toMatchObject({
    state: "failed",
    words: expect.stringContaining("Results were already written"),
  });
});

test("what failed here and was published by hand is noted, and what somebody publishes now is waited for", async () => {
  const site = await open({ publishMs: [20, 20] });
  const id = site.simulator.createJobGroup();
  site.simulator.addFault({ ...REFUSED, jobGroupId: id, connection: 2 });
  const relay = await site.start();
  await relay.report(id);
  await site.ended(id, 2);
  const byHand = { jobGroupId: id, connection: 2, schema: "public", table: "orders", action: "load" };
  site.simulator.set({ publishMs: 60_000 });
  const jobId = site.simulator.foreignPublish(byHand);
  const choice = { jobGroupIds: [id], target: "sales", force: true, reason: "sure", yes: true };
  await eventually(async () => {
    const { lines } = await replay(site, { ...choice, yes: false });
    return lines[0]?.words.startsWith(`publish job ${jobId} of this job group runs`);
  });
  const running = await replay(site, choice);
  expect(inShort(running.lines)).toEqual(["sales refused -> nothing"]);

  site.simulator.endPublish(jobId);
  const noted = await replay(site, { jobGroupIds: [id], yes: true });
  expect(inShort(noted.lines)).toEqual(["finance published -> nothing", "sales failed -> note as published"]);
  await allEnded(site, [id]);
  expect(statesOf(await site.tasks(id))).toEqual(["finance published", "sales published"]);
  expect(putsOf(site, [id]).get(`${id} 2`)).toBe(1);
});

test("two who replay at once publish once", async () => {
  const site = await open();
  const failed = site.simulator.createJobGroup();
  const fresh = site.simulator.createJobGroup();
  site.simulator.addFault({ ...REFUSED, jobGroupId: failed, connection: 2 });
  const relay = await site.start();
  await relay.report(failed);
  await site.ended(failed, 2);
  await Promise.all([1, 2, 3].map(() => replay(site, { jobGroupIds: [failed, fresh], yes: true })));
  await site.ended(fresh, 2);
  await allEnded(site, [failed]);
  expect(Object.fromEntries(putsOf(site, [failed, fresh]))).toEqual({
    [`${failed} 2`]: 2,
    [`${failed} 3`]: 1,
    [`${fresh} 2`]: 1,
    [`${fresh} 3`]: 1,
  });
});

test("a task is opened again only as it was shown, and only for a target that the fleet has", async () => {
  const site = await open();
  const id = site.simulator.createJobGroup();
  site.simulator.addFault({ ...REFUSED, jobGroupId: id, connection: 2 });
  const relay = await site.start();
  await relay.report(id);
  const tasks = await site.ended(id, 2);
  await relay.stop();
  const task = tasks.find(({ plan }) => plan.target === "sales");
  if (!task) throw new Error("There is no task for sales");
  const { plan, json } = task;
  const store = createReplayStore(openRedis(), keysOf(site.namespace), 60_000);
  expect(await store.reopen({ ...plan, target: "gone" }, json, PLANNED)).toBe("target");
  expect(await store.reopen(plan, `${json} `, PLANNED)).toBe("changed");
  expect(await store.reopen(plan, json, PLANNED)).toBe("ok");
  expect(await store.reopen(plan, json, PLANNED)).toBe("changed");
});
