import type { Job } from "bullmq";
import { expect, test } from "vitest";
import { type Config, ConfigError, readConfig } from "../src/config.ts";
import { readAddresses } from "../src/notifications/addresses.ts";
import { createDelivery } from "../src/notifications/deliver.ts";
import { toNotification } from "../src/notifications/notification.ts";
import type { NoticeEntry } from "../src/queues/notice-store.ts";
import { eventually } from "./support/eventually.ts";
import { API_TOKEN, openSite, type Site } from "./support/relay.ts";
import { NOTIFY_SECRET, startReceiver } from "./support/receiver.ts";
import { scrape, valueOf } from "./support/scrape.ts";
import { keysOf } from "../src/queues/names.ts";
import { openRedis } from "./support/redis.ts";

const load = { action: "load", settleAfter: "1s", backoff: "100ms", attempts: 20 };

const newGroup = ({ simulator }: Site): number => simulator.createJobGroup({ recipeId: 27, webhook: false });

const openNotified = (urls: readonly string[], more: object = {}): Promise<Site> =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public", concurrency: 1 } },
      rules: [
        { name: "all", when: "all", publish: [{ target: "sales", table: "orders", ...load, ...more }] },
      ],
    },
    simulator: { settings: { publishMs: 20, appearMs: 1, sameTarget: "append", concurrent: "append" } },
    env: {
      NOTIFY_URLS: urls.join(","),
      NOTIFY_SECRET,
      PUBLIC_URL: "https://relay.example.com/",
    },
  });

test("a failed task is told of with all that a person needs, and so is the first publish after it", async () => {
  const receiver = await startReceiver();
  const site = await openNotified([receiver.url]);
  const relay = await site.start();
  site.simulator.addFault({
    kind: "status",
    status: 400,
    body: { exception: { name: "Bad", message: "no such schema" } },
    times: 1,
  });
  const id = newGroup(site);
  await relay.report(id);
  const failed = await receiver.next("task.failed");
  expect(failed.data).toMatchObject({
    trouble: "task.failed",
    target: "sales",
    task: `jobgroup-${id}-2-public-orders`,
    jobGroupId: id,
    table: "public.orders",
    action: "load",
    rule: "all",
    count: 1,
    link: `https://relay.example.com/job-groups/${id}`,
  });
  expect(failed.data["why"]).toContain("no such schema");
  expect(Math.abs(Date.parse(failed.timestamp) - Date.now())).toBeLessThan(10_000);
  expect(Math.abs(Date.parse(String(failed.data["since"])) - Date.now())).toBeLessThan(10_000);
  expect(failed.headers).toMatchObject({ "content-type": "application/json", "user-agent": "publish-relay" });
  await relay.report(newGroup(site));
  const recovered = await receiver.next("recovered");
  expect(recovered.data.text).toMatch(/^sales publishes again: /);
  expect(receiver.requests.map(({ type }) => type)).toEqual(["task.failed", "recovered"]);
  expect(new Set(receiver.requests.map(({ id }) => id)).size).toBe(2);

  const counted = async (result: string) =>
    valueOf(await scrape(relay), "publish_relay_notifications_total", { result });
  await eventually(async () => (await counted("delivered")) === 2);
  const jobs = { queue: "notifications", state: "waiting" };
  expect(valueOf(await scrape(relay), "publish_relay_queue_jobs", jobs)).toBe(0);
  expect(await counted("given-up")).toBe(0);
});

test("a notification to an address that is gone for good is given up, and counted so", async () => {
  const receiver = await startReceiver();
  receiver.answer(410);
  const site = await openNotified([receiver.url]);
  const relay = await site.start();
  site.simulator.addFault({ kind: "status", status: 400, times: 1 });
  await relay.report(newGroup(site));
  await eventually(async () => {
    const result = { result: "given-up" };
    return valueOf(await scrape(relay), "publish_relay_notifications_total", result) === 1;
  });
  expect(receiver.requests).toHaveLength(1);
});

