import { expect, test } from "vitest";
import { startScript } from "./support/processes.ts";
import { openRedis, startPrivateRedis } from "./support/redis.ts";
import { openSite } from "./support/relay.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);
const RULES = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [
    { name: "orders", when: { recipe: 27 }, publish: [{ target: "sales", table: "orders", action: "load" }] },
  ],
};

async function openEvicting() {
  const redis = await startPrivateRedis();
  await openRedis(redis.url).config("SET", "maxmemory-policy", "allkeys-lru");
  return openSite({ rules: RULES, redisUrl: redis.url });
}

test("a Redis that evicts is told of once, in our words: by the relay's log, and by a command", async () => {
  const site = await openEvicting();
  const { process } = await site.startProcess();
  const lines = process.output().trim().split("\n");
  const told = lines.map((line) => JSON.parse(line) as { level: number; msg: string });
  expect(told.filter(({ msg }) => /eviction|maxmemory/i.test(msg))).toMatchObject([
    {
      level: 40,
      policy: "allkeys-lru",
      msg: "Redis has maxmemory-policy allkeys-lru: when it is full it throws away jobs and records, and publishes are lost. Set maxmemory-policy noeviction",
    },
  ]);

  const status = startScript(MAIN, { args: ["status"], env: site.env });
  expect(await status.exited).toMatchObject({ code: 0 });
  expect(status.output().match(/.*maxmemory.*|.*eviction policy.*/gi)).toEqual([
    expect.stringMatching(/^warning: Redis has maxmemory-policy allkeys-lru: .*noeviction$/),
  ]);
});

test("a user of Redis who may not ask INFO is told what to allow, and nothing of a library's settings", async () => {
  const redis = await startPrivateRedis();
  await openRedis(redis.url).call("ACL", "SETUSER", "small", "on", ">pw", "~*", "&*", "+@all", "-info");
  const url = redis.url.replace("redis://", "redis://small:pw@");
  const site = await openSite({ rules: RULES, redisUrl: redis.url });
  const status = startScript(MAIN, { args: ["status"], env: { ...site.env, REDIS_URL: url } });
  await status.exited;
  expect(status.output()).not.toContain("enableReadyCheck");
  expect(status.output().match(/^warning: this user of Redis may not ask INFO.*$/gm)).toHaveLength(1);
});
