import { appRoutes } from "@bull-board/api/dist/routes.js";
import { Queue } from "bullmq";
import { pino } from "pino";
import { beforeAll, expect, test } from "vitest";
import { createGuard } from "../src/http/access.ts";
import { createBoard } from "../src/http/board.ts";
import { BOARD_ROUTES } from "../src/http/board-routes.ts";
import { createHealth } from "../src/http/health.ts";
import { createHttpServer } from "../src/http/server.ts";
import { createAudit } from "../src/queues/audit-store.ts";
import { keysOf } from "../src/queues/names.ts";
import { newNamespace, openRedis } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";

/** Every call that Bull Board has, as its own list of routes tells. */
const CALLS = (appRoutes.api as { method: string | string[]; route: string | string[] }[]).flatMap(
  ({ method, route }) =>
    [method].flat().flatMap((one) => [route].flat().map((path) => [one.toUpperCase(), path] as const)),
);

const JOB = "jobgroup-31-2-public-orders";
const BODIES: Readonly<Record<string, object>> = {
  "/api/queues/:queueName/add": { name: "x", data: {}, options: {} },
  "/api/queues/:queueName/concurrency": { concurrency: 7 },
  "/api/queues/:queueName/rate-limit": { max: 7, duration: 1_000 },
  "/api/queues/:queueName/:jobId/update-data": { jobData: { other: true } },
  "/api/queues/:queueName/:jobId/delay": { delay: 1_000_000 },
  "/api/queues/:queueName/:jobId/priority": { priority: 3 },
  "/api/queues/:queueName/job-schedulers/:schedulerId": { every: 5_000 },
};

/** The board is told not to ask Redis for its clients, and then Bull Board answers so to everybody. */
const SWITCHED_OFF = "/api/queues/:queueName/workers";

const keys = keysOf(newNamespace());
const audit = createAudit(openRedis(), keys, 60_000, pino({ level: "silent" }));
let queue: Queue;

/** A board over a queue with a job of every state that a call may change. */
async function serve(dangerous: boolean) {
  const log = pino({ level: "silent" });
  const guard = createGuard({
    operators: [{ name: "ann", password: "secret" }],
    viewers: [{ name: "vic", password: "look" }],
    loopback: true,
  });
  const board = createBoard({ queues: [{ queue, kind: "target" }], guard, audit, dangerous, log });
  const server = createHttpServer(
    { ...createHealth([]), board: board.app },
    { host: "127.0.0.1", port: 0, closeTimeoutMs: 300 },
  );
  releaseLater(() => server.close());
  const { port } = await server.listen();
  return (method: string, path: string, as: string, more: Record<string, string> = {}) => {
    const filled = path
      .replace(":queueName", "publish.sales")
      .replace(":jobId", JOB)
      .replace(":queueStatus", "completed")
      .replace(":schedulerId", "hourly");
    const body = method === "GET" ? undefined : JSON.stringify(BODIES[path] ?? {});
    return fetch(`http://127.0.0.1:${port}/board${filled}`, {
      method,
      headers: {
        "content-type": "application/json",
        ...(as && { authorization: `Basic ${Buffer.from(as).toString("base64")}` }),
        ...more,
      },
      ...(body !== undefined && { body }),
    });
  };
}

/** All that is in Redis, without the trail. */
async function everything(): Promise<Record<string, unknown>> {
  const redis = openRedis();
  const names = (await redis.keys(`${keys.prefix}:*`)).filter((key) => key !== keys.audit);
  const dumps = await Promise.all(
    names
      .filter((key) => !key.startsWith(`${keys.audit}:`))
      .toSorted()
      .map(async (key) => [key, (await redis.dumpBuffer(key))?.toString("base64")] as const),
  );
  return Object.fromEntries(dumps);
}

beforeAll(() => {
  queue = new Queue("publish.sales", { connection: openRedis(), prefix: keys.prefix });
  releaseLater(() => queue.close());
});

