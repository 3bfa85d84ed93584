import { expect, test, vi } from "vitest";
import { executionIdOf } from "../src/producers/execution-id.ts";
import { keysOf } from "../src/queues/names.ts";
import { openRedis } from "./support/redis.ts";
import { nextRequest, type Site } from "./support/relay.ts";
import { type Answer, openTenant, post, run, runsAsked, started } from "./support/runs.ts";

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

const NOT_TOLD = {
  status: 202,
  body: { jobGroupId: null, repeated: true, detail: expect.stringContaining("cannot be told") },
};

test("which job group it is is not guessed when two could be it", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const fault = site.simulator.addFault({ kind: "apply-and-drop", on: "run" });
  const both = await Promise.all([post(relay, { recipeId: 27 }, "a"), post(relay, { recipeId: 27 }, "b")]);
  expect(both.map(({ status }) => status)).toEqual([503, 503]);
  site.simulator.clearFaults(fault);
  expect(await post(relay, { recipeId: 27 }, "a")).toMatchObject(NOT_TOLD);
  expect(await started(site)).toHaveLength(2);
});

const byHand = { recipeId: 27, ranfrom: "api", webhook: false } as const;

test("another API run of the recipe at the same time is not taken for ours, and one that stood before is not in doubt", async () => {
  const site = await openTenant();
  const relay = await site.start();
  site.simulator.createJobGroup(byHand);
  site.simulator.addFault({ kind: "apply-and-drop", on: "run", times: 2 });
  const ours = await post(relay, { recipeId: 27 }, "after another");
  expect(ours).toMatchObject({ status: 202, body: { jobGroupId: expect.any(Number), repeated: false } });
  expect(ours.body.jobGroupId).toBe(Math.max(...(await started(site))));

  site.simulator.clearFaults();
  site.simulator.addFault({ kind: "apply-and-drop", on: "run", times: 1 });
  void nextRequest(site.simulator, ({ kind }) => kind === "run").then(() =>
    site.simulator.createJobGroup(byHand),
  );
  const doubtful = await post(relay, { recipeId: 27 }, "beside another");
  expect(doubtful).toMatchObject({ status: 202, body: { jobGroupId: null } });
  expect(await started(site)).toHaveLength(4);
});

test("a run that has left the list of the newest is not told from one that is left in it", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const fault = site.simulator.addFault({ kind: "apply-and-504", on: "run" });
  expect(await post(relay, { recipeId: 27 }, "k")).toMatchObject({ status: 503 });
  site.simulator.clearFaults(fault);
  for (let n = 0; n < 55; n++) site.simulator.createJobGroup({ ...byHand, recipeId: n === 50 ? 27 : 28 });
  expect(await post(relay, { recipeId: 27 }, "k")).toMatchObject(NOT_TOLD);
});

/** A run that was started with the key so long ago, of which Redis knows nothing any more. */
async function runUnrecorded(site: Site, key: string, agoMs: number): Promise<number> {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - agoMs });
  try {
    const answer = await fetch(`${site.simulator.url}/v4/jobGroups`, {
      method: "POST",
      headers: {
        authorization: "Bearer simulator-token",
        "content-type": "application/json",
        "x-execution-id": executionIdOf(site.namespace, key),
      },
      body: JSON.stringify({ wrangledDataset: { id: 27 } }),
    });
    return ((await answer.json()) as { id: number }).id;
  } finally {
    vi.useRealTimers();
  }
}

test.each([
  ["2 s", 2_000],
  ["10 min", 600_000],
])(
  "when the record is lost, a repeat after %s starts nothing and adopts no run on a guess",
  async (_, agoMs) => {
    const site = await openTenant();
    const ours = await runUnrecorded(site, "k", agoMs);
    const relay = await site.start();
    const again = await post(relay, { recipeId: 27 }, "k");
    expect(again).toMatchObject(NOT_TOLD);
    expect(again.body.detail).toContain("look there for a job of recipe 27 that was started by the API");
    // Nor later, when somebody else's is the only one that is new.
    const theirs = site.simulator.createJobGroup(byHand);
    expect(await post(relay, { recipeId: 27 }, "k")).toMatchObject(NOT_TOLD);
    expect(new Set(await started(site))).toEqual(new Set([ours, theirs]));
    expect(await run(site, { key: "k", wait: true })).toMatchObject({
      ok: false,
      text: expect.stringContaining("cannot be told"),
    });
    await relay.report(ours);
    expect(await site.ended(ours)).toMatchObject([{ record: { state: "published" } }]);
  },
);

/** As if the key's run had been sent so long ago. */
async function putBack(site: Site, key: string, ms: number): Promise<void> {
  const record = keysOf(site.namespace).run(executionIdOf(site.namespace, key));
  await openRedis().hset(record, "sentAt", Date.now() - ms);
}

