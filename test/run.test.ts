import { pino } from "pino";
import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { executionIdOf } from "../src/producers/execution-id.ts";
import { type RunArguments, runRun } from "../src/run-command.ts";
import { eventually } from "./support/eventually.ts";
import { openRedis } from "./support/redis.ts";
import { API_TOKEN, type LocalRelay, openSite, type Site } from "./support/relay.ts";

const RULES = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [
    { name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "createAndLoad" }] },
  ],
};

const openTenant = (settings: object = {}) =>
  openSite({ rules: RULES, simulator: { settings: { publishMs: 20, runMs: 0, ...settings } } });

interface Answer {
  readonly jobGroupId: number | null;
  readonly repeated: boolean;
  readonly idempotencyKey: string;
  readonly detail: string;
}

async function post(relay: LocalRelay, body: object, key?: string) {
  const response = await fetch(`${relay.url}/v1/runs`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${API_TOKEN}`,
      "content-type": "application/json",
      ...(key !== undefined && { "idempotency-key": key }),
    },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer };
}

/** The job groups that were started by the API, whoever knows of them. */
async function started(site: Site): Promise<number[]> {
  const headers = { authorization: "Bearer simulator-token" };
  const list = await fetch(`${site.simulator.url}/v4/jobLibrary?ranfrom=api`, { headers });
  return ((await list.json()) as { data: { id: number }[] }).data.map(({ id }) => id);
}
const runsAsked = (site: Site) => site.simulator.requests({ kind: "run" });

const run = (site: Site, more: Partial<RunArguments>, tell: (words: string) => void = () => {}) =>
  runRun(
    { recipeId: 27, parameters: {}, wait: false, json: false, ...more },
    readConfig(site.env),
    pino({ level: "silent" }),
    tell,
  );

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
  expect(other).toMatchObject({ status: 409, body: { detail: expect.stringContaining("another run") } });
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

test("an answer that is lost: asked again with the same execution id, the 304 is understood, and the job group is found", async () => {
  const site = await openTenant();
  const relay = await site.start();
  site.simulator.addFault({ kind: "apply-and-drop", on: "run", times: 1 });
  const { status, body } = await post(relay, { recipeId: 27 }, "lost");
  expect(status).toBe(202);
  expect(await started(site)).toEqual([body.jobGroupId]);
  expect(body.repeated).toBe(false);
  expect(runsAsked(site).map(({ result }) => result)).toEqual(["dropped", 304]);
  expect(await site.ended(body.jobGroupId ?? 0)).toHaveLength(1);
});

test("while no answer comes at all it is told so with the key, and asking again with it runs nothing twice", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const fault = site.simulator.addFault({ kind: "apply-and-504", on: "run" });
  const lost = await post(relay, { recipeId: 27 });
  expect(lost).toMatchObject({
    status: 503,
    body: { idempotencyKey: expect.any(String), detail: expect.stringContaining("It may have been started") },
  });
  expect(lost.headers.get("retry-after")).toBe("2");
  site.simulator.clearFaults(fault);
  // Somebody else runs the same recipe meanwhile: it is not taken for ours.
  const theirs = await post(relay, { recipeId: 27 }, "theirs");
  const { status, body } = await post(relay, { recipeId: 27 }, lost.body.idempotencyKey);
  expect({ status, repeated: body.repeated }).toEqual({ status: 202, repeated: true });
  expect(body.jobGroupId).not.toBe(theirs.body.jobGroupId);
  expect(new Set(await started(site))).toEqual(new Set([body.jobGroupId, theirs.body.jobGroupId]));
  expect(await started(site)).toHaveLength(2);
});

test("which job group it is is not guessed when two could be it", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const fault = site.simulator.addFault({ kind: "apply-and-drop", on: "run" });
  const both = await Promise.all([post(relay, { recipeId: 27 }, "a"), post(relay, { recipeId: 27 }, "b")]);
  expect(both.map(({ status }) => status)).toEqual([503, 503]);
  site.simulator.clearFaults(fault);
  const again = await post(relay, { recipeId: 27 }, "a");
  expect(again).toMatchObject({
    status: 202,
    body: { jobGroupId: null, repeated: true, detail: expect.stringContaining("cannot be told") },
  });
  expect(await started(site)).toHaveLength(2);
});

test("two that ask at once with one key run it once and hear of the same job group", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const both = await Promise.all([1, 2, 3].map(() => post(relay, { recipeId: 27 }, "together")));
  const ids = await started(site);
  expect(ids).toHaveLength(1);
  expect(both.map(({ body }) => body.jobGroupId)).toEqual([ids[0], ids[0], ids[0]]);
  expect(both.map(({ body }) => body.repeated).filter((repeated) => !repeated)).toHaveLength(1);
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

test("the command waits until all is published, and says so; what is not published, or not started, ends with 1", async () => {
  const site = await openTenant();
  await site.start();
  const heard: string[] = [];
  const said = await run(site, { wait: true, json: true, key: "k" }, (words) => heard.push(words));
  expect(JSON.parse(said.text)).toMatchObject({
    kind: "running",
    repeated: false,
    idempotencyKey: "k",
    ended: { outcome: "dispatched", summary: "published 1 of 1", good: true },
  });
  expect(said.ok).toBe(true);
  expect(heard.join("\n")).not.toContain("No process of the relay lives");
  const again = await run(site, { key: "k", wait: true });
  expect(again.text).toMatch(/^REPEATED: Job group \d+ was started already.*\nPUBLISHED: published 1 of 1$/);
  expect(await started(site)).toHaveLength(1);

  const refused = await run(site, { recipeId: 99 });
  expect(refused).toMatchObject({ ok: false, text: expect.stringMatching(/^NOT STARTED: .*404/) });
});

test("what was to be waited for and cannot be named ends with 1", async () => {
  const site = await openTenant();
  await site.start();
  expect(await run(site, { key: "k", wait: true })).toMatchObject({ ok: true });
  // Two runs of the recipe could be meant once Redis has lost which one it was.
  const redis = openRedis();
  await redis.del(...(await redis.keys(`{${site.namespace}}:run:*`)));
  for (let n = 0; n < 2; n++) site.simulator.createJobGroup({ recipeId: 27, ranfrom: "api", webhook: false });
  const again = await run(site, { key: "k", wait: true });
  expect(again).toMatchObject({ ok: false, text: expect.stringContaining("cannot be told") });
});

test("one that no rule matches ends with 1, and that no process lives is told", async () => {
  const site = await openSite({
    rules: { targets: RULES.targets, rules: [] },
    simulator: { settings: { runMs: 0 } },
  });
  const heard: string[] = [];
  const said = run(site, { wait: true }, (words) => heard.push(words));
  await eventually(() => heard.length > 0);
  expect(heard[0]).toContain("No process of the relay lives");
  await site.start();
  expect(await said).toMatchObject({
    ok: false,
    text: expect.stringMatching(/^RUNNING: .*\nNOT PUBLISHED: No rule matches/),
  });
});

test("an execution id is a UUID, the same for the same key, and another one in each namespace", () => {
  const id = executionIdOf("publish-relay", "orders");
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(executionIdOf("publish-relay", "orders")).toBe(id);
  expect(executionIdOf("other", "orders")).not.toBe(id);
  expect(executionIdOf("publish-relay", "orders2")).not.toBe(id);
});