async function fill(): Promise<void> {
  await queue.obliterate({ force: true });
  await queue.add("waits", { plan: 1 }, { jobId: "jobgroup-32-2-public-orders" });
  await queue.add("delayed", { plan: 1 }, { jobId: JOB, delay: 3_600_000, priority: 9 });
  await queue.upsertJobScheduler("hourly", { every: 3_600_000 }, { name: "x" });
}

test("Bull Board's own list of calls is the one that was judged", () => {
  const judged = BOARD_ROUTES.map(({ method, route }) => `${method.toUpperCase()} ${route}`);
  expect(new Set(CALLS.map(([method, route]) => `${method} ${route}`))).toEqual(new Set(judged));
  // The first that fits counts, with them and with us.
  const firsts = [...new Set(judged)];
  expect(firsts).toEqual(CALLS.map(([method, route]) => `${method} ${route}`));
});

test("nobody and viewers change nothing by any call, and viewers read all", async () => {
  await fill();
  const call = await serve(true);
  const before = await everything();
  for (const [method, path] of CALLS) {
    const nobody = await call(method, path, "");
    expect([path, nobody.status]).toEqual([path, 401]);
    expect(nobody.headers.get("content-type")).toBe("application/problem+json");
    const viewer = await call(method, path, "vic:look");
    const reads = method === "GET" && path !== SWITCHED_OFF;
    expect([path, viewer.status]).toEqual([path, reads ? 200 : 403]);
  }
  expect(await everything()).toEqual(before);
});

test("an operator reads and acts; what is dangerous is refused with what it would do, and changes nothing", async () => {
  const call = await serve(false);
  const wrong: string[] = [];
  for (const [method, path] of CALLS) {
    await fill();
    const row = BOARD_ROUTES.find(
      (one) => one.method.toUpperCase() === method && one.route === path && one.only === undefined,
    );
    const before = await everything();
    const answer = await call(method, path, "ann:secret");
    if (row?.kind !== "dangerous") {
      // Bull Board itself refuses what does not fit the job's state.
      if (!(path === SWITCHED_OFF ? [403] : [200, 204, 400]).includes(answer.status)) wrong.push(path);
      continue;
    }
    expect([path, answer.status]).toEqual([path, 403]);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    const { detail, message } = (await answer.json()) as { detail: string; message: string };
    expect(detail).toContain(row.harm);
    expect(detail).toContain("BOARD_DANGEROUS=true");
    expect(message).toBe(detail);
    expect(await everything()).toEqual(before);
  }
  expect(wrong).toEqual([]);
});

test("with BOARD_DANGEROUS an operator may make every call", async () => {
  const call = await serve(true);
  for (const [method, path] of CALLS.filter(([method]) => method !== "GET")) {
    await fill();
    const { status } = await call(method, path, "ann:secret");
    expect([path, [200, 204, 400].includes(status)]).toEqual([path, true]);
  }
});

test("the dangerous calls are refused in every way to write them", async () => {
  await fill();
  const call = await serve(false);
  const before = await everything();
  const base = "/api/queues/publish.sales";
  for (const path of [
    `${base}/obliterate/`,
    `${base}/OBLITERATE`,
    `/API/queues/publish.sales/Empty`,
    `${base}/%6fbliterate`,
    `${base}/retry/Completed`,
    `${base}/retry/%66ailed`,
    `${base}//empty`,
    `/api//queues/publish.sales/empty`,
    `${base}/empty?x=/pause`,
    `${base}/x/../empty`,
    `${base}%2Fempty`,
    `${base};/empty`,
  ]) {
    const { status } = await call("PUT", path, "ann:secret");
    expect([path, [403, 404].includes(status)]).toEqual([path, true]);
  }
  for (const [method, path] of [
    ["DELETE", base],
    ["POST", `${base}/obliterate`],
    ["PATCH", `${base}/pause`],
    ["PUT", "/api/queues/publish.sales/something-new"],
    ["PUT", "/api/something-new"],
    ["OPTIONS", `${base}/pause`],
  ] as const) {
    const answer = await call(method, path, "ann:secret");
    expect([path, answer.status]).toEqual([path, 403]);
    expect(await answer.text()).toContain("none of those that the relay lets the board make");
  }
  expect(await everything()).toEqual(before);
});

