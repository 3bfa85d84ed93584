import { expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { only, openSite, statesOf, untilState } from "./support/relay.ts";

const TARGETS = {
  sales: { connection: 2, schema: "public" },
  finance: { connection: 3, schema: "reports" },
  archive: { connection: 4, schema: "archive" },
};
const toSales = (publication: object, targets: object = { sales: TARGETS.sales }) => ({
  targets,
  rules: [{ name: "everything", when: "all", publish: [{ target: "sales", table: "t", ...publication }] }],
});

test("sends exactly what the platform's task page shows, with the recipe that the job group names", async () => {
  const site = await openSite({ rules: toSales({ table: "test_table2", action: "create", format: "avro" }) });
  const relay = await site.start();
  const withoutRecipe = site.simulator.createJobGroup({ recipeId: null, webhook: false });
  expect(await relay.report(2)).toEqual({ status: 202, completion: "jobgroup-2", duplicate: false });
  await relay.report(withoutRecipe);
  await Promise.all([site.ended(2), site.ended(withoutRecipe)]);

  const asDocumented = {
    connection: { id: 2 },
    path: ["public"],
    table: "test_table2",
    action: "create",
    inputFormat: "avro",
  };
  const { method, path, body } = only(site.puts(2));
  expect(`${method} ${path}`).toBe("PUT /v4/jobGroups/2/publish");
  expect(body).toStrictEqual({ ...asDocumented, flowNodeId: 27 });
  expect(only(site.puts(withoutRecipe)).body).toStrictEqual(asDocumented);
});

test("publishes to three targets, of which one answers 429, one 503 and one is slow", async () => {
  const common = { table: "orders", action: "load", settleAfter: "1s", backoff: "100ms" };
  const site = await openSite({
    rules: {
      targets: TARGETS,
      rules: [
        {
          name: "orders",
          when: { recipe: "orders" },
          publish: Object.keys(TARGETS).map((target) => ({ target, ...common })),
        },
      ],
    },
    simulator: { settings: { rows: 7 } },
  });
  const { simulator } = site;
  const relay = await site.start();
  simulator.addFault({ kind: "status", status: 429, retryAfterSeconds: 1, connection: 2, times: 1 });
  simulator.addFault({ kind: "status", status: 503, connection: 3, times: 1 });
  simulator.addFault({ kind: "slow", ms: 700, connection: 4, times: 1 });
  simulator.setWebhooks({ url: `${relay.url}/webhooks/designer-cloud`, secret: "webhook-secret" });
  const id = simulator.createJobGroup({ recipeId: 27 });

  const tasks = await site.ended(id, 3);
  expect(statesOf(tasks)).toEqual(["archive published", "finance published", "sales published"]);
  expect(simulator.tables().map(({ connection, rows }) => [connection, rows])).toEqual(
    expect.arrayContaining([
      [2, 7],
      [3, 7],
      [4, 7],
    ]),
  );
  const putsTo = (connection: number) =>
    site.puts(id).filter(({ body }) => (body as { connection: { id: number } }).connection.id === connection);
  expect([2, 3, 4].map((connection) => putsTo(connection).map(({ result }) => result))).toEqual([
    [429, 200],
    [503, 200],
    [200],
  ]);
  const [refused, accepted] = putsTo(2);
  expect(Number(accepted?.at) - Number(refused?.answeredAt)).toBeGreaterThanOrEqual(1_000);
  // A 429 speaks to everybody: while it is told to wait, nothing is sent to the other targets either.
  const meanwhile = site
    .puts(id)
    .filter(({ at }) => at > Number(refused?.answeredAt) + 100 && at < Number(refused?.answeredAt) + 1_000);
  expect(meanwhile).toEqual([]);

  const parent = await eventually(async () => {
    const job = await site.onlyJob("job-groups");
    return job.finishedOn ? job : undefined;
  });
  expect(parent.id).toBe(`jobgroup-${id}`);
  expect(parent.returnvalue).toMatchObject({ words: "published 3 of 3", published: 3, tasks: 3 });
});

test("a publish that is answered 200 and then fails ends as failed, with the platform's words", async () => {
  const site = await openSite({ rules: toSales({ action: "load", attempts: 1 }) });
  const relay = await site.start();
  const message = "Insufficient privileges on relation t";
  site.simulator.addFault({ kind: "fail", errorMessage: { name: "PublishFailed", message } });
  await relay.report(2);

  const { record } = only(await site.ended(2));
  expect(record.state).toBe("failed");
  expect(record.words).toContain(message);
  const job = await eventually(async () => {
    const found = await site.onlyJob("publish.sales");
    return found.finishedOn ? found : undefined;
  });
  expect(await job.getState()).toBe("failed");
  expect(job.failedReason).toContain(message);
  expect(site.puts(2)).toHaveLength(1);
  const parent = await eventually(async () => {
    const found = await site.onlyJob("job-groups");
    return found.finishedOn ? found : undefined;
  });
  expect(parent.returnvalue).toMatchObject({ words: "published 0 of 1, 1 failed" });
});

test("a publish that fails is sent again after its backoff, as often as the rule allows", async () => {
  const site = await openSite({ rules: toSales({ action: "load", attempts: 3, backoff: "300ms" }) });
  const relay = await site.start();
  site.simulator.addFault({ kind: "fail", times: 2 });
  await relay.report(2);

  const { record } = only(await site.ended(2));
  expect(record).toMatchObject({ state: "published", attempts: 2 });
  expect(site.simulator.tables("t")[0]?.rows).toBe(100);
  const ends = site.simulator.publishes(2).map(({ endedAt }) => Number(endedAt));
  const [, second, third] = site.puts(2);
  expect(site.puts(2)).toHaveLength(3);
  expect(Number(second?.at) - Number(ends[0])).toBeGreaterThanOrEqual(300);
  expect(Number(third?.at) - Number(ends[1])).toBeGreaterThanOrEqual(600);
});

test("a publish that never ends does not end as published: at its deadline it is parked, with evidence", async () => {
  const site = await openSite({ rules: toSales({ action: "load", deadline: "2s" }) });
  const relay = await site.start();
  site.simulator.addFault({ kind: "stuck" });
  await relay.report(2);
  const { record: under } = await untilState(site, 2, "submitted");
  expect(under.endedAt).toBeUndefined();
  expect(await (await site.onlyJob("publish.sales")).getState()).toBe("active");

  const { record } = only(await site.ended(2));
  expect(record.state).toBe("parked");
  const parked = await eventually(() => site.onlyJob("parked"));
  expect(parked.id).toBe("jobgroup-2-2-public-t");
  expect(parked.data).toMatchObject({
    jobGroupId: 2,
    table: "t",
    evidence: {
      why: expect.stringContaining("deadline of 2.0 s"),
      sent: { connection: { id: 2 }, table: "t", action: "load" },
      listed: { jobs: [{ status: "InProgress", jobType: "publish" }] },
    },
  });
  expect(site.puts(2)).toHaveLength(1);
  expect(site.simulator.tables()).toEqual([]);
});
