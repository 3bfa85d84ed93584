import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import { sign } from "../src/producers/signatures.ts";
import { openRedis, startPrivateRedis } from "./support/redis.ts";
import { openSite, type Site, WEBHOOK_SECRET } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";

const RULES = {
  targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "public" } },
  rules: [
    {
      name: "orders",
      when: { flow: "Daily*", labels: { env: "prod" } },
      publish: [
        { target: "sales", table: "orders_{recipe}", action: "load" },
        { target: "finance", table: "orders", action: "truncateAndLoad" },
      ],
    },
    {
      name: "others",
      when: { labels: { env: "stage" } },
      publish: [{ target: "sales", table: "x", action: "load" }],
    },
  ],
};

const openWeb = async (more: { redisUrl?: string } = {}) => {
  const site = await openSite({ rules: RULES, simulator: { settings: { publishMs: 20 } }, ...more });
  return { ...site, web: await site.start({ ROLES: "web" }) };
};

async function post(url: string, body: string, headers?: Record<string, string>) {
  const response = await fetch(url, {
    method: "POST",
    body,
    headers: {
      "content-type": "application/json",
      ...(headers ?? sign("designer-cloud", WEBHOOK_SECRET, body)),
    },
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const check = (door: { url: string }, body: object) =>
  post(`${door.url}/webhooks/designer-cloud/check`, JSON.stringify(body));
const report = (door: { url: string }, body: object) =>
  post(`${door.url}/webhooks/designer-cloud`, JSON.stringify(body));

/** Every key of the site, with its value. */
async function everything({ namespace }: Pick<Site, "namespace">): Promise<Record<string, unknown>> {
  const redis = openRedis();
  const found = await redis.keys(`{${namespace}}*`);
  // Written each second by every process, as a sign of life.
  const keys = found.filter((key) => !/:(processes|rules|rules-seen)$/.test(key));
  const dumps = await Promise.all(
    keys.sort().map(async (key) => [key, (await redis.dumpBuffer(key))?.toString("hex")]),
  );
  return Object.fromEntries(dumps) as Record<string, unknown>;
}

test("a check tells which tasks would be made, by the code of dispatch, and writes nothing", async () => {
  const { web, ...site } = await openWeb();
  const before = await everything(site);
  const answer = await check(web, { jobId: "2", jobStatus: "Complete", env: "prod" });
  expect(answer).toEqual({
    status: 200,
    body: {
      check: true,
      detail: "This was a check, nothing was stored. 2 publish tasks of job group 2 would be made.",
      understood: {
        sender: "its signature is good",
        jobGroupId: 2,
        status: "Complete",
        labels: { env: "prod" },
      },
      completion: "jobgroup-2",
      duplicate: false,
      known: null,
      platform: { answered: true, words: "Job group 2 is Complete" },
      rules: [
        { name: "orders", matches: true },
        { name: "others", matches: false },
      ],
      tasks: [
        {
          id: "jobgroup-2-2-public-orders_orders",
          rule: "orders",
          target: "sales",
          table: "public.orders_orders",
          action: "load",
          state: "new",
        },
        {
          id: "jobgroup-2-3-public-orders",
          rule: "orders",
          target: "finance",
          table: "public.orders",
          action: "truncateAndLoad",
          state: "new",
        },
      ],
      notes: [],
    },
  });
  expect(await everything(site)).toEqual(before);
  expect(await site.queue("completions").count()).toBe(0);
  expect(site.puts(2)).toEqual([]);

  // What was foretold is what comes.
  const whole = await site.start();
  await report(whole, { jobId: "2", env: "prod" });
  const ended = await site.ended(2, 2);
  expect(ended.map(({ plan }) => `${plan.target} ${plan.table} ${plan.action}`).sort()).toEqual([
    "finance orders truncateAndLoad",
    "sales orders_orders load",
  ]);
  const again = await check(web, { jobId: "2", env: "prod" });
  expect(again.body).toMatchObject({
    duplicate: true,
    known: { outcome: "dispatched", reports: 1, summary: "published 2 of 2" },
    detail: expect.stringContaining("Nothing would be published again"),
    tasks: [{ state: "published" }, { state: "published" }],
  });
});

test("whether it would be a duplicate is what the webhook then says", async () => {
  const { web } = await openWeb();
  for (const body of [
    { jobId: "7001", env: "prod" },
    { jobId: "7001", env: "prod" },
    { jobId: "7001" },
    { jobId: "7001", env: "stage" },
    { jobId: "7001", env: "stage", constructor: "x" },
    { jobId: "7001", env: "stage", constructor: "x" },
  ]) {
    const foretold = (await check(web, body)).body["duplicate"];
    const { status, body: told } = await report(web, body);
    expect(status).toBe(202);
    expect(foretold).toBe(told["duplicate"]);
  }
});

test("a check says why nothing would be published", async () => {
  const { web, simulator } = await openWeb();
  const detail = async (body: object) => {
    const answer = await check(web, body);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ check: true, tasks: [] });
    return answer.body["detail"];
  };
  expect(await detail({ jobId: 2 })).toContain("no rule matches job group 2");
  const running = simulator.createJobGroup({ status: "InProgress", webhook: false });
  expect(await detail({ jobId: running, env: "prod" })).toContain(`Job group ${running} is "InProgress"`);
  const failed = simulator.createJobGroup({ status: "Failed", webhook: false });
  expect(await detail({ jobId: failed, env: "prod" })).toContain("skipped");
  expect(await detail({ jobId: 1, env: "prod" })).toContain('ran for "sampling"');
  expect(await detail({ jobId: 999, env: "prod" })).toContain("does not know job group 999");
  expect(await detail({ jobId: "$jobId", jobStatus: "$jobStatus", env: "prod" })).toContain("test delivery");
  const test = await check(web, { jobId: "$jobId", env: "prod" });
  expect(test.body).toMatchObject({ test: true, understood: { status: null, labels: { env: "prod" } } });
});

test("a process without rules says so", async () => {
  const { start } = await openWeb();
  // The setting is empty, as if it were not there; the default file is not in the folder of the tests.
  const web = await start({ ROLES: "web", RULES_FILE: "" });
  const { body } = await check(web, { jobId: 2, env: "prod" });
  expect(body).toMatchObject({
    detail: expect.stringContaining("this process has no rules, rules.yaml is not there: set RULES_FILE"),
    platform: { answered: true },
    rules: [],
    tasks: [],
  });
});

test("a check is let in like a webhook: signed, JSON, POST", async () => {
  const { web } = await openWeb();
  const url = `${web.url}/webhooks/designer-cloud/check`;
  expect((await post(url, '{"jobId":2}', {})).status).toBe(401);
  expect((await post(url, '{"jobId":2}', sign("designer-cloud", "stranger", '{"jobId":2}'))).status).toBe(
    401,
  );
  expect((await check(web, { jobId: true })).status).toBe(400);
  expect((await fetch(url)).status).toBe(405);
  const packed = sign("designer-cloud", WEBHOOK_SECRET, "{}");
  expect((await post(url, "{}", { ...packed, "content-encoding": "gzip" })).status).toBe(415);
});

test("a platform that does not answer is waited for 5 s; then the check goes by the report alone, and no gate shuts", async () => {
  const { start, ...site } = await openWeb();
  const silent = await listen(createServer(() => {}));
  const web = await start({ ROLES: "web", DESIGNER_CLOUD_URL: silent });
  const before = await everything(site);
  const begun = performance.now();
  const { status, body } = await check(web, { jobId: 2, env: "prod" });
  expect(performance.now() - begun).toBeLessThan(6_500);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    platform: { answered: false, words: "The platform did not answer within 5 s" },
    // "orders" asks for a flow that only the platform knows; "others" is ruled out by the label.
    rules: [
      { name: "orders", matches: "unknown" },
      { name: "others", matches: false },
    ],
    tasks: [],
  });
  expect(body["detail"]).toContain("no full answer");
  const stage = await check(await start({ ROLES: "web", DESIGNER_CLOUD_URL: "http://127.0.0.1:9" }), {
    jobId: 2,
    env: "stage",
  });
  expect(stage.body).toMatchObject({
    platform: { answered: false, words: expect.stringContaining("refused") },
    tasks: [{ id: "jobgroup-2-2-public-x", state: "new" }],
    detail: expect.stringContaining("as far as the report alone tells"),
  });
  expect(await everything(site)).toEqual(before);
});

