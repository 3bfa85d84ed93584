import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { createSimulator, type Simulator } from "../simulator/simulator.ts";
import { keysOf } from "../src/queues/names.ts";
import { startRedisServer } from "../src/redis-server.ts";
import { SECRET } from "./wire.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const NAMESPACE = "publish-relay";
const READY_MS = 60_000;
/** Good reports carry this label; nothing else matches a rule. */
export const GOOD_LABEL = { fuzz: "good" } as const;

/** A relay process with Redis and the simulated platform, all real. */
export interface Site {
  readonly port: number;
  readonly simulator: Simulator;
  /** Resident memory of the relay, in bytes. */
  memory(): Promise<number>;
  /** Job groups that Redis knows of, by their records and by the queue. */
  completions(): Promise<Set<number>>;
  /** Fields and bytes that do not belong into a record, in words; to look at once at the end. */
  state(jobGroupId: number): Promise<string | undefined>;
  isRunning(): boolean;
  /** The last lines of its log. */
  log(): string;
  close(): Promise<number | null>;
}

export async function openSite(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-fuzz-"));
  const rules = join(folder, "rules.yaml");
  await writeFile(rules, JSON.stringify(RULES));
  const server = await startRedisServer({ dataDir: join(folder, "redis") });
  const simulator = createSimulator({ settings: { appearMs: 5, publishMs: 10 } });
  const platform = await simulator.start();
  const redis = new Redis(server.url);
  const relay = startRelay({
    DESIGNER_CLOUD_URL: platform,
    DESIGNER_CLOUD_TOKEN: "simulator-token",
    REDIS_URL: server.url,
    RULES_FILE: rules,
    WEBHOOK_SECRETS: `old-secret,${SECRET}`,
    PORT: "0",
    NAMESPACE,
    LOG_LEVEL: "info",
  });
  const keys = keysOf(NAMESPACE);
  const close = async (): Promise<number | null> => {
    const code = await relay.stop();
    redis.disconnect();
    await simulator.stop();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
    return code;
  };
  try {
    const port = await relay.port;
    return {
      port,
      simulator,
      memory: () => residentBytes(relay.pid),
      completions: async () => {
        const [records, jobs] = await Promise.all([
          redis.keys(`${keys.prefix}:group:*`),
          redis.keys(`${keys.queue("completions", "jobgroup-")}*`),
        ]);
        return new Set(
          [...records, ...jobs].flatMap((key) => {
            const id = /group[:-](\d+)$/.exec(key)?.[1];
            return id === undefined ? [] : [Number(id)];
          }),
        );
      },
      state: async (jobGroupId) => {
        const record = await redis.hgetall(keys.group(jobGroupId));
        const task = Object.entries(record).find(([field]) => field.startsWith("task:"))?.[1];
        return task === undefined ? undefined : (JSON.parse(task) as { state: string }).state;
      },
      isRunning: relay.isRunning,
      log: relay.log,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const RULES = {
  version: 1,
  targets: { sales: { connection: 2, schema: "public", concurrency: 50 } },
  rules: [
    {
      name: "good",
      when: { labels: GOOD_LABEL },
      publish: [{ target: "sales", table: "good", action: "load" }],
    },
  ],
};

function startRelay(env: Readonly<Record<string, string>>) {
  const child: ChildProcess = spawn(process.execPath, ["--import", "tsx", MAIN, "start"], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const lines: string[] = [];
  const port = new Promise<number>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`The relay was not ready in time:\n${lines.join("\n")}`)),
      READY_MS,
    );
    const take = (line: string): void => {
      lines.push(line);
      if (lines.length > 200) lines.shift();
      const ready = /"port":(\d+).*"msg":"ready"/.exec(line)?.[1];
      if (ready === undefined) return;
      clearTimeout(timer);
      resolve(Number(ready));
    };
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", take);
    }
    child.once("exit", () => {
      clearTimeout(timer);
      reject(new Error(`The relay ended:\n${lines.join("\n")}`));
    });
  });
  port.catch(() => undefined);
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return {
    pid: child.pid ?? 0,
    port,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    log: () => lines.slice(-20).join("\n"),
    stop: () => {
      child.kill("SIGTERM");
      return exited;
    },
  };
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? Number.NaN : Number(kilobytes) * 1_024;
}