test("a person's decision ends no trouble of failed tasks: only a publish does", async () => {
  const receiver = await startReceiver();
  const site = await openNotified([receiver.url], { deadline: "1s" });
  const relay = await site.start();
  const [failed, parked, good] = [newGroup(site), newGroup(site), newGroup(site)];
  site.simulator.addFault({ kind: "status", status: 400, jobGroupId: failed, times: 1 });
  site.simulator.addFault({ kind: "stuck", jobGroupId: parked, times: 1 });
  await relay.report(failed);
  await receiver.next("task.failed");
  await relay.report(parked);
  const task = String((await receiver.next("task.parked")).data["task"]);
  await fetch(`${relay.url}/v1/tasks/${task}/resolve`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${API_TOKEN}` },
    body: JSON.stringify({ outcome: "published", reason: "rows counted" }),
  });
  const job = () => site.queue("publish.sales").getJob(task) as Promise<Job>;
  await eventually(async () => (await job()).isCompleted());
  await (await job()).retry("completed");
  await eventually(async () => (await job()).isCompleted());
  const trouble = keysOf(site.namespace).notices.of("task.failed/sales/refused");
  expect(await openRedis().hget(trouble, "open")).toBe("1");
  await relay.report(good);
  expect((await receiver.next("recovered")).data.text).toMatch(/^sales publishes again: /);
});

test("a dispatch that failed is told of, and the next that goes well", async () => {
  const receiver = await startReceiver();
  const site = await openNotified([receiver.url]);
  const relay = await site.start();
  const [refused, good] = [newGroup(site), newGroup(site)];
  site.simulator.addFault({ kind: "status", status: 403, on: "any", jobGroupId: refused });
  await relay.report(refused);
  const failed = await receiver.next("completion.failed");
  expect(failed.data).toMatchObject({
    trouble: "completion.failed",
    jobGroupId: refused,
    link: `https://relay.example.com/job-groups/${refused}`,
  });
  expect(failed.data.text).toMatch(`The completion of job group ${refused} failed: `);
  await relay.report(good);
  expect((await receiver.next("recovered")).data.text).toMatch(/^Completions are dispatched again: /);
  await site.ended(good);
  expect(receiver.requests).toHaveLength(2);
});

