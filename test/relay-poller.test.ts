import { Queue } from "bullmq";
import { expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { nextRequest, openSite, type Site } from "./support/relay.ts";

const RULES = {
  targets: { sales: { connection: 2, schema: "public", concurrency: 50 } },
  rules: [
    {
      name: "all",
      when: "all",
      publish: [{ target: "sales", table: "orders_{jobGroupId}", action: "load" }],
    },
  ],
};
const NO_WEBHOOKS = { WEBHOOK_SECRETS: "" };
const open = (env: Readonly<Record<string, string>>) =>
  openSite({ rules: RULES, simulator: { settings: { appearMs: 10, publishMs: 50 } }, env });

/** The value that `/metrics` shows for a name without labels. */
async function metric(url: string, name: string): Promise<number | undefined> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const value = new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

/** Resolves once a turn of the poller has begun after this moment and has ended. */
async function turnFromNow(site: Site): Promise<{ words: string }> {
  const from = Date.now();
  return eventually(
    async () => {
      const jobs = await site.queue("poll").getJobs(["completed", "failed"]);
      return jobs.find(({ processedOn = 0 }) => processedOn >= from)?.returnvalue as { words: string };
    },
    { timeoutMs: 15_000, what: "a turn of the poller" },
  );
}

async function sources(relay: { story(id: number): Promise<unknown> }, id: number): Promise<string[]> {
  const story = (await relay.story(id)) as { completion?: { reports: { source: string }[] } };
  return (story.completion?.reports ?? []).map(({ source }) => source);
}

test("with webhooks off, what finishes is found and published; what had finished before, and other kinds, are not", async () => {
  const site = await open({ POLL_INTERVAL: "1s", ...NO_WEBHOOKS });
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

  expect(await sources(relay, ids[0] ?? 0)).toEqual(["poller"]);
  const { words } = await turnFromNow(site);
  expect(words).toBe("Looked at 1 page, 4 job groups: 0 new");
  expect(await site.queue("completions").getJobCountByTypes()).toBe(4);
  expect([2, failed].map((id) => site.puts(id).length)).toEqual([0, 0]);
  expect(await metric(relay.url, "publish_relay_poll_found_total")).toBe(4);
  expect(await metric(relay.url, "publish_relay_webhook_losses_total")).toBe(0);
  expect(await metric(relay.url, "publish_relay_poll_lag_seconds")).toBeLessThan(10);
  expect((await fetch(`${relay.url}/readyz`)).status).toBe(200);
});

test("a webhook that never came is counted and told once the grace is over; one that came is not", async () => {
  const site = await open({ POLL_INTERVAL: "1s", POLL_GRACE: "3s" });
  const relay = await site.startProcess();
  await turnFromNow(site);
  const [came, never] = [1, 2].map(() => site.simulator.createJobGroup({ webhook: false })) as [
    number,
    number,
  ];
  await relay.report(came);
  const turn = await turnFromNow(site);
  expect(turn.words).toMatch(/0 new, 1 held back until \d{4}-/);
  expect(await site.tasks(never)).toEqual([]);

  await site.ended(never);
  await turnFromNow(site);
  expect(await sources(relay, came)).toEqual(["webhook"]);
  expect(await sources(relay, never)).toEqual(["poller"]);
  expect(await metric(relay.url, "publish_relay_webhook_losses_total")).toBe(1);
  expect(await metric(relay.url, "publish_relay_poll_found_total")).toBe(1);
  const told = relay.process
    .output()
    .split("\n")
    .filter((line) => line.includes("no webhook told of job group"));
  expect(told).toHaveLength(1);
  expect(JSON.parse(told[0] ?? "")).toMatchObject({ level: 40, jobGroupId: never });

  // It comes late after all, with labels: nothing is published twice, and the loss stays counted.
  expect(await relay.report(never)).toMatchObject({ status: 202, duplicate: true });
  expect(site.puts(never)).toHaveLength(1);
});

test("300 job groups of an outage are all found, in several turns that follow at once, by capped pages", async () => {
  const site = await open({ POLL_INTERVAL: "10m", POLL_MAX_PAGES: "4", ...NO_WEBHOOKS });
  const { simulator } = site;
  simulator.set({ maxLimit: 40 });
  const first = await site.start();
  await eventually(async () => (await metric(first.url, "publish_relay_poll_lag_seconds")) !== undefined);
  await first.stop();
  const ids = Array.from({ length: 300 }, () => simulator.createJobGroup({ webhook: false }));

  // The interval is ten minutes: the first turn after a start comes at once all the same.
  const startedAt = Date.now();
  const second = await site.start({ ROLES: "web,poll" });
  await eventually(async () => (await metric(second.url, "publish_relay_poll_found_total")) === 300);
  expect(Date.now() - startedAt).toBeLessThan(10_000);
  const reported = await site.queue("completions").getJobs();
  expect(reported.map(({ data }) => data.jobGroupId as number).sort((a, b) => a - b)).toEqual(ids);
  const turns = (await site.queue("poll").getJobs(["completed"])).map(({ returnvalue }) => returnvalue);
  expect(turns.filter(({ more }) => more)).toHaveLength(2);
  expect(turns.every(({ pages }) => pages <= 4)).toBe(true);
});

test("a process killed with -9 in the middle of a turn: another goes on, and nothing is missed or reported twice", async () => {
  const site = await open({ POLL_INTERVAL: "1s", POLL_MAX_PAGES: "2", ROLES: "web,poll", ...NO_WEBHOOKS });
  const { simulator } = site;
  const first = await site.startProcess();
  await turnFromNow(site);
  simulator.set({ maxLimit: 10 });
  // Its third page is answered when nobody listens any more.
  simulator.addFault({ kind: "slow", on: "jobLibrary", skip: 2, times: 1, ms: 20_000 });
  const ids = Array.from({ length: 60 }, () => simulator.createJobGroup({ webhook: false }));
  const hung = new Promise<void>((resolve) => {
    const pages = (n: number): void =>
      void nextRequest(simulator, ({ kind }) => kind === "jobLibrary").then(() =>
        n === 1 ? resolve() : pages(n - 1),
      );
    pages(3);
  });
  await hung;
  const second = await site.start();
  await first.process.kill();

  await eventually(async () => (await metric(second.url, "publish_relay_poll_found_total")) === 60, {
    timeoutMs: 20_000,
    what: "the other 60",
  });
  for (const id of ids) expect(await sources(second, id)).toEqual(["poller"]);
});

test("of two processes one polls at a time, and one schedule serves both", async () => {
  const site = await open({ POLL_INTERVAL: "1s", ROLES: "web,poll" });
  site.simulator.addFault({ kind: "slow", on: "jobLibrary", ms: 700 });
  await Promise.all([site.start(), site.start()]);
  const asked = () =>
    site.simulator
      .requests({ kind: "jobLibrary" })
      .flatMap(({ at, answeredAt }) => (answeredAt === undefined ? [] : [{ at, answeredAt }]));
  await eventually(() => asked().length >= 6, { timeoutMs: 15_000 });
  const overlapping = asked().filter(({ at }, i, all) => i > 0 && at < (all[i - 1]?.answeredAt ?? 0));
  expect(overlapping).toEqual([]);
  expect(await site.queue("poll").getJobSchedulersCount()).toBe(1);
});

test("a list that the platform refuses, or that fails, is told, and the next turn comes as usual", async () => {
  const site = await open({ POLL_INTERVAL: "1s", ...NO_WEBHOOKS });
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
  const site = await open({ POLL_INTERVAL: "1s", ...NO_WEBHOOKS });
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

test("the interval is the newest start's; switched off there is no schedule, and switched on it goes on where it was", async () => {
  const site = await open(NO_WEBHOOKS);
  const every = async () => (await site.queue("poll").getJobSchedulers()).map((one) => one.every);
  const first = await site.start({ POLL_INTERVAL: "10m" });
  await turnFromNow(site).catch(() => undefined);
  expect(await every()).toEqual([600_000]);
  await first.stop();
  const second = await site.start({ POLL_INTERVAL: "20m" });
  expect(await every()).toEqual([1_200_000]);
  await eventually(async () => (await metric(second.url, "publish_relay_poll_lag_seconds")) !== undefined);
  await second.stop();

  const off = await site.start({ POLL_INTERVAL: "off" });
  expect(await every()).toEqual([]);
  expect(await metric(off.url, "publish_relay_poll_lag_seconds")).toBeUndefined();
  const id = site.simulator.createJobGroup({ webhook: false });
  await off.stop();
  await site.start({ POLL_INTERVAL: "10m" });
  await site.ended(id);
});

test("a schedule that is gone, as after an empty Redis, is made again by the next look at it", async () => {
  const site = await open({ POLL_INTERVAL: "10m" });
  await site.start();
  const queue: Queue = site.queue("poll");
  await queue.obliterate({ force: true });
  await site.start();
  expect(await queue.getJobSchedulersCount()).toBe(1);
  expect(await queue.getGlobalConcurrency()).toBe(1);
});

test("the board shows the turns and what they found", async () => {
  const site = await open({ POLL_INTERVAL: "1s", ...NO_WEBHOOKS });
  const relay = await site.start();
  await turnFromNow(site);
  const answer = await fetch(
    `${relay.url}/board/api/queues?activeQueue=${encodeURIComponent("Completions:poll")}`,
  );
  const { queues } = (await answer.json()) as {
    queues: { name: string; description: string; jobs: object[] }[];
  };
  const poll = queues.find(({ name }) => name === "Completions:poll");
  expect(poll?.description).toContain("no webhook told of");
  expect(JSON.stringify(poll?.jobs)).toContain("Looked at 1 page");
});
