import { mkdir } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { isProcessAlive } from "../src/folder-lock.ts";
import { type RedisServer, startRedisServer } from "../src/redis-server.ts";

/** A redis-server that can be killed and started again on its port and its append-only file. */
export interface KillableRedis {
  readonly port: number;
  readonly url: string;
  /** kill -9; it comes back after `downMs`. */
  strike(downMs: number): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedis(dataDir: string): Promise<KillableRedis> {
  await mkdir(dataDir, { recursive: true });
  let server: RedisServer = await startRedisServer({ dataDir });
  let striking: Promise<void> = Promise.resolve();
  const { port, url } = server;

  async function killAndStart(downMs: number): Promise<void> {
    process.kill(server.pid, "SIGKILL");
    while (isProcessAlive(server.pid)) await wait(5);
    await wait(downMs);
    server = await startRedisServer({ dataDir, port });
  }

  return {
    port,
    url,
    strike: (downMs) => {
      striking = killAndStart(downMs);
      return striking;
    },
    stop: async () => {
      await striking.catch(() => undefined);
      await server.stop();
    },
  };
}
