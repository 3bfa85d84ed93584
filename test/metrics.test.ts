import { expect, test } from "vitest";
import { sign } from "../src/producers/signatures.ts";
import { keysOf } from "../src/queues/names.ts";
import { createOldestTasks } from "../src/queues/oldest-tasks.ts";
import { eventually } from "./support/eventually.ts";
import { newNamespace, openRedis, startPrivateRedis } from "./support/redis.ts";
import { type LocalRelay, openSite, type Site, WEBHOOK_SECRET } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";
import { scrape, valueOf } from "./support/scrape.ts";

const load = { table: "orders_{jobGroupId}", action: "load", settleAfter: "1s", backoff: "100ms" };
const TARGETS = {
  sales: { connection: 2, schema: "public" },
  finance: { connection: 3, schema: "reports" },
};
const openTwo = (redisUrl?: string): Promise<Site> =>
  openSite({
    rules: {
      targets: TARGETS,
      rules: [
        {
          name: "all",
          when: "all",
          publish: [
            { target: "sales", ...load, attempts: 3 },
            { target: "finance", ...load, attempts: 1 },
          ],
        },
      ],
    },
    simulator: { settings: { appearMs: 1, publishMs: 20 } },
    ...(redisUrl !== undefined && { redisUrl }),
  });

test("what becomes of publishes is counted once, by target, with how long they took and how fresh they are", async () => {
  const site = await openTwo();
  site.simulator.addFault({ kind: "fail", connection: 2, times: 1 });
  site.simulator.addFault({ kind: "fail", connection: 3 });
  const relay = await site.start();
  const of = async (name: string, labels: Record<string, string>) =>
    valueOf(await scrape(relay), `publish_relay_${name}`, labels);
  // Told from the start: a first failure that came with its series would not be an increase.
  expect(await of("tasks_ended_total", { target: "finance", outcome: "failed" })).toBe(0);
  expect(await of("publish_duration_seconds_count", { target: "sales" })).toBe(0);

  const id = site.simulator.createJobGroup({ webhook: false });
  await relay.report(id);
  await site.ended(id, 2);
  const sales = { target: "sales" };
  await eventually(async () => (await of("tasks_ended_total", { ...sales, outcome: "published" })) === 1);
  expect(await of("publishes_started_total", sales)).toBe(2);
  expect(await of("publishes_retried_total", { ...sales, class: "job-failed" })).toBe(1);
  expect(await of("publish_duration_seconds_count", sales)).toBe(1);
  expect(await of("freshness_seconds_count", sales)).toBe(1);
  const [took = 0, fresh = 0] = [
    await of("publish_duration_seconds_sum", sales),
    await of("freshness_seconds_sum", sales),
  ];
  expect(took).toBeGreaterThan(0);
  expect(fresh).toBeGreaterThanOrEqual(took);
  expect(await of("tasks_ended_total", { target: "finance", outcome: "failed" })).toBe(1);
  expect(await of("freshness_seconds_count", { target: "finance" })).toBe(0);

  // Asked again, what was published is found so: nothing more ended.
  const job = (await site.queue("publish.sales").getCompleted())[0];
  await job?.retry("completed");
  await eventually(
    async () => ((await site.queue("publish.sales").getCompleted())[0]?.attemptsStarted ?? 0) > 2,
  );
  expect(await of("tasks_ended_total", { ...sales, outcome: "published" })).toBe(1);
});

test("the age of a target's oldest task counts what waits and leaves out what is parked", async () => {
  const site = await openTwo();
  const relay = await site.start();
  await site.queue("publish.sales").pause();
  const id = site.simulator.createJobGroup({ webhook: false });
  await relay.report(id);
  await site.dispatched(id);
  const age = async (target: string) =>
    valueOf(await scrape(relay), "publish_relay_oldest_task_seconds", { target });
  await eventually(async () => (await age("finance")) === 0, { what: "finance has nothing open" });
  const paused = async (target: string) =>
    valueOf(await scrape(relay), "publish_relay_target_paused", { target });
  expect([await paused("sales"), await paused("finance")]).toEqual([1, 0]);
  const first = await age("sales");
  expect(first).toBeGreaterThan(0);
  expect(await age("sales")).toBeGreaterThan(first ?? Infinity);

  const [task] = (await site.tasks(id)).filter(({ plan }) => plan.target === "sales");
  await site
    .queue("parked")
    .add("as if parked", {}, { jobId: `jobgroup-${id}-2-public-${task?.plan.table}` });
  expect(await age("sales")).toBe(0);
});

