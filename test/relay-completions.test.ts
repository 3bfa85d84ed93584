import { expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { API_TOKEN, nextRequest, only, openSite, statesOf } from "./support/relay.ts";

const TARGETS = {
  sales: { connection: 2, schema: "public" },
  finance: { connection: 3, schema: "reports" },
};
const everything = {
  name: "everything",
  when: "all",
  publish: [{ target: "sales", table: "orders", action: "load" }],
};
const production = {
  name: "production",
  when: { labels: { env: "prod" } },
  publish: [{ target: "finance", table: "orders", action: "load" }],
};
const openWith = (...rules: object[]) => openSite({ rules: { targets: TARGETS, rules } });

test("several reports of one job group are one completion: at once, one by one, and after it ended", async () => {
  const site = await openWith(everything);
  const relay = await site.start();
  const once = { status: 202, completion: "jobgroup-2", duplicate: false };
  const again = { ...once, duplicate: true };

  const told = await Promise.all(Array.from({ length: 20 }, () => relay.report(2)));
  expect(told.filter(({ duplicate }) => !duplicate)).toEqual([once]);
  expect(told.filter(({ duplicate }) => duplicate)).toEqual(Array.from({ length: 19 }, () => again));
  expect(await relay.report(2, { jobStatus: "Failed" })).toEqual(again);
  await site.ended(2);
  await site.dispatched(2);
  expect(await relay.report(2)).toEqual(again);

  // Whatever the last report did has been done once a later job group is through.
  const later = site.simulator.createJobGroup({ webhook: false });
  await relay.report(later);
  await site.ended(later);
  expect(site.puts(2)).toHaveLength(1);
  await eventually(async () => (await site.queue("publish.sales").getJobCountByTypes("completed")) === 2, {
    what: "both jobs are completed",
  });
  expect(await site.queue("completions").getJobCountByTypes()).toBe(2);
  expect(site.simulator.twice()).toEqual([]);
});

test("a report that brings new labels adds what now matches, and leaves what was published", async () => {
  const site = await openWith(everything, production);
  const relay = await site.start();
  await relay.report(2);
  expect(statesOf(await site.ended(2))).toEqual(["sales published"]);

  const labelled = { env: "prod" };
  expect(await relay.report(2, labelled)).toMatchObject({ status: 202, duplicate: false });
  expect(statesOf(await site.ended(2, 2))).toEqual(["finance published", "sales published"]);
  expect(await relay.report(2, { labels: labelled })).toMatchObject({ status: 202, duplicate: true });
  expect(site.puts(2)).toHaveLength(2);
  expect(site.simulator.tables().map(({ rows }) => rows)).toEqual([100, 100]);
  expect(await relay.story(2)).toMatchObject({ summary: "published 2 of 2" });
});

test("the summary says which of two rules won a table, and what was refused, in the answer and on the board; also what came later", async () => {
  const into = (name: string, table: string, when: unknown = "all") => ({
    name,
    when,
    publish: [{ target: "sales", table, action: "load" }],
  });
  const site = await openWith(
    into("upper", "Orders_{date}"),
    into("lower", "orders_{date}"),
    into("labelled", "t_{labels.env}", { labels: { env: "*" } }),
  );
  const relay = await site.start();
  await relay.report(2);
  await site.ended(2);
  const toldAlike = (words: RegExp) =>
    eventually(
      async () => {
        const parent = await site.queue("job-groups").getJob("jobgroup-2");
        const { summary } = (await relay.story(2)) as { summary: string };
        const shown = String(parent?.returnvalue?.words);
        if (words.test(summary) && shown === summary) return true;
        throw new Error(`${summary}\n${shown}`);
      },
      { what: "the summary" },
    );
  const won =
    'rule "lower", public\\.orders_\\d+ of connection 2: rule "upper", earlier in the file, publishes there';
  await toldAlike(new RegExp(`^published 1 of 1; ${won}`));
  await relay.report(2, { env: "no table" });
  await toldAlike(
    new RegExp(`^published 1 of 1; rule "labelled", .*\\{labels\\.env\\} is "no table".*; ${won}`),
  );
  await relay.report(2, { env: "prod" });
  await site.ended(2, 2);
  await toldAlike(new RegExp(`^published 2 of 2; ${won}`));
});

test("a report with new labels that comes while its job group is dispatched is not lost", async () => {
  const site = await openWith(everything, production);
  const relay = await site.start();
  site.simulator.addFault({ kind: "slow", on: "jobGroup", ms: 400, times: 1 });
  const asked = nextRequest(site.simulator, ({ kind }) => kind === "jobGroup");
  await relay.report(2);
  await asked;
  expect(await relay.report(2, { env: "prod" })).toMatchObject({ duplicate: false });
  expect(statesOf(await site.ended(2, 2))).toEqual(["finance published", "sales published"]);
});

test("a delivery that comes once more opens nothing again, but what it brings counts", async () => {
  const site = await openWith(production);
  const relay = await site.start();
  const send = async (labels: object) => {
    const answer = await fetch(`${relay.url}/v1/completions`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${API_TOKEN}`,
        "content-type": "application/json",
        "idempotency-key": "night-1",
      },
      body: JSON.stringify({ jobGroupId: 2, labels }),
    });
    return (await answer.json()) as { duplicate: boolean };
  };
  expect(await send({})).toMatchObject({ duplicate: false });
  expect((await site.dispatched(2)).returnvalue).toMatchObject({ outcome: "no-rule" });
  expect(await send({})).toMatchObject({ duplicate: true });
  expect(await send({ env: "prod" })).toMatchObject({ duplicate: false });
  expect(statesOf(await site.ended(2))).toEqual(["finance published"]);
});

test("a completion for which no rule was found is opened again by the next report", async () => {
  const site = await openWith(production);
  const relay = await site.start();
  await relay.report(2);
  const first = await site.dispatched(2);
  expect(await first.getState()).toBe("completed");
  expect(first.returnvalue).toMatchObject({ outcome: "no-rule", tasks: 0 });

  expect(await relay.report(2)).toMatchObject({ status: 202, duplicate: false });
  await eventually(async () => (await site.dispatched(2)).processedOn !== first.processedOn);
  expect((await site.dispatched(2)).returnvalue).toMatchObject({ outcome: "no-rule" });
  expect(await relay.report(2, { env: "prod" })).toMatchObject({ duplicate: false });
  expect(statesOf(await site.ended(2))).toEqual(["finance published"]);
});

test.each(["Failed", "Canceled"] as const)(
  "a job group that is %s on the platform ends as skipped with the reason, until it is reported anew",
  async (status) => {
    const site = await openWith(everything);
    const relay = await site.start();
    const id = site.simulator.createJobGroup({ status, webhook: false });
    await relay.report(id);
    const job = await site.dispatched(id);
    expect(await job.getState()).toBe("completed");
    expect(job.returnvalue).toEqual({
      outcome: "skipped",
      words: `Skipped: job group ${id} ${status.toLowerCase()} on the platform`,
      tasks: 0,
    });

    site.simulator.finishJobGroup(id, "Complete");
    expect(await relay.report(id)).toMatchObject({ status: 202, duplicate: false });
    await site.ended(id);
    expect(site.puts(id)).toHaveLength(1);
  },
);

test.each(["publish", "sampling"])(
  "a job group that ran for %s is not the user's: skipped",
  async (ranfor) => {
    const site = await openWith(everything);
    const relay = await site.start();
    const id = site.simulator.createJobGroup({ ranfor, webhook: false });
    await relay.report(id);
    const { returnvalue } = await site.dispatched(id);
    expect(returnvalue).toMatchObject({ outcome: "skipped", words: expect.stringContaining(`"${ranfor}"`) });
    expect(site.puts(id)).toEqual([]);
  },
);

test("a job group that has not ended, or is not known yet, is looked at again later", async () => {
  const site = await openWith(everything);
  const relay = await site.start();
  const running = site.simulator.createJobGroup({ status: "InProgress", webhook: false });
  const unknown = running + 1;
  const asked = [running, unknown].map((id) =>
    nextRequest(site.simulator, ({ kind, jobGroupId }) => kind === "jobGroup" && jobGroupId === id),
  );
  await Promise.all([running, unknown].map((id) => relay.report(id)));
  await Promise.all(asked);
  await eventually(async () => {
    const jobs = await site.queue("completions").getJobs();
    return jobs.length === 2 && jobs.every(({ progress }) => JSON.stringify(progress).includes("later"));
  });
  site.simulator.finishJobGroup(running);
  site.simulator.createJobGroup({ id: unknown, webhook: false });

  await Promise.all([running, unknown].map((id) => site.ended(id)));
  expect([running, unknown].map((id) => site.puts(id).length)).toEqual([1, 1]);
  const { attemptsMade } = await site.dispatched(running);
  expect(attemptsMade).toBe(1);
});

test("the story of a job group is told by the API", async () => {
  const site = await openWith(everything, production);
  const relay = await site.start();
  site.simulator.addFault({ kind: "status", status: 403, connection: 3 });
  await relay.report(2, { env: "prod" });
  await site.ended(2, 2);

  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
  const task = {
    schema: expect.any(String),
    table: "orders",
    action: "load",
    submittingAt: time,
    endedAt: time,
  };
  expect(await relay.story(2)).toMatchObject({
    jobGroupId: 2,
    completion: {
      outcome: "dispatched",
      words: "Job group 2: 2 new publish tasks",
      labels: { env: "prod" },
      source: "webhook",
      reportedAt: time,
    },
    summary: "published 1 of 2, 1 failed",
    tasks: expect.arrayContaining([
      expect.objectContaining({
        ...task,
        id: "jobgroup-2-2-public-orders",
        target: "sales",
        rule: "everything",
        state: "published",
        publishJobId: only(site.simulator.publishes(2)).jobId,
        words: expect.stringContaining("Published to sales.public.orders"),
      }),
      expect.objectContaining({
        ...task,
        id: "jobgroup-2-3-reports-orders",
        target: "finance",
        rule: "production",
        state: "failed",
        words: expect.stringContaining("403"),
      }),
    ]),
  });
  expect(await relay.story(3)).toMatchObject({ status: 404 });
});

test("each report of a job group is remembered: who sent it, when, under which name, with which labels", async () => {
  const site = await openWith(everything);
  const relay = await site.start();
  await relay.report(2, { env: "prod" });
  await fetch(`${relay.url}/v1/completions`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${API_TOKEN}`,
      "content-type": "application/json",
      "idempotency-key": "run-7",
    },
    body: JSON.stringify({ jobGroupId: 2, labels: { team: "sales" } }),
  });
  await site.ended(2);
  await site.queue("completions").add("completion", { jobGroupId: 2 }, { jobId: "mine" });
  const story = await eventually(
    async () => {
      const found = (await relay.story(2)) as { completion: { reportCount: number; reports: object[] } };
      return found.completion.reportCount === 3 ? found : undefined;
    },
    { what: "three reports" },
  );
  const at = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
  expect(story.completion.reports).toEqual([
    {
      at,
      source: "webhook",
      status: "Complete",
      delivery: expect.stringMatching(/^signed /),
      labels: { env: "prod" },
    },
    { at, source: "api", delivery: "run-7", labels: { team: "sales" } },
    { at, source: "message", delivery: "mine", labels: {} },
  ]);
});

test("of very many reports the first and the newest are remembered, and all are counted", async () => {
  const site = await openWith(everything);
  const relay = await site.start();
  await relay.report(2, { n: 1 });
  for (let n = 2; n <= 60; n++) await relay.report(2, { n });
  const { completion } = (await relay.story(2)) as {
    completion: { reportCount: number; reports: { labels: { n: string } }[] };
  };
  expect(completion.reportCount).toBe(60);
  expect(completion.reports).toHaveLength(50);
  expect(completion.reports.map(({ labels }) => Number(labels.n))).toEqual([
    1,
    ...Array.from({ length: 49 }, (_, i) => i + 12),
  ]);
});

test("a completion whose record was lost with Redis' last second is dispatched all the same", async () => {
  const site = await openWith(everything);
  await site.start();
  const data = { jobGroupId: 2, status: "Complete", labels: {}, merged: true };
  await site.queue("completions").add("completion", data, { jobId: "jobgroup-2" });
  expect(only(await site.ended(2)).record.state).toBe("published");
});
