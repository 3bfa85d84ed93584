import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { inject } from "vitest";
import { type RedisServer, startRedisServer } from "../../src/redis-server.ts";
import { eventually } from "./eventually.ts";
import { releaseLater } from "./release.ts";

/** The one server that a test run shares. Never flush, pause or kill it: see `startPrivateRedis`. */
export function redisUrl(): string {
  return inject("redisUrl");
}

/** A namespace that nobody else uses: tests share a server, never keys. */
export function newNamespace(): string {
  return `test-${randomBytes(6).toString("hex")}`;
}

/** A client that is closed at the end of the test (or file) that opened it. */
export function openRedis(url: string = redisUrl()): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: null });
  // A test that kills its server is told by its commands, not by this.
  client.on("error", () => {});
  releaseLater(async () => client.disconnect());
  return client;
}

export interface PrivateRedis {
  readonly url: string;
  readonly port: number;
  pid(): number;
  /** kill -9, and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** Ends it in peace. */
  stop(): Promise<void>;
}

/** A redis-server for one test that kills, stops or fills it. Gone, with its data, at the end of the test (or file). */
export async function startPrivateRedis(): Promise<PrivateRedis> {
  const dataDir = await mkdtemp(join(tmpdir(), "publish-relay-redis-"));
  let server: RedisServer = await startRedisServer({ dataDir });
  const { url, port } = server;
  releaseLater(async () => {
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  return {
    url,
    port,
    pid: () => server.pid,
    async kill() {
      process.kill(server.pid, "SIGKILL");
      await eventually(() => !isAlive(server.pid), { what: "the end of redis-server" });
    },
    async start() {
      server = await startRedisServer({ dataDir, port });
    },
    stop: () => server.stop(),
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