test("the oldest task of a target is found behind however many of the others, and not guessed", async () => {
  const redis = openRedis();
  const keys = keysOf(newNamespace());
  const nowUs = Date.now() * 1_000;
  const of = (queue: string, n: number, ageMs: number) => [
    nowUs - ageMs * 1_000 - n,
    `${queue}\tt${n}\t${n}\ttask:${n}`,
  ];
  const many = Array.from({ length: 1_200 }, (_, i) => of("publish.sales", i, 7_200_000)).flat();
  await redis.zadd(keys.open, ...many, ...of("publish.finance", 9_999, 3_600_000));
  releaseLater(() => redis.del(keys.open));
  const look = createOldestTasks(redis, keys, 500);
  const ages = await look(["publish.sales", "publish.finance", "publish.idle"]);
  expect(ages.get("publish.sales")).toBeGreaterThanOrEqual(7_200_000);
  expect(ages.get("publish.finance")).toBeGreaterThanOrEqual(3_600_000);
  expect(ages.get("publish.finance")).toBeLessThan(3_700_000);
  expect(ages.get("publish.idle")).toBe(0);

  // More than are looked at: what was not found is left out.
  const most = await createOldestTasks(redis, keys, 500, 1_000)(["publish.sales", "publish.finance"]);
  expect([...most.keys()]).toEqual(["publish.sales"]);
});

test("a completion that is not dispatched is told with its age, and what became of those that are is counted", async () => {
  const site = await openSite({
    rules: {
      targets: { ...TARGETS, sales: { ...TARGETS.sales, freshness: "15m" } },
      rules: [{ name: "one", when: { recipe: 27 }, publish: [{ target: "sales", ...load }] }],
    },
  });
  await site.queue("completions").pause();
  const relay = await site.start();
  const of = async (name: string, labels: Record<string, string> = {}) =>
    valueOf(await scrape(relay), `publish_relay_${name}`, labels);
  expect(await of("oldest_completion_seconds")).toBe(0);
  expect(await of("completions_total", { outcome: "no-rule" })).toBe(0);
  expect(await of("freshness_goal_seconds", { target: "sales" })).toBe(900);
  expect(await of("freshness_goal_seconds", { target: "finance" })).toBeUndefined();

  await relay.report(site.simulator.createJobGroup({ webhook: false, recipeId: 27 }));
  await relay.report(site.simulator.createJobGroup({ webhook: false, recipeId: 28 }));
  await eventually(async () => ((await of("oldest_completion_seconds")) ?? 0) >= 1);
  await site.queue("completions").resume();
  await eventually(async () => (await of("completions_total", { outcome: "dispatched" })) === 1);
  await eventually(async () => (await of("completions_total", { outcome: "no-rule" })) === 1);
  await eventually(async () => (await of("oldest_completion_seconds")) === 0);
});

