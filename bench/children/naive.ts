// The pipeline that one would write in an hour: webhook, two queues, a PUT. Nothing in it is safe against a crash
// between two steps, a lost answer, a repeated webhook or two publishes of one job group at a time.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { Pool } from "undici";

const { REDIS_URL = "", PLATFORM_URL = "", SECRET = "", TARGETS = "3", ROLES = "" } = process.env;
const CONCURRENCY = Number(process.env["CONCURRENCY"] ?? 100);
const prefix = "{naive}";

if (ROLES.includes("web")) serve();
else process.send?.({ port: 0 });
if (ROLES.includes("work")) work();
process.on("disconnect", () => process.exit());

function serve(): void {
  const completions = new Queue("completions", { connection: new Redis(REDIS_URL), prefix });
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      const body = Buffer.concat(chunks);
      if (!isSigned(String(req.headers["x-webhook-signature"] ?? ""), body)) return res.writeHead(401).end();
      const { jobId } = JSON.parse(body.toString()) as { jobId: string };
      completions
        .add("completion", { jobGroupId: Number(jobId) }, { jobId: `jobgroup-${jobId}` })
        .then(() => {
          const text = JSON.stringify({ completion: `jobgroup-${jobId}` });
          res.writeHead(202, { "content-type": "application/json", "content-length": text.length }).end(text);
        })
        .catch(() => res.writeHead(503).end());
    });
  });
  server.keepAliveTimeout = 65_000;
  server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
}

function isSigned(header: string, body: Buffer): boolean {
  const [, time, given = ""] = /^t=(\d+),sha256=([0-9a-f]{64})$/.exec(header) ?? [];
  const made = createHmac("sha256", SECRET).update(`${time}.`).update(body).digest();
  return timingSafeEqual(made, Buffer.from(given.padEnd(64, "0"), "hex"));
}

function work(): void {
  const connection = new Redis(REDIS_URL, { maxRetriesPerRequest: null });
  const platform = new Pool(PLATFORM_URL, { connections: 64 });
  const publishes = new Queue("publish", { connection, prefix });
  const tables = Array.from({ length: Number(TARGETS) }, (_, i) => ({ connection: i + 2, table: "orders" }));

  new Worker(
    "completions",
    async ({ data }) => {
      const { jobGroupId } = data as { jobGroupId: number };
      await publishes.addBulk(
        tables.map((table) => ({ name: "publish", data: { jobGroupId, ...table }, opts: { attempts: 8 } })),
      );
    },
    { connection, prefix, concurrency: 32 },
  );
  new Worker(
    "publish",
    async ({ data }) => {
      const {
        jobGroupId,
        connection: id,
        table,
      } = data as {
        jobGroupId: number;
        connection: number;
        table: string;
      };
      const { statusCode, body } = await platform.request({
        method: "PUT",
        path: `/v4/jobGroups/${jobGroupId}/publish`,
        headers: { authorization: "Bearer bench-token", "content-type": "application/json" },
        body: JSON.stringify({
          connection: { id },
          path: ["public"],
          table,
          action: "load",
          inputFormat: "avro",
        }),
      });
      await body.dump();
      if (statusCode !== 200) throw new Error(`The platform answered ${statusCode}`);
    },
    { connection, prefix, concurrency: CONCURRENCY },
  );
}
