import { expect, test } from "vitest";
import { eventually } from "./support/eventually.ts";
import { startScript } from "./support/processes.ts";
import { openRedis, startPrivateRedis } from "./support/redis.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);

test("a password that Redis refuses is in no line of the log, and the lines do not come many times a second", async () => {
  const redis = await startPrivateRedis();
  const admin = openRedis(redis.url);
  await admin.config("SET", "requirepass", "right-password");
  const url = new URL(redis.url);
  url.password = "wrong-password";
  const relay = startScript(MAIN, {
    args: ["start"],
    env: { REDIS_URL: url.href, PORT: "0", RULES_FILE: "examples/rules.yaml" },
  });
  await relay.line(/WRONGPASS/);
  const askedAt = Date.now();
  await eventually(() => Date.now() - askedAt > 1_500, { what: "some tries more" });
  expect(relay.output()).not.toContain("wrong-password");
  expect(relay.output().match(/WRONGPASS/g)?.length ?? 0).toBeLessThan(10);
  await relay.kill();
});