test("each webhook is counted by how it ended", async () => {
  const site = await openTwo();
  const relay = await site.start();
  // Told from the start, so that a burst before the next scrape is an increase.
  const first = await scrape(relay);
  for (const result of ["accepted", "unauthorized", "unavailable", "aborted"])
    expect(valueOf(first, "publish_relay_webhooks_total", { result })).toBe(0);
  const id = site.simulator.createJobGroup({ webhook: false });
  await relay.report(id);
  await relay.report(id);
  const post = async (body: string, headers: Record<string, string>) =>
    fetch(`${relay.url}/webhooks/designer-cloud`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
  const signed = (body: string) => post(body, sign("designer-cloud", WEBHOOK_SECRET, body));
  await signed("{}");
  await signed("no JSON");
  await post("{}", {});
  await post("{}", { "content-type": "text/plain" });
  await fetch(`${relay.url}/webhooks/designer-cloud`);
  await signed(JSON.stringify({ jobId: "1", more: "x".repeat(70_000) })).catch(() => undefined);
  const results = [
    "accepted",
    "duplicate",
    "malformed",
    "unauthorized",
    "wrong-type",
    "wrong-method",
    "too-large",
  ];
  await eventually(async () => {
    const samples = await scrape(relay);
    const counted = results.map((result) => valueOf(samples, "publish_relay_webhooks_total", { result }));
    expect(counted).toEqual([1, 1, 2, 1, 1, 1, 1]);
    return true;
  });
});

test("the gate is told with its reason, and no label names a table, a job group or what somebody wrote", async () => {
  const site = await openTwo();
  const relay = await site.start();
  site.simulator.addFault({ kind: "status", status: 401, on: "jobs" });
  const id = site.simulator.createJobGroup({ webhook: false, recipeId: 27 });
  await relay.report(id);
  const shut = async (reason: string) => valueOf(await scrape(relay), "publish_relay_gate_shut", { reason });
  await eventually(async () => (await shut("unauthorized")) === 1);
  expect(await shut("away")).toBe(0);
  const samples = await scrape(relay);
  const names = new Set(
    samples
      .filter(({ name }) => !/^publish_relay_(nodejs|process)_/.test(name))
      .flatMap(({ labels }) => Object.keys(labels)),
  );
  expect([...names].sort()).toEqual(
    [
      "cause",
      "class",
      "le",
      "node",
      "outcome",
      "queue",
      "reason",
      "result",
      "state",
      "target",
      "version",
    ].sort(),
  );
  expect(valueOf(samples, "publish_relay_nodejs_eventloop_lag_seconds")).toBeGreaterThanOrEqual(0);
  expect(samples.find(({ name }) => name === "publish_relay_build_info")?.labels).toEqual({
    version: "0.1.0",
    node: process.version,
  });
});

test("with Redis away or silent a scrape tells of the process alone, within a second", async () => {
  const redis = await startPrivateRedis();
  const site = await openTwo(redis.url);
  const relay = await site.start();
  const up = async () => valueOf(await scrape(relay), "publish_relay_redis_up");
  await eventually(async () => (await up()) === 1);
  expect(valueOf(await scrape(relay), "publish_relay_ready")).toBe(1);
  expect(valueOf(await scrape(relay), "publish_relay_redis_memory_used_bytes")).toBeGreaterThan(100_000);

  process.kill(redis.pid(), "SIGSTOP");
  await expectOwnOnly(relay);
  process.kill(redis.pid(), "SIGCONT");
  await eventually(async () => (await up()) === 1);
  await redis.kill();
  await expectOwnOnly(relay);
  await redis.start();
  await eventually(async () => (await up()) === 1);
});

async function expectOwnOnly(relay: LocalRelay): Promise<void> {
  const askedAt = Date.now();
  const samples = await scrape(relay);
  expect(Date.now() - askedAt).toBeLessThan(1_000);
  expect(valueOf(samples, "publish_relay_redis_up")).toBe(0);
  expect(valueOf(samples, "publish_relay_ready")).toBe(0);
  expect(valueOf(samples, "publish_relay_rules_refused")).toBe(0);
  expect(valueOf(samples, "publish_relay_tasks_ended_total", { target: "sales", outcome: "failed" })).toBe(0);
  // What was true a while ago is not told as if it were now.
  const names = new Set(samples.map(({ name }) => name));
  for (const name of [
    "queue_jobs",
    "poll_found_total",
    "webhook_losses_total",
    "breaker_open",
    "gate_shut_seconds",
  ])
    expect(names).not.toContain(`publish_relay_${name}`);
}