const HOUR_MS = 60 * 60_000;

test("what was never told is asked again with its key for an hour, and then not sent again: look, or take a new key", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const fault = site.simulator.addFault({ kind: "apply-and-504", on: "run" });
  for (const key of ["within", "after"])
    expect(await post(relay, { recipeId: 27 }, key)).toMatchObject({ status: 503 });
  site.simulator.clearFaults(fault);
  await putBack(site, "within", HOUR_MS - 60_000);
  await putBack(site, "after", HOUR_MS + 60_000);
  const sent = runsAsked(site).length;
  expect(await post(relay, { recipeId: 27 }, "after")).toMatchObject({
    status: 409,
    body: { mayRun: true, idempotencyKey: "after", detail: expect.stringContaining("was never told") },
  });
  expect(runsAsked(site)).toHaveLength(sent);
  expect(await post(relay, { recipeId: 27 }, "within")).toMatchObject({
    status: 202,
    body: { repeated: true },
  });
  expect(
    runsAsked(site)
      .map(({ result }) => result)
      .at(-1),
  ).toBe(304);
});

test("what the platform told to have run is told to have run hours later too, and sends nothing", async () => {
  const site = await openTenant();
  await runUnrecorded(site, "k", 600_000);
  const relay = await site.start();
  expect(await post(relay, { recipeId: 27 }, "k")).toMatchObject(NOT_TOLD);
  await putBack(site, "k", 2 * HOUR_MS);
  expect(await post(relay, { recipeId: 27 }, "k")).toMatchObject(NOT_TOLD);
  expect(runsAsked(site).map(({ result }) => result)).toEqual([expect.anything(), 304]);
});

test("when only the run's own record is lost, its job group is known by the report of this key", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const first = await post(relay, { recipeId: 27 }, "k");
  const redis = openRedis();
  await redis.del(...(await redis.keys(`{${site.namespace}}:run:*`)));
  site.simulator.createJobGroup(byHand);
  expect(await post(relay, { recipeId: 27 }, "k")).toMatchObject({
    status: 202,
    body: { jobGroupId: first.body.jobGroupId, repeated: true },
  });
});

test("two processes and a command that ask at once with one key run it once, by one POST", async () => {
  const site = await openTenant();
  const relays = [await site.start(), await site.start()];
  const [said, ...answers] = await Promise.all([
    run(site, { key: "together", json: true }),
    ...relays.map((relay) => post(relay, { recipeId: 27 }, "together")),
  ]);
  const bodies = [JSON.parse(said.text) as Answer, ...answers.map(({ body }) => body)];
  const [id] = await started(site);
  expect(bodies.map(({ jobGroupId }) => jobGroupId)).toEqual([id, id, id]);
  expect(bodies.filter(({ repeated }) => !repeated)).toHaveLength(1);
  expect(runsAsked(site)).toHaveLength(1);
});

test("a repeat while the first call is still under way is 409, with when to ask again, and sends nothing", async () => {
  const site = await openTenant();
  const relay = await site.start();
  site.simulator.addFault({ kind: "slow", on: "run", ms: 7_000, times: 1 });
  const sent = nextRequest(site.simulator, ({ kind }) => kind === "run");
  const first = post(relay, { recipeId: 27 }, "k");
  await sent;
  const meanwhile = await post(relay, { recipeId: 27 }, "k");
  expect(meanwhile).toMatchObject({ status: 409, body: { idempotencyKey: "k", mayRun: true } });
  expect(meanwhile.headers.get("content-type")).toBe("application/problem+json");
  expect(Number(meanwhile.headers.get("retry-after"))).toBeGreaterThan(0);
  // One that died would hold it up for no longer than a call may take.
  const redis = openRedis();
  const [turn = ""] = await redis.keys(`{${site.namespace}}:run-turn:*`);
  expect(await redis.pttl(turn)).toBeLessThan(25_000);
  const { body } = await first;
  expect(await post(relay, { recipeId: 27 }, "k")).toMatchObject({
    status: 202,
    body: { jobGroupId: body.jobGroupId, repeated: true },
  });
  expect(runsAsked(site)).toHaveLength(1);
}, 20_000);

test("two that ask at once with one key run it once and hear of the same job group", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const both = await Promise.all([1, 2, 3].map(() => post(relay, { recipeId: 27 }, "together")));
  const ids = await started(site);
  expect(ids).toHaveLength(1);
  expect(both.map(({ body }) => body.jobGroupId)).toEqual([ids[0], ids[0], ids[0]]);
  expect(both.map(({ body }) => body.repeated).filter((repeated) => !repeated)).toHaveLength(1);
});
