import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { startRedisServer } from "../src/redis-server.ts";
import { type Child, type Environment, startChild, startRelay } from "./child.ts";

export const SECRET = "bench-secret-of-the-webhook";
export const RELAY_PREFIX = "{publish-relay}";
export const NAIVE_PREFIX = "{naive}";

export interface RulesOptions {
  readonly targets?: number;
  readonly concurrency?: number;
  readonly rateLimit?: { readonly max: number; readonly per: string };
  readonly serializeJobGroups?: boolean;
}

/** A Redis and a folder of the bench's own. */
export interface Site {
  readonly redis: Redis;
  readonly redisPid: number;
  readonly redisUrl: string;
  startStub(publishMs?: number): Promise<Child>;
  startRelay(stub: Child, roles: string, rules?: RulesOptions): Promise<Child>;
  startNaive(stub: Child, roles: string, more?: Environment): Promise<Child>;
  close(): Promise<void>;
}

export async function openSite(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-bench-"));
  // Also when the bench is stopped in the middle.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const server = await startRedisServer({ dataDir: folder });
  const redis = new Redis(server.url);
  const urlOf = ({ port }: Child): string => `http://127.0.0.1:${port}`;
  return {
    redis,
    redisPid: server.pid,
    redisUrl: server.url,
    startStub: (publishMs = 0) => startChild("stub-platform", { PUBLISH_MS: String(publishMs) }),
    startRelay: async (stub, roles, rules = {}) => {
      const file = join(folder, "rules.json");
      await writeFile(file, JSON.stringify(rulesOf(rules)));
      return startRelay({
        REDIS_URL: server.url,
        DESIGNER_CLOUD_URL: urlOf(stub),
        DESIGNER_CLOUD_TOKEN: "bench-token",
        RULES_FILE: file,
        ROLES: roles,
        WEBHOOK_SECRETS: SECRET,
      });
    },
    startNaive: (stub, roles, more = {}) =>
      startChild("naive", {
        REDIS_URL: server.url,
        PLATFORM_URL: urlOf(stub),
        SECRET,
        ROLES: roles,
        ...more,
      }),
    close: async () => {
      await redis.quit();
      await server.stop();
    },
  };
}

/** JSON is YAML. */
function rulesOf({
  targets = 3,
  concurrency = 4,
  rateLimit,
  serializeJobGroups = true,
}: RulesOptions): object {
  const names = Array.from({ length: targets }, (_, i) => `target${i + 1}`);
  const target = (connection: number) => ({
    connection,
    schema: "public",
    concurrency,
    ...(rateLimit && { rateLimit }),
  });
  return {
    version: 1,
    serializeJobGroups,
    targets: Object.fromEntries(names.map((name, i) => [name, target(i + 2)])),
    rules: [
      {
        name: "all",
        when: "all",
        publish: names.map((name) => ({ target: name, table: `orders_of_${name}`, action: "load" })),
      },
    ],
  };
}