test("a parked task is told of, and once nothing is parked any more that is, by a relay that starts later", async () => {
  const receiver = await startReceiver();
  const site = await openNotified([receiver.url], { deadline: "1s" });
  const relay = await site.start();
  site.simulator.addFault({ kind: "stuck", times: 1 });
  const id = newGroup(site);
  await relay.report(id);
  const parked = await receiver.next("task.parked");
  expect(parked.data).toMatchObject({ task: `jobgroup-${id}-2-public-orders`, jobGroupId: id, count: 1 });
  const answer = await fetch(`${relay.url}/v1/tasks/${String(parked.data["task"])}/resolve`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${API_TOKEN}` },
    body: JSON.stringify({ outcome: "published", reason: "rows counted" }),
  });
  expect(answer.status).toBe(200);
  // As if a minute were over: the next process that looks is this one.
  await openRedis().del(keysOf(site.namespace).notices.turn);
  await site.start();
  expect((await receiver.next("recovered")).data.text).toMatch(/^Nothing is parked on sales any more/);
});

test("a breaker and the gate are told of when they open and close, once each, by three processes", {
  timeout: 90_000,
}, async () => {
  const receiver = await startReceiver();
  const site = await openNotified([receiver.url]);
  const broken = site.simulator.addFault({ kind: "fail" });
  const relays = [await site.start(), await site.start(), await site.start()];
  await relays[0]?.report(newGroup(site));
  const open = await receiver.next("breaker.open", 30_000);
  expect(open.data["why"]).toMatch(/^5 failures in a row: /);
  site.simulator.clearFaults(broken);
  const breaker = keysOf(site.namespace).breaker("sales");
  await openRedis().hset(breaker, "openUntil", String(Date.now() * 1_000));
  expect((await receiver.next("breaker.closed", 30_000)).data.text).toContain("its breaker is closed");

  const refused = site.simulator.addFault({ kind: "status", status: 401, on: "any" });
  const ids = relays.map(() => newGroup(site));
  await Promise.all(relays.map((relay, i) => relay.report(ids[i] ?? 0)));
  const shut = await receiver.next("gate.shut");
  expect(shut.data).toMatchObject({ reason: "unauthorized", link: "https://relay.example.com/board" });
  site.simulator.clearFaults(refused);
  await receiver.next("gate.open", 30_000);
  await Promise.all(ids.map((id) => site.ended(id, 1, 30_000)));
  expect(receiver.requests.map(({ type }) => type)).toEqual([
    "breaker.open",
    "breaker.closed",
    "gate.shut",
    "gate.open",
  ]);
});

test("a receiver that is down is tried again until it is there, under one webhook-id, and holds up no other", async () => {
  const [good, down, gone] = [await startReceiver(), await startReceiver(), await startReceiver()];
  down.answer(503, { "retry-after": "1" });
  gone.answer(410);
  const site = await openNotified([good.url, down.url, gone.url]);
  const relay = await site.start();
  site.simulator.addFault({ kind: "status", status: 400, times: 1 });
  const id = newGroup(site);
  await relay.report(id);
  const told = await good.next("task.failed");
  await down.next("task.failed");
  down.answer(200);
  const jobs = site.queue("notifications");
  await eventually(async () => (await jobs.getCompletedCount()) === 2, {
    what: "it is delivered to both",
    timeoutMs: 30_000,
  });
  expect(new Set(down.requests.map(({ id }) => id))).toEqual(new Set([told.id]));
  expect(good.requests).toHaveLength(1);
  expect(gone.requests).toHaveLength(1);
  const [failed] = await jobs.getFailed();
  expect(failed?.failedReason).toBe(`${gone.host} answered 410: it is gone, take it out of NOTIFY_URLS`);
  expect(failed?.name).toBe(`task.failed to ${gone.host}`);
  const board = await (await fetch(`${relay.url}/board/api/queues`)).text();
  expect(board).toContain('"name":"notifications"');
});

test("a receiver that takes a connection and says nothing keeps neither the next notification nor a stop waiting", async () => {
  const [good, silent] = [await startReceiver(), await startReceiver()];
  silent.answer("hang");
  const site = await openNotified([silent.url, good.url]);
  const relay = await site.start();
  site.simulator.addFault({ kind: "status", status: 400, times: 1 });
  const id = newGroup(site);
  await relay.report(id);
  await silent.next("task.failed");
  await relay.report(newGroup(site));
  await good.next("recovered");
  const startedAt = Date.now();
  await relay.stop();
  expect(Date.now() - startedAt).toBeLessThan(4_000);
});

test("a redirect is not followed, and what a receiver asks for is waited for", async () => {
  const [elsewhere, receiver] = [await startReceiver(), await startReceiver()];
  const [address] = readAddresses([receiver.url.replace("//", "//user:p%40ss@")]);
  const { send, close } = createDelivery([NOTIFY_SECRET, OTHER_SECRET], 200);
  const signal = new AbortController().signal;
  const body = { type: "gate.open", timestamp: new Date().toISOString(), data: DATA };
  const sendNow = () => address && send(address, { id: "notice-1", body }, signal);
  receiver.answer(307, { location: elsewhere.url });
  expect(await sendNow()).toEqual({
    next: "again",
    words: `${receiver.host} answered 307: a redirect, which is not followed`,
  });
  expect(elsewhere.requests).toEqual([]);
  receiver.answer(429, { "retry-after": "120" });
  expect(await sendNow()).toMatchObject({ next: "again", waitMs: 120_000 });
  receiver.answer("hang");
  expect(await sendNow()).toEqual({ next: "again", words: `${receiver.host}: no answer within 0.2 s` });
  const [first] = receiver.requests;
  expect(first?.headers.authorization).toBe(`Basic ${Buffer.from("user:p@ss").toString("base64")}`);
  expect(first?.headers["webhook-signature"]).toMatch(/^v1,\S+ v1,\S+$/);
  await close();
});

const OTHER_SECRET = `whsec_${Buffer.from("another one of some length").toString("base64")}`;
const DATA = { text: "open", trouble: "gate.shut", since: "", count: 1 } as const;
const env = { NOTIFY_URLS: "https://hooks.example.com/T0/secret-path" };
const config = (more: Readonly<Record<string, string>>): Config => readConfig({ ...env, ...more });

test("notifications are signed, or the start is refused with words that say how to make a secret", () => {
  expect(() => config({})).toThrow(
    /^NOTIFY_SECRET is not set, and NOTIFY_URLS is: .*openssl rand -base64 24\)$/,
  );
  expect(() => config({ NOTIFY_SECRET: "whsec_short" })).toThrow(/^NOTIFY_SECRET must be whsec_/);
  expect(config({ NOTIFY_SECRET: `${NOTIFY_SECRET},${NOTIFY_SECRET}` }).notify.secrets).toHaveLength(2);
});

test("an address that cannot be one is refused without a word of it", () => {
  const wrong = { NOTIFY_URLS: "hooks.example.com/T0/secret-path", NOTIFY_SECRET };
  expect(() => readConfig(wrong)).toThrow(/^NOTIFY_URLS must be addresses that begin with http/);
  expect(() => readConfig(wrong)).not.toThrow(/secret-path/);
});

test("a login in NOTIFY_URLS that cannot be read is refused in words that hold none of it", () => {
  const wrong = { NOTIFY_URLS: "http://a%zz:pw-of-it@hooks.example.com/x", NOTIFY_SECRET };
  expect(() => readConfig(wrong)).toThrow(ConfigError);
  expect(() => readConfig(wrong)).toThrow(/^NOTIFY_URLS has a login with a % that is no escape[^@]*$/);
});

test.each(["https://me:pw@relay.example", "https://relay.example/?a=1", "https://relay.example/#a"])(
  "PUBLIC_URL %s is refused",
  (PUBLIC_URL) => {
    expect(() => readConfig({ PUBLIC_URL })).toThrow(/^PUBLIC_URL must hold no login, query or fragment/);
  },
);

test.each([
  ["https://relay.example", "https://relay.example/board"],
  ["https://relay.example/", "https://relay.example/board"],
  ["https://relay.example:8443/a/b?", "https://relay.example:8443/a/b/board"],
  ["https://relay.example/a/", "https://relay.example/a/board"],
])("with PUBLIC_URL %s the board is told as %s", (PUBLIC_URL, link) => {
  const entry: NoticeEntry = {
    id: "1",
    trouble: { kind: "gate.shut" },
    what: "first",
    count: 1,
    at: 0,
    since: 0,
    countSince: 0,
    open: true,
    detail: { why: "401" },
  };
  const { body } = toNotification(entry, readConfig({ PUBLIC_URL }).notify.publicUrl);
  expect(body.data.link).toBe(link);
});
