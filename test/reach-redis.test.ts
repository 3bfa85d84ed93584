import { pino } from "pino";
import { expect, test } from "vitest";
import { runResolve } from "../src/commands.ts";
import { readConfig } from "../src/config.ts";
import { runExplain } from "../src/explain-command.ts";
import { runReplay } from "../src/replay-command.ts";
import { runRun } from "../src/run-command.ts";
import { runStatus } from "../src/status-command.ts";
import { examine } from "./support/examine.ts";
import { openRedis, startPrivateRedis } from "./support/redis.ts";
import { openSite } from "./support/relay.ts";
import { closedPort, startWireServer } from "./support/wire-server.ts";

const RULES = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
};
const LOG = pino({ level: "silent" });

/** What `status` says of a Redis that it cannot use, and after how long. */
async function statusOf(redisUrl: string): Promise<{ words: string; ms: number }> {
  const startedAt = performance.now();
  const config = readConfig({ REDIS_URL: redisUrl });
  const words = await runStatus({ json: false }, config, LOG).then(
    ({ text }) => text,
    (error: Error) => error.message,
  );
  return { words, ms: performance.now() - startedAt };
}

/** Somebody who answers the first bytes with these. */
async function startStranger(bytes: string | Buffer | undefined): Promise<number> {
  const { port } = await startWireServer(
    () => undefined,
    (socket) => void socket.once("data", () => bytes !== undefined && socket.end(bytes)),
  );
  return port;
}

async function startLocked() {
  const redis = await startPrivateRedis();
  const client = openRedis(redis.url);
  await client.acl("SETUSER", "relay", "on", ">a-secret", "~*", "+@all");
  await client.acl("SETUSER", "reader", "on", ">a-secret", "~*", "+@all", "-@write");
  await client.acl("SETUSER", "nobody", "on", ">a-secret", "~*", "+@all", "-ping");
  await client.acl("SETUSER", "default", "resetpass", "off");
  await client.acl("SETUSER", "default", "resetpass", ">another");
  return { port: redis.port, client, at: (login: string) => `redis://${login}127.0.0.1:${redis.port}` };
}

test("a login that is refused, or missing, is told as that, at once and without the password", async () => {
  const { at, port } = await startLocked();
  const refused = await statusOf(at("relay:wrong-secret@"));
  expect(refused.words).toBe(
    `Redis at 127.0.0.1:${port} refuses the login (WRONGPASS): correct user and password in REDIS_URL; nothing can be told`,
  );
  const missing = await statusOf(at(""));
  expect(missing.words).toBe(
    `Redis at 127.0.0.1:${port} wants a login (NOAUTH): put user and password into REDIS_URL; nothing can be told`,
  );
  expect(Math.max(refused.ms, missing.ms)).toBeLessThan(3_000);
  expect((await statusOf(at("relay:a-secret@"))).words).toContain("parked");
});

test("no host, somebody else, TLS where there is none and the other way round are told apart, at once", async () => {
  const tlsAlert = Buffer.from([0x15, 3, 1, 0, 2, 2, 0x46]);
  const [plain, tls] = [await startStranger("-ERR what\r\n"), await startStranger(tlsAlert)];
  const http = await startStranger("HTTP/1.1 400 Bad Request\r\n\r\n");
  for (const [url, words] of [
    ["redis://redis.invalid:6379", "Redis at redis.invalid:6379 is not found (no such host): correct"],
    [`rediss://127.0.0.1:${plain}`, /makes no TLS connection \(wrong version number\): say redis:\/\/ in/],
    [`redis://127.0.0.1:${tls}`, "speaks TLS: say rediss:// in REDIS_URL"],
    [`redis://127.0.0.1:${http}`, "is no Redis, by what it answers: correct host and port"],
  ] as const) {
    const told = await statusOf(url);
    expect(told.words).toMatch(words);
    expect(told.ms).toBeLessThan(3_000);
  }
});

test("nobody there, and one who answers nothing, by TLS or without, are told apart after 5 s", async () => {
  const mute = await startStranger(undefined);
  const told = await Promise.all(
    [
      `redis://:a-secret@127.0.0.1:${await closedPort()}`,
      `redis://127.0.0.1:${mute}`,
      `rediss://127.0.0.1:${mute}`,
    ].map(async (url) => (await statusOf(url)).words),
  );
  expect(told).toEqual([
    expect.stringMatching(
      /is not there \(nobody listens at that port\): start it, or correct REDIS_URL; nothing/,
    ),
    expect.stringContaining("takes connections and does not answer within 5 s"),
    expect.stringContaining("does not answer by TLS within 5 s: say redis:// in REDIS_URL if it speaks none"),
  ]);
  expect(told.join()).not.toContain("a-secret");
});

test("every command says it in the same words, and what that means for it", async () => {
  const site = await openSite({ rules: RULES });
  const { at } = await startLocked();
  const config = readConfig({ ...site.env, REDIS_URL: at("") });
  const start = /wants a login \(NOAUTH\): put user and password into REDIS_URL; /;
  const decision = { taskId: "t", outcome: "again", reason: "r" } as const;
  const replay = { jobGroupIds: [31], failed: false, force: false, yes: true, json: false };
  const run = { recipeId: 27, parameters: {}, wait: false, json: false };
  for (const [command, tail] of [
    [() => runResolve(decision, config, LOG), /nothing was decided$/],
    [() => runExplain({ jobGroupId: 31, json: false }, config, LOG), /nothing can be told$/],
    [() => runReplay(replay, config, LOG), /nothing was done$/],
    [() => runRun(run, config, LOG, () => undefined), /nothing was started$/],
  ] as const) {
    const said = await command().then(String, (error: Error) => error.message);
    expect(said).toMatch(start);
    expect(said).toMatch(tail);
  }
  expect((await examine(site, { REDIS_URL: at("") })).of("redis answers")).toMatchObject({
    verdict: "error",
    words: expect.stringContaining("wants a login (NOAUTH)"),
    advice: "Put user and password into REDIS_URL.",
  });
});

test("a user without rights, and a replica, are each told what to do", async () => {
  const site = await openSite({ rules: RULES });
  const { at, client } = await startLocked();
  const reader = await examine(site, { REDIS_URL: at("reader:a-secret@") });
  expect(reader.of("redis takes writes")).toMatchObject({
    verdict: "error",
    advice: "Let this user write (ACL).",
  });
  const nobody = await examine(site, { REDIS_URL: at("nobody:a-secret@") });
  expect(nobody.of("redis answers")).toMatchObject({
    verdict: "error",
    words: expect.stringMatching(/does not let this user do that \(NOPERM .*ping/),
  });
  await client.replicaof("127.0.0.1", await closedPort());
  expect((await examine(site, { REDIS_URL: at("relay:a-secret@") })).of("redis takes writes").advice).toBe(
    "Name the server that takes writes in REDIS_URL.",
  );
  const config = readConfig({ ...site.env, REDIS_URL: at("relay:a-secret@") });
  const run = { recipeId: 27, parameters: {}, wait: false, json: false };
  await expect(runRun(run, config, LOG, () => undefined)).rejects.toThrow(
    /^Redis at 127\.0\.0\.1:\d+ takes no writes \(READONLY\): name the server/,
  );
});
