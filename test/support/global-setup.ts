import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startRedisServer } from "../../src/redis-server.ts";
import { endLeftProcesses, RUN_MARK } from "./left-processes.ts";

declare module "vitest" {
  export interface ProvidedContext {
    redisUrl: string;
  }
}

/** One redis-server for the whole run; at its end, no process of a test may be left. */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), "publish-relay-test-"));
  const server = await startRedisServer({ dataDir });
  project.provide("redisUrl", server.url);
  // Set after the server was started, so that it does not carry the mark itself.
  process.env[RUN_MARK] = randomUUID();

  return async () => {
    const left = await endLeftProcesses(process.env[RUN_MARK] ?? "");
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
    if (left.length > 0) {
      // Vitest prints an error of a teardown, and ends with 0 all the same.
      process.exitCode = 1;
      throw new Error(`Tests left processes behind (ended now):\n${left.join("\n")}`);
    }
  };
}
