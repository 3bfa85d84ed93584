import { expect, test } from "vitest";
import { executionIdOf } from "../src/producers/execution-id.ts";
import { openRedis } from "./support/redis.ts";
import { API_TOKEN } from "./support/relay.ts";
import { type Answer, openTenant, post, run, runsAsked, started } from "./support/runs.ts";

test("a run is started with its parameters, its job group is published by the rules, and the same key runs nothing again", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const order = { recipeId: 28, parameters: { country: "Germany", year: 2026 } };
  const first = await post(relay, order, "orders-1");
  expect(first).toMatchObject({
    status: 202,
    body: { repeated: false, idempotencyKey: "orders-1", jobGroupId: expect.any(Number) },
  });
  const { jobGroupId } = first.body;
  expect(runsAsked(site).map(({ body }) => body)).toEqual([
    {
      wrangledDataset: { id: 28 },
      runParameters: {
        overrides: {
          data: [
            { key: "country", value: "Germany" },
            { key: "year", value: "2026" },
          ],
        },
      },
    },
  ]);
  for (const again of [
    await post(relay, order, "orders-1"),
    await post(relay, { ...order, idempotencyKey: "orders-1" }),
  ])
    expect(again).toMatchObject({ status: 202, body: { jobGroupId, repeated: true } });
  expect(await site.ended(jobGroupId ?? 0)).toMatchObject([{ record: { state: "published" } }]);
  expect(await started(site)).toEqual([jobGroupId]);
  expect(await relay.story(jobGroupId ?? 0)).toMatchObject({ completion: { source: "run" } });

  const other = await post(relay, { recipeId: 28 }, "orders-1");
  expect(other).toMatchObject({ status: 422, body: { detail: expect.stringContaining("another run") } });
  expect(await started(site)).toHaveLength(1);
});

test("one that still runs is looked at again until it has ended", async () => {
  const site = await openTenant({ runMs: 700 });
  const relay = await site.start();
  const { body } = await post(relay, { recipeId: 27 });
  expect(await site.ended(body.jobGroupId ?? 0)).toMatchObject([{ record: { state: "published" } }]);
  const [told] = (await site.queue("completions").getJobLogs(`jobgroup-${body.jobGroupId}`)).logs;
  expect(told).toContain('is "InProgress"; looking again in 5 s');
});

test("what is refused ran nothing: the same key may be used once that is mended", async () => {
  const site = await openTenant();
  const relay = await site.start();
  expect(await post(relay, { recipeId: 99 }, "k")).toMatchObject({ status: 404 });
  expect(await post(relay, { recipeId: 27 }, "k")).toMatchObject({ status: 202, body: { repeated: false } });
  site.simulator.addFault({ kind: "status", status: 429, retryAfterSeconds: 7, on: "run", times: 1 });
  const busy = await post(relay, { recipeId: 27 }, "busy");
  expect(busy).toMatchObject({
    status: 503,
    body: { detail: expect.stringContaining("It was not started") },
  });
  expect(busy.headers.get("retry-after")).toBe("7");
  expect(await post(relay, { recipeId: 27 }, "busy")).toMatchObject({ status: 202 });
  // A run has a quota of its own: publishes go on.
  expect(await site.ended((await started(site))[0] ?? 0)).toHaveLength(1);
});

test("Avro is asked for where the recipe's last results lack it, beside them, and not where they have it", async () => {
  const site = await openTenant({ recipes: [{ id: 28, name: "customers", flowId: 11, formats: ["csv"] }] });
  const relay = await site.start();
  const before = site.simulator.createJobGroup({ recipeId: 28, formats: ["csv"], webhook: false });
  const { body } = await post(relay, { recipeId: 28, format: "avro" });
  expect(runsAsked(site).at(-1)?.body).toEqual({
    wrangledDataset: { id: 28 },
    overrides: {
      writesettings: [
        {
          path: `s3://bucket/results/${before}/result.avro`,
          format: "avro",
          action: "create",
          compression: "none",
          header: false,
          asSingleFile: false,
        },
      ],
    },
  });
  expect(await site.ended(body.jobGroupId ?? 0)).toMatchObject([{ record: { state: "published" } }]);

  // What the relay's own run wrote tells nothing of the recipe's outputs: it is asked for again.
  await post(relay, { recipeId: 28, format: "avro" }, "once more");
  expect(runsAsked(site).at(-1)?.body).toMatchObject({ overrides: { writesettings: [{ format: "avro" }] } });

  // The command sends the same, beside the parameters.
  await run(site, { recipeId: 28, format: "avro", parameters: { country: "Germany" } });
  expect(runsAsked(site).at(-1)?.body).toEqual({
    ...(runsAsked(site)[0]?.body as object),
    runParameters: { overrides: { data: [{ key: "country", value: "Germany" }] } },
  });

  await post(relay, { recipeId: 27, format: "avro" });
  expect(runsAsked(site).at(-1)?.body).toEqual({ wrangledDataset: { id: 27 } });
  const unknown = await post(relay, { recipeId: 30, format: "avro" });
  expect(unknown).toMatchObject({
    status: 422,
    body: { detail: expect.stringContaining("Say where as path") },
  });
  await post(relay, { recipeId: 30, format: "avro", path: "s3://b/ledger.avro" });
  expect(runsAsked(site).at(-1)?.body).toMatchObject({
    overrides: { writesettings: [{ path: "s3://b/ledger.avro" }] },
  });
});

test("what is given as a parameter is not kept by the relay, nor repeated when the platform refuses", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const order = { recipeId: 27, parameters: { password: "hunter2-hunter2" } };
  site.simulator.addFault({
    kind: "status",
    status: 400,
    on: "run",
    times: 1,
    body: { exception: { name: "ValidationFailed", message: "password hunter2-hunter2 is odd" } },
  });
  const refused = await post(relay, order, "k");
  expect(refused).toMatchObject({ status: 422, body: { detail: expect.stringContaining("password ***") } });
  expect(await post(relay, order, "k")).toMatchObject({ status: 202 });
  const redis = openRedis();
  const kept = await redis.keys(`{${site.namespace}}*`);
  expect(kept.some((key) => key.includes(":run:"))).toBe(true);
  // One that lives shortly may be gone by now.
  for (const key of kept) expect((await redis.dumpBuffer(key))?.includes("hunter2") ?? false).toBe(false);
});

test.each([
  ["/v1/runs", 'The body is empty. Send {"recipeId":27}'],
  ["/v1/replays", 'The body is empty. Send {"jobGroupIds":[31]}'],
  ["/v1/tasks/jobgroup-31/resolve", 'The body is empty. Send {"outcome"'],
])("an empty body is answered with what this route takes: %s", async (path, words) => {
  const site = await openTenant();
  const { url } = await site.start();
  const headers = { authorization: `Bearer ${API_TOKEN}` };
  const answer = await fetch(`${url}${path}`, { method: "POST", headers });
  const { detail } = (await answer.json()) as Answer;
  expect([answer.status, detail]).toEqual([400, expect.stringContaining(words)]);
  expect(detail).not.toContain("$jobId");
});

test("an execution id is a UUID, the same for the same key, and another one in each namespace", () => {
  const id = executionIdOf("publish-relay", "orders");
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(executionIdOf("publish-relay", "orders")).toBe(id);
  expect(executionIdOf("other", "orders")).not.toBe(id);
  expect(executionIdOf("publish-relay", "orders2")).not.toBe(id);
});
