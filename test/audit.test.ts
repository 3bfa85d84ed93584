import { hostname, userInfo } from "node:os";
import { pino } from "pino";
import { describe, expect, test, vi } from "vitest";
import { runResolve } from "../src/commands.ts";
import { readConfig } from "../src/config.ts";
import { hashPassword } from "../src/http/password-hash.ts";
import { type AuditEntry, carryOut, createAudit } from "../src/queues/audit-store.ts";
import { keysOf } from "../src/queues/names.ts";
import { newNamespace, openRedis } from "./support/redis.ts";
import { API_TOKEN, openSite } from "./support/relay.ts";

const PAUSE: AuditEntry = {
  who: "ann",
  role: "operator",
  from: "192.0.2.1",
  action: "pause",
  outcome: "asked",
};

function open() {
  const redis = openRedis();
  const keys = keysOf(newNamespace());
  const lines: [string, object][] = [];
  const log = {
    info: (fields: object, message: string) => void lines.push([message, fields]),
    warn: (fields: object, message: string) => void lines.push([message, fields]),
  };
  return { redis, keys, log, lines, audit: createAudit(redis, keys, 60_000, log) };
}

describe("the audit trail", () => {
  test("is read newest first, page by page, without gaps or repeats while it grows", async () => {
    const { audit } = open();
    const ids: string[] = [];
    for (let n = 0; n < 7; n++) ids.push(await audit.record({ ...PAUSE, queue: `publish.t${n}` }));
    const read: string[] = [];
    let before: string | undefined;
    do {
      const { entries, next } = await audit.list({ limit: 3, ...(before && { before }) });
      read.push(...entries.map(({ id }) => id));
      await audit.record(PAUSE);
      before = next;
    } while (before);
    expect(read).toEqual(ids.toReversed());
    expect(await audit.list({ limit: 3, before: ids[0] ?? "" })).toEqual({ entries: [] });
  });

  test("tells what is about one job group, which lives as long as its record and holds 500 entries", async () => {
    const { audit, redis, keys } = open();
    await audit.record(PAUSE);
    await Promise.all(
      Array.from({ length: 503 }, (_, n) => audit.record({ ...PAUSE, jobGroupId: 31, detail: `${n}` })),
    );
    await audit.record({ ...PAUSE, jobGroupId: 32 });
    const { entries } = await audit.list({ limit: 500, jobGroupId: 31 });
    expect(entries).toHaveLength(500);
    expect(entries[0]).toMatchObject({ jobGroupId: 31, detail: "502", at: expect.stringContaining("T") });
    const whole = await audit.list({ limit: 2 });
    expect(whole.entries.map(({ jobGroupId }) => jobGroupId)).toEqual([32, 31]);
    expect(whole.entries[1]?.id).toBe(entries[0]?.id);
    expect(await redis.pttl(keys.auditOf(31))).toBeGreaterThan(50_000);
    expect(await redis.pttl(keys.audit)).toBe(-1);
  });

  test("is in the log too, and cuts long words", async () => {
    const { audit, lines } = open();
    const id = await audit.record({ ...PAUSE, detail: "x".repeat(5_000) });
    expect(lines).toMatchObject([["pause: asked", { audit: { id, who: "ann", from: "192.0.2.1" } }]]);
    expect((await audit.list({ limit: 1 })).entries[0]?.detail).toBe(`${"x".repeat(1_000)}...`);
  });

  test("passes over an entry that it cannot read", async () => {
    const { audit, redis, keys } = open();
    await audit.record(PAUSE);
    await redis.xadd(keys.audit, "*", "entry", "{}");
    await redis.xadd(keys.audit, "*", "other", "x");
    expect((await audit.list({ limit: 10 })).entries).toMatchObject([{ action: "pause" }]);
  });
});

test("what somebody was refused is kept 60 times a minute, the rest is in the log, and others are heard", async () => {
  const { audit, lines } = open();
  const { outcome: _, ...entry } = PAUSE;
  const clock = vi.spyOn(Date, "now").mockReturnValue(60_000_000);
  for (let n = 0; n < 70; n++) await audit.refused({ ...entry, detail: `${n}` });
  await audit.refused({ ...entry, who: "oli" });
  const { entries } = await audit.list({ limit: 200 });
  expect(entries[0]).toMatchObject({ who: "oli", outcome: "refused" });
  expect(entries).toHaveLength(61);
  expect(lines).toHaveLength(71);
  clock.mockReturnValue(60_060_000);
  await audit.refused(entry);
  expect((await audit.list({ limit: 1 })).entries).toMatchObject([{ who: "ann" }]);
  clock.mockRestore();
});