test("while the gate to the platform is shut, a check leaves the platform alone and says so", async () => {
  const { web, ...site } = await openWeb();
  await openRedis().set(keysOf(site.namespace).gate, "429 Too many requests", "PX", 60_000);
  const { body } = await check(web, { jobId: 2, env: "stage" });
  expect(body).toMatchObject({
    platform: {
      answered: false,
      words: expect.stringMatching(/^Not asked: the gate to the platform is shut for \d+ s more: 429/),
    },
    tasks: [{ id: "jobgroup-2-2-public-x" }],
  });
  // The relay's start asks for its token and its connections, once, past the gate.
  const asked = site.simulator.requests().filter(({ path }) => !/^\/v4\/(people|connections)\b/.test(path));
  expect(asked).toEqual([]);
});

test("with Redis away a check is 503 with Retry-After within a second", async () => {
  const redis = await startPrivateRedis();
  const { web } = await openWeb({ redisUrl: redis.url });
  await redis.kill();
  const body = '{"jobId":2}';
  const begun = performance.now();
  const response = await fetch(`${web.url}/webhooks/designer-cloud/check`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...sign("designer-cloud", WEBHOOK_SECRET, body) },
  });
  expect(response.status).toBe(503);
  expect(response.headers.get("retry-after")).toBe("2");
  expect(performance.now() - begun).toBeLessThan(1_000);
});

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  releaseLater(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
