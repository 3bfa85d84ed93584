import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startRedisServer } from "../src/redis-server.ts";
import { eventually } from "./support/eventually.ts";
import { startProgram, startScript } from "./support/processes.ts";
import { openRedis, startPrivateRedis } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";

const STARTER = new URL("fixtures/own-redis.ts", import.meta.url);

async function newDataDir(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), "publish-relay-own-"));
  releaseLater(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("keeps every acknowledged write over a stop and a new start, and never evicts", async () => {
  const dataDir = await newDataDir();
  const first = await startRedisServer({ dataDir });
  releaseLater(() => first.stop());
  const client = openRedis(first.url);
  await Promise.all(Array.from({ length: 500 }, (_, i) => client.rpush("kept", i)));
  expect(await client.config("GET", "maxmemory-policy")).toEqual(["maxmemory-policy", "noeviction"]);
  expect(await client.config("GET", "bind")).toEqual(["bind", "127.0.0.1"]);
  await first.stop();
  expect(isAlive(first.pid)).toBe(false);

  const second = await startRedisServer({ dataDir });
  releaseLater(() => second.stop());
  expect(await openRedis(second.url).llen("kept")).toBe(500);
});

test("survives kill -9 with its data, on the same port", async () => {
  const redis = await startPrivateRedis();
  const client = openRedis(redis.url);
  await client.set("kept", "yes");
  await redis.kill();
  await redis.start();
  expect(await client.get("kept")).toBe("yes");
});

test("two starts at once on one folder make one server", async () => {
  const dataDir = await newDataDir();
  const servers = await Promise.all([startRedisServer({ dataDir }), startRedisServer({ dataDir })]);
  for (const server of servers) releaseLater(() => server.stop());
  expect(servers[0].pid).toBe(servers[1].pid);
});

test("takes over the server of a process that was killed, and then stops it", async () => {
  const dataDir = await newDataDir();
  const other = startScript(STARTER, { args: [dataDir] });
  const [, pid] = await other.line(/^pid (\d+)$/);
  await other.kill();
  expect(isAlive(Number(pid))).toBe(true);

  const server = await startRedisServer({ dataDir });
  expect(server.pid).toBe(Number(pid));
  await server.stop();
  expect(isAlive(server.pid)).toBe(false);
});

test("uses the server of a process that lives, and leaves it to it", async () => {
  const dataDir = await newDataDir();
  const other = startScript(STARTER, { args: [dataDir] });
  const [, pid] = await other.line(/^pid (\d+)$/);
  const server = await startRedisServer({ dataDir });
  expect(server.pid).toBe(Number(pid));
  await server.stop();
  expect(await openRedis(server.url).ping()).toBe("PONG");

  other.signal("SIGTERM");
  await other.exited;
  await eventually(() => !isAlive(server.pid), { what: "the end of a server whose process has exited" });
});

test("says that it ended without having been asked to", async () => {
  const told: string[] = [];
  const dataDir = await newDataDir();
  const server = await startRedisServer({ dataDir, logger: { error: (_, message) => told.push(message) } });
  releaseLater(() => server.stop());
  process.kill(server.pid, "SIGKILL");
  await eventually(() => told.length > 0);
  expect(told[0]).toMatch(/redis-server has ended; restart the relay/);
});

test("says how to install one when there is none", async () => {
  const program = startProgram(process.execPath, ["--import", "tsx", STARTER.pathname, await newDataDir()], {
    env: { PATH: "/nowhere" },
  });
  expect(await program.exited).toMatchObject({ code: 1 });
  expect(program.output()).toMatch(
    /Neither redis-server nor valkey-server is on PATH.*apt-get install -y redis-server/,
  );
});

test("says what Redis said when it cannot come up", async () => {
  const redis = await startPrivateRedis();
  await expect(startRedisServer({ dataDir: await newDataDir(), port: redis.port })).rejects.toThrow(
    /did not come up on port \d+.*(Address already in use|Failed listening)/,
  );
});