describe("an action that is carried out", () => {
  const { outcome: _, ...entry } = PAUSE;
  const done = () => ({ outcome: "done" }) as const;

  test("stands in the trail before it is done, and again with how it went", async () => {
    const { audit, log } = open();
    const seen = await carryOut(
      audit,
      entry,
      log,
      async () => (await audit.list({ limit: 9 })).entries,
      () => ({ outcome: "refused", detail: "no" }),
    );
    expect(seen).toMatchObject([{ outcome: "asked" }]);
    const { entries } = await audit.list({ limit: 9 });
    expect(entries).toMatchObject([{ outcome: "refused", detail: "no", follows: seen[0]?.id }, {}]);
  });

  test("that fails says so, and fails for its caller", async () => {
    const { audit, log } = open();
    const fails = () => Promise.reject(new Error("broken"));
    await expect(carryOut(audit, entry, log, fails, done)).rejects.toThrow("broken");
    expect((await audit.list({ limit: 1 })).entries).toMatchObject([{ outcome: "failed", detail: "broken" }]);
  });

  test("is not done when it cannot be written; one that was done stands when only its end cannot", async () => {
    const { audit, log, redis, keys, lines } = open();
    await redis.set(keys.audit, "no stream");
    let ran = 0;
    const act = async () => void ran++;
    await expect(carryOut(audit, entry, log, act, done)).rejects.toThrow("WRONGTYPE");
    expect(ran).toBe(0);
    await redis.del(keys.audit);
    const breaks = async () => void (await redis.set(keys.audit, "no stream"));
    await carryOut(audit, entry, log, breaks, done);
    expect(lines.at(-1)?.[0]).toContain("could not be written");
  });
});

test("a relay writes what is done on its board, over its API and by its commands", async () => {
  const site = await openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
    },
    env: {
      BOARD_OPERATORS: `ann:${await hashPassword("secret")},oli@x.example`,
      AUTH_PROXY_HEADER: "X-Forwarded-Email",
      TRUST_PROXY: "127.0.0.1",
    },
  });
  const relay = await site.start();
  await relay.report(2);
  await site.ended(2);

  const board = `${relay.url}/board/api/queues`;
  const ann = { authorization: `Basic ${Buffer.from("ann:secret").toString("base64")}` };
  const oli = { "x-forwarded-email": "oli@x.example", "x-forwarded-for": "203.0.113.9" };
  const put = async (path: string, headers: Record<string, string>) =>
    (await fetch(`${board}/${path}`, { method: "PUT", headers })).status;
  expect(await put("publish.sales/pause", ann)).toBe(200);
  expect(await put("publish.sales/jobgroup-2-2-public-orders/retry", oli)).toBe(204);
  expect(await put("publish.sales/obliterate", oli)).toBe(403);
  const decision = { outcome: "again", reason: "why not" } as const;
  const resolve = { taskId: "jobgroup-2-nothing", ...decision, by: "ada" };
  await expect(runResolve(resolve, readConfig(site.env), pino({ level: "silent" }))).rejects.toThrow(
    "There is no task",
  );

  const headers = { authorization: `Bearer ${API_TOKEN}` };
  const trail = (await (await fetch(`${relay.url}/v1/audit`, { headers })).json()) as { entries: object[] };
  expect(trail.entries.toReversed()).toMatchObject([
    { who: "ann", from: "127.0.0.1", action: "pause", target: "sales", outcome: "asked" },
    { who: "ann", action: "pause", outcome: "done" },
    { who: "oli@x.example", from: "203.0.113.9", action: "retry", outcome: "asked", jobGroupId: 2 },
    { who: "oli@x.example", action: "retry", outcome: "done" },
    { who: "oli@x.example", action: "obliterate the queue", outcome: "refused" },
    { who: `ada (user ${userInfo().username})`, role: "command line", from: hostname(), outcome: "asked" },
    { action: "resolve: again", reason: "why not", outcome: "refused" },
  ]);
  expect(await relay.story(2)).toMatchObject({
    audit: [
      { action: "retry", outcome: "asked" },
      { action: "retry", outcome: "done" },
      { action: "resolve: again", outcome: "asked" },
      { action: "resolve: again", outcome: "refused" },
    ],
  });
});
