import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Queue } from "bullmq";
import { pino } from "pino";
import { createSimulator } from "../simulator/simulator.ts";
import { readConfig } from "../src/config.ts";
import { startRedisServer } from "../src/redis-server.ts";
import { createRelay } from "../src/relay.ts";

/** A relay with publishes that are held up for every reason there is, to take pictures of. */
export interface Scene {
  readonly url: string;
  /** A job group with a parked task, and one that went well. */
  readonly parked: number;
  readonly busy: number;
  readonly published: number;
  close(): Promise<void>;
}

const API_TOKEN = "scene";
const publication = (target: string, table: string, more: object = {}) => ({
  target,
  table,
  action: "load",
  ...more,
});

const RULES = {
  version: 1,
  targets: {
    sales: {
      description: "Sales cluster, Frankfurt",
      connection: 2,
      schema: "public",
      rateLimit: { max: 600, per: "1m" },
    },
    finance: { description: "Finance cluster", connection: 3, schema: "public" },
    reporting: { connection: 2, schema: "reporting", rateLimit: { max: 4, per: "1m" } },
    archive: { connection: 2, schema: "archive", concurrency: 2 },
  },
  rules: [
    { name: "orders-to-sales", when: { recipe: "orders" }, publish: [publication("sales", "orders")] },
    {
      name: "ledger-to-finance",
      when: { recipe: "ledger" },
      publish: [publication("finance", "ledger", { attempts: 30, backoff: "200ms" })],
    },
    {
      name: "customers-to-reporting",
      when: { recipe: "customers" },
      publish: [publication("reporting", "customers_{jobGroupId}")],
    },
    {
      name: "returns-to-archive",
      when: { recipe: "orders-returns", labels: { kind: "returns" } },
      publish: [publication("archive", "returns"), publication("archive", "returns_history")],
    },
    {
      name: "stock-to-archive",
      when: { recipe: "orders-returns", labels: { kind: "stock" } },
      publish: [publication("archive", "stock", { deadline: "1s" }), publication("archive", "stock_history")],
    },
  ],
};
const RECIPES = { orders: 27, customers: 28, returns: 29, ledger: 30 } as const;

/** Starts it all; it takes about 10 s until everything is held up as it should be. */
export async function openScene(env: Readonly<Record<string, string>> = {}): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-scene-"));
  const rulesFile = join(folder, "rules.yaml");
  // JSON is YAML.
  await writeFile(rulesFile, JSON.stringify(RULES));
  const redis = await startRedisServer({ dataDir: join(folder, "redis") });
  const simulator = createSimulator({
    settings: { appearMs: 20, publishMs: [200, 900], sameTarget: "append", concurrent: "append" },
  });
  await simulator.start();
  const relay = createRelay(
    readConfig({
      REDIS_URL: redis.url,
      RULES_FILE: rulesFile,
      DESIGNER_CLOUD_URL: simulator.url,
      DESIGNER_CLOUD_TOKEN: "simulator-token",
      WEBHOOK_AUTH: "none",
      API_TOKENS: API_TOKEN,
      POLL_INTERVAL: "off",
      PORT: "0",
      ...env,
    }),
    pino({ level: "fatal" }),
  );
  const { port } = await relay.start();
  const url = `http://127.0.0.1:${port}`;
  const report = async (recipe: keyof typeof RECIPES, labels: object = {}): Promise<number> => {
    const id = simulator.createJobGroup({ recipeId: RECIPES[recipe], webhook: false });
    await fetch(`${url}/v1/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${API_TOKEN}` },
      body: JSON.stringify({ jobGroupId: id, status: "Complete", env: "prod", ...labels }),
    });
    return id;
  };

  const published = await report("orders");
  for (let i = 0; i < 14; i++) await report("orders");
  await wait(3_500);
  simulator.addFault({ kind: "status", status: 403, table: "orders", times: 1 });
  await report("orders");
  await wait(800);
  simulator.addFault({ kind: "stuck", table: "stock", times: 1 });
  const parked = await report("returns", { kind: "stock" });
  simulator.addFault({ kind: "fail", connection: 3, errorMessage: "Redshift: disk full on node 2" });
  for (let i = 0; i < 6; i++) await report("ledger");
  for (let i = 0; i < 5; i++) await report("customers");
  await wait(2_500);
  await report("returns", { kind: "stock" });
  const sales = new Queue("publish.sales", { connection: { url: redis.url }, prefix: "{publish-relay}" });
  await sales.pause();
  await sales.close();
  for (let i = 0; i < 7; i++) await report("orders");
  for (const table of ["returns", "returns_history"])
    simulator.addFault({ kind: "long", table, ms: 600_000 });
  const busy = await report("returns", { kind: "returns" });
  await wait(4_000);
  return {
    url,
    parked,
    busy,
    published,
    close: async () => {
      await relay.stop();
      await simulator.stop();
      await redis.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
