import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLog } from "../src/log.ts";
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

test("fields that hold secrets by their names are hidden however deep they lie, and the line stays as it is but for them", async () => {
  const file = join(await mkdtemp(join(tmpdir(), "publish-relay-log-")), "log");
  const log = createLog("info", file, ["a-known-secret"]);
  const request = {
    headers: { authorization: "Bearer abc", accept: "*/*" },
    tries: [{ password: { a: "abc" } }],
  };
  log.info({ request, cookie: "abc", words: 'says "password": a-known-secret' }, "asked");
  const text = await eventually(async () => {
    const written = await readFile(file, "utf8");
    return written.endsWith("\n") && written;
  });
  expect(text).not.toContain("abc");
  expect(JSON.parse(text)).toMatchObject({
    request: { headers: { authorization: "***", accept: "*/*" }, tries: [{ password: "***" }] },
    cookie: "***",
    words: 'says "password": ***',
    msg: "asked",
  });
});
