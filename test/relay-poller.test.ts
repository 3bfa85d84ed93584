import { setTimeout } from "node:timers/promises";
import { expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { metric, NO_WEBHOOKS, openPolled, reportsOf, turned, turnFromNow } from "./support/polled.ts";

test("with webhooks off, what finishes is found and published; what had finished before, and other kinds, are not", async () => {
  const site = await openPolled({ POLL_INTERVAL: "1s", ...NO_WEBHOOKS });
  const { simulator } = site;
  const relay = await site.start();
  await turnFromNow(site);
  const running = simulator.createJobGroup({ status: "InProgress", webhook: false });
  const ids = [1, 2, 3].map(() => simulator.createJobGroup({ webhook: false }));
  simulator.createJobGroup({ ranfor: "sampling", webhook: false });
  const failed = simulator.createJobGroup({ status: "Failed", webhook: false });
  for (const id of ids) await site.ended(id);
  simulator.finishJobGroup(running);
  await site.ended(running);

  expect(await reportsOf(relay, ids[0] ?? 0)).toMatchObject([{ source: "poller" }]);
  const { words } = await turnFromNow(site);
  expect(words).toBe("Looked at 1 page, 4 job groups: 0 new");
  expect(await site.queue("completions").getJobCountByTypes()).toBe(4);
  expect([2, failed].map((id) => site.puts(id).length)).toEqual([0, 0]);
  expect(await metric(relay, "poll_found_total")).toBe(4);
  expect(await metric(relay, "webhook_losses_total")).toBe(0);
  expect(await metric(relay, "poll_lag_seconds")).toBeLessThan(10);
  expect((await fetch(`${relay.url}/readyz`)).status).toBe(200);
});

test("a publish that touches a job group which ended before the first look does not have it published", async () => {
  const site = await openPolled({ POLL_INTERVAL: "1s", ...NO_WEBHOOKS });
  const { simulator } = site;
  simulator.set({ touchOnPublish: true });
  const old = simulator.createJobGroup({ webhook: false });
  // The platform tells its time to the second.
  await setTimeout(1_100);
  await site.start();
  await turnFromNow(site);
  const body = {
    connection: { id: 2 },
    path: ["public"],
    table: "by_hand",
    action: "create",
    inputFormat: "avro",
  };
  const answer = await fetch(`${simulator.url}/v4/jobGroups/${old}/publish`, {
    method: "PUT",
    headers: { "content-type": "application/json", authorization: "Bearer simulator-token" },
    body: JSON.stringify(body),
  });
  expect(answer.status).toBe(200);
  await eventually(async () => (await turnFromNow(site)).words.includes("1 left alone"));
  expect(site.puts(old)).toHaveLength(1);
  expect(await site.queue("completions").getJobCountByTypes()).toBe(0);
});

test("a webhook that never came is counted and told once the grace is over; one that came is not", async () => {
  const site = await openPolled({ POLL_INTERVAL: "1s", POLL_GRACE: "3s" });
  const relay = await site.startProcess();
  await turnFromNow(site);
  const beforeThem = Date.now();
  const [came, never] = [1, 2].map(() => site.simulator.createJobGroup({ webhook: false })) as [
    number,
    number,
  ];
  await relay.report(came);
  await site.ended(never);
  await turnFromNow(site);
  expect(await reportsOf(relay, came)).toMatchObject([{ source: "webhook" }]);
  const [report] = await reportsOf(relay, never);
  expect(report?.source).toBe("poller");
  expect(report?.at).toBeGreaterThanOrEqual(beforeThem + 3_000);
  expect(await metric(relay, "webhook_losses_total")).toBe(1);
  expect(await metric(relay, "poll_found_total")).toBe(1);
  const told = relay.process
    .output()
    .split("\n")
    .filter((line) => line.includes("no webhook told of job group"));
  expect(told).toHaveLength(1);
  expect(JSON.parse(told[0] ?? "")).toMatchObject({ level: 40, jobGroupId: never });

  // It comes late after all: nothing is published twice, and the loss stays counted.
  expect(await relay.report(never)).toMatchObject({ status: 202, duplicate: true });
  expect(site.puts(never)).toHaveLength(1);
});

test("300 job groups of an outage are all found, in several turns that follow at once, by capped pages", async () => {
  const site = await openPolled({ POLL_INTERVAL: "10m", POLL_MAX_PAGES: "4", ...NO_WEBHOOKS });
  const { simulator } = site;
  simulator.set({ maxLimit: 40 });
  const first = await site.start();
  await turned(site);
  await first.stop();
  const ids = Array.from({ length: 300 }, () => simulator.createJobGroup({ webhook: false }));

  // The interval is ten minutes: the first turn after a start comes at once all the same.
  const startedAt = Date.now();
  const second = await site.start({ ROLES: "web,poll" });
  await eventually(async () => (await metric(second, "poll_found_total")) === 300);
  expect(Date.now() - startedAt).toBeLessThan(10_000);
  const reported = await site.queue("completions").getJobs();
  expect(reported.map(({ data }) => data.jobGroupId as number).sort((a, b) => a - b)).toEqual(ids);
  const turns = (await site.queue("poll").getJobs(["completed"])).map(({ returnvalue }) => returnvalue);
  expect(turns.filter(({ more }) => more)).toHaveLength(2);
  expect(turns.every(({ pages }) => pages <= 4)).toBe(true);

  // To be ready it needs its worker; which rules it runs it only says: it dispatches nothing.
  const ready = await fetch(`${second.url}/readyz`);
  expect(ready.status).toBe(200);
  const { checks } = (await ready.json()) as { checks: { name: string }[] };
  expect(checks.map(({ name }) => name)).toEqual(["redis", "rules", "workers"]);
});

test("a list that the platform refuses, or that fails, is told, and the next turn comes as usual", async () => {
  const site = await openPolled({ POLL_INTERVAL: "1s", ...NO_WEBHOOKS });
  site.simulator.addFault({ kind: "status", status: 403, on: "jobLibrary", times: 1 });
  const relay = await site.startProcess();
  await relay.process.line(/"level":50.*403.*could not read the platform's list/);
  await turnFromNow(site);
  site.simulator.addFault({ kind: "status", status: 500, on: "jobLibrary", times: 1 });
  await relay.process.line(/"level":40.*500.*could not read the platform's list/);
  const id = site.simulator.createJobGroup({ webhook: false });
  await site.ended(id);
  const failed = await site.queue("poll").getJobs(["failed"]);
  expect(failed.map(({ failedReason }) => failedReason).sort()).toEqual([
    expect.stringContaining("403"),
    expect.stringContaining("500"),
  ]);
});

test("while the gate to the platform is shut a turn says so, and nothing is lost", async () => {
  const site = await openPolled({ POLL_INTERVAL: "1s", ...NO_WEBHOOKS });
  await site.start();
  await turnFromNow(site);
  await site.simulator.goAway();
  await eventually(async () =>
    (await turnFromNow(site)).words.startsWith("The gate to the platform is shut"),
  );
  const id = site.simulator.createJobGroup({ webhook: false });
  await site.simulator.comeBack();
  await site.ended(id);
});

test("the board shows the turns and what they found", async () => {
  const site = await openPolled({ POLL_INTERVAL: "1s", ...NO_WEBHOOKS });
  const relay = await site.start();
  await turnFromNow(site);
  const answer = await fetch(`${relay.url}/board/api/queues?activeQueue=${encodeURIComponent("poll")}`);
  const { queues } = (await answer.json()) as {
    queues: { name: string; description: string; jobs: object[] }[];
  };
  const poll = queues.find(({ name }) => name === "poll");
  expect(poll?.description).toContain("no webhook told of");
  expect(JSON.stringify(poll?.jobs)).toContain("Looked at 1 page");
});

test("the lag of a poller that has never read the list counts from its begin", async () => {
  const site = await openPolled({ POLL_INTERVAL: "1s", ...NO_WEBHOOKS });
  site.simulator.addFault({ kind: "status", status: 403, on: "jobLibrary" });
  const relay = await site.start();
  await eventually(async () => ((await metric(relay, "poll_lag_seconds")) ?? 0) >= 2);
});
