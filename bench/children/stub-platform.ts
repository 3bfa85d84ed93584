// A platform that answers at once: a publish is Complete as soon as it is accepted, or after PUBLISH_MS.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** What the stub tells once the publishes it was told to expect have arrived. Times are of the monotonic clock, ms. */
export interface Arrivals {
  readonly puts: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** All requests since `expect`, the PUTs among them. */
  readonly requests: number;
  readonly byConnection: Record<number, number[]>;
}

const publishMs = Number(process.env["PUBLISH_MS"] ?? 0);
const CREATED = new Date().toISOString();
interface Publish {
  readonly id: number;
  readonly endsAt: number;
  readonly schema: string;
  readonly table: string;
}

const publishesOf = new Map<number, Publish[]>();
let nextId = 1;
let requests = 0;
let expected = Number.POSITIVE_INFINITY;
let byConnection: Record<number, number[]> = {};
let arrived: number[] = [];

const now = (): number => Number(process.hrtime.bigint()) / 1e6;

const server = createServer((req, res) => {
  requests++;
  const [, , , id = "", what] = (req.url ?? "").split("/");
  const jobGroupId = Number(id);
  const answer = (body: unknown): void => {
    const text = JSON.stringify(body);
    res.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    res.end(text);
  };
  if (req.method === "PUT") {
    let text = "";
    req.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    req.on("end", () => {
      accept(jobGroupId, JSON.parse(text) as PublishBody);
      answer({ jobgroupId: jobGroupId, reason: "JobStarted", sessionId: "bench" });
    });
  } else if (what === "jobs") {
    answer({ data: (publishesOf.get(jobGroupId) ?? []).map(toJob) });
  } else if (what === "outputs") {
    const tables = (publishesOf.get(jobGroupId) ?? []).filter(({ endsAt }) => now() >= endsAt);
    answer({ files: [], tables: tables.map(({ schema, table }) => ({ relationalPath: [schema], table })) });
  } else {
    answer({
      id: jobGroupId,
      status: "Complete",
      ranfor: "recipe",
      wrangledDataset: { id: 27 },
      createdAt: CREATED,
      updatedAt: CREATED,
    });
  }
});

interface PublishBody {
  readonly connection: { readonly id: number };
  readonly path: readonly [string];
  readonly table: string;
}

function toJob({ id, endsAt }: Publish) {
  const status = now() >= endsAt ? "Complete" : "InProgress";
  return { id, status, jobType: "publish", percentComplete: 50, createdAt: CREATED, updatedAt: CREATED };
}

function accept(jobGroupId: number, { connection, path: [schema], table }: PublishBody): void {
  const at = now();
  const publishes = publishesOf.get(jobGroupId) ?? [];
  publishes.push({ id: nextId++, endsAt: at + publishMs, schema, table });
  publishesOf.set(jobGroupId, publishes);
  arrived.push(at);
  (byConnection[connection.id] ??= []).push(at);
  if (arrived.length === expected) tell();
}

function tell(): void {
  const [firstAt = 0] = arrived;
  const arrivals: Arrivals = {
    puts: arrived.length,
    firstAt,
    lastAt: arrived.at(-1) ?? 0,
    requests,
    byConnection,
  };
  process.send?.(arrivals);
}

process.on("message", (message: { readonly expect?: number; readonly tell?: true }) => {
  if (message.tell) return tell();
  expected = message.expect ?? Number.POSITIVE_INFINITY;
  publishesOf.clear();
  arrived = [];
  byConnection = {};
  requests = 0;
});
process.on("disconnect", () => process.exit());
server.keepAliveTimeout = 65_000;
server.listen(0, "127.0.0.1", () => process.send?.({ port: (server.address() as AddressInfo).port }));