test("each action is in the trail before it is done, with who, where and how it went", async () => {
  await fill();
  const call = await serve(false);
  const newest = async (count: number) => {
    const { entries } = await audit.list({ limit: count });
    return entries.toReversed();
  };
  await call("PUT", "/api/queues/:queueName/pause", "ann:secret", { "x-request-id": "req-1" });
  const ann = { who: "ann", role: "operator", from: "127.0.0.1" };
  const pause = { ...ann, action: "pause", queue: "publish.sales", target: "sales", requestId: "req-1" };
  const [asked, done] = await newest(2);
  expect(asked).toMatchObject({ ...pause, outcome: "asked", at: expect.stringMatching(/^\d{4}-.*Z$/) });
  expect(done).toMatchObject({ ...pause, outcome: "done", follows: asked?.id });

  await call("PATCH", "/api/queues/:queueName/:jobId/priority", "ann:secret");
  const task = { taskId: JOB, jobGroupId: 31, detail: '{"priority":3}' };
  expect(await newest(2)).toMatchObject([
    { ...ann, ...task, action: "change the priority", outcome: "asked" },
    { ...ann, taskId: JOB, jobGroupId: 31, outcome: "done" },
  ]);
  const { entries } = await audit.list({ limit: 10, jobGroupId: 31 });
  expect(entries.every(({ jobGroupId }) => jobGroupId === 31)).toBe(true);
  expect(entries.slice(0, 2).map(({ outcome }) => outcome)).toEqual(["done", "asked"]);

  await call("PUT", "/api/queues/:queueName/:jobId/retry", "ann:secret");
  expect(await newest(2)).toMatchObject([
    { action: "retry", outcome: "asked" },
    { action: "retry", outcome: "refused", detail: "Bull Board answered 400" },
  ]);
  await call("PUT", "/api/queues/:queueName/empty", "ann:secret");
  expect(await newest(1)).toMatchObject([
    { ...ann, action: "empty the queue", outcome: "refused", detail: expect.stringContaining("is off") },
  ]);

  await call("PATCH", "/api/queues/:queueName/:jobId/update-data", "ann:secret");
  const [{ detail = "" } = {}] = await newest(1);
  expect(detail).toMatch(/is off: .* Asked: \{.*\}$/);
  await call("PUT", "/api/queues/publish.sales/explode", "ann:secret");
  expect(await newest(1)).toMatchObject([
    { ...ann, outcome: "refused", detail: expect.stringMatching(/Asked: PUT .*\/explode$/) },
  ]);
  await call("PUT", "/api/queues/:queueName/pause", "ann:secret", { "content-type": "text/plain" });
  expect(await newest(1)).toMatchObject([
    { ...ann, outcome: "refused", detail: expect.stringContaining("as JSON") },
  ]);

  // Viewers and foreign pages cannot fill it.
  const [last] = await newest(1);
  await call("PUT", "/api/queues/:queueName/pause", "vic:look");
  await call("PUT", "/api/queues/:queueName/pause", "ann:secret", { origin: "https://evil.example" });
  await call("GET", "/api/queues", "ann:secret");
  expect((await newest(1))[0]?.id).toBe(last?.id);
});

test("an action that cannot be written into the trail is not done", async () => {
  await fill();
  await queue.resume();
  const redis = openRedis();
  const trail = await redis.dumpBuffer(keys.audit);
  // No stream: the script fails.
  await redis.set(keys.audit, "not a stream");
  const call = await serve(true);
  const before = await everything();
  for (const [method, path] of CALLS.filter(([method]) => method !== "GET")) {
    const answer = await call(method, path, "ann:secret");
    expect([path, answer.status]).toEqual([path, 503]);
  }
  expect(await everything()).toEqual(before);
  await redis.del(keys.audit);
  if (trail) await redis.restore(keys.audit, 0, trail);
});
