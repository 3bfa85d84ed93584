import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { createSimulator, type Simulator } from "../simulator/simulator.ts";
import { readConfig } from "../src/config.ts";
import { startRedisServer } from "../src/redis-server.ts";
import { createRelay, type Relay } from "../src/relay.ts";

/** Fixed, so that the commands to try next can be pasted; the relay listens on loopback alone. */
const API_TOKEN = "demo";
const NAMESPACE = "publish-relay";
/** The relay takes it when it is free. */
export const PREFERRED_PORT = 3000;
const ANY_PORT = 0;

export interface Demo {
  readonly relayUrl: string;
  readonly apiToken: string;
  readonly redisUrl: string;
  readonly namespace: string;
  readonly simulator: Simulator;
  /** Where all its files are; gone after `close`. */
  readonly folder: string;
  readonly logFile: string;
  /** The relay's last warnings and errors, one line each. */
  lastWarnings(): Promise<string[]>;
  /** Ends everything and removes the folder. */
  close(): Promise<void>;
}

/** Starts a Redis, the simulated platform and the relay; nothing of it is left after `close`, or when it throws. */
export async function openDemo(rulesFile: string): Promise<Demo> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-demo-"));
  const releasers = [() => rm(folder, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const release of releasers.splice(0).reverse()) await release();
  };
  try {
    const redis = await startRedisServer({ dataDir: join(folder, "redis") });
    releasers.push(() => redis.stop());

    const secret = randomBytes(24).toString("base64url");
    const simulator = createSimulator({
      // Slow enough to be watched.
      settings: { appearMs: [100, 400], publishMs: [800, 2_800] },
      webhook: { secret },
    });
    await simulator.start();
    releasers.push(() => simulator.stop());

    const logFile = join(folder, "relay.log");
    const { relay, port } = await startRelay(logFile, {
      REDIS_URL: redis.url,
      NAMESPACE,
      RULES_FILE: rulesFile,
      DESIGNER_CLOUD_URL: simulator.url,
      DESIGNER_CLOUD_TOKEN: "simulator-token",
      WEBHOOK_SECRETS: secret,
      API_TOKENS: API_TOKEN,
      // Soon enough to be watched: a webhook is waited for two minutes otherwise.
      POLL_INTERVAL: "2s",
      POLL_GRACE: "5s",
    });
    releasers.push(() => relay.stop());

    const relayUrl = `http://127.0.0.1:${port}`;
    simulator.setWebhooks({ url: `${relayUrl}/webhooks/designer-cloud` });
    return {
      relayUrl,
      simulator,
      folder,
      logFile,
      close,
      apiToken: API_TOKEN,
      redisUrl: redis.url,
      namespace: NAMESPACE,
      lastWarnings: () => readWarnings(logFile),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startRelay(
  logFile: string,
  env: Readonly<Record<string, string>>,
): Promise<{ relay: Relay; port: number }> {
  const log = pino({ level: "info" }, pino.destination({ dest: logFile, sync: true }));
  for (const wanted of [PREFERRED_PORT, ANY_PORT]) {
    const relay = createRelay(readConfig({ ...env, PORT: String(wanted) }), log);
    try {
      const { port } = await relay.start();
      return { relay, port };
    } catch (error) {
      await relay.stop();
      if (wanted === ANY_PORT || !isTaken(error)) throw error;
    }
  }
  throw new Error("no free port on 127.0.0.1");
}

function isTaken(error: unknown): boolean {
  const { cause } = error as { cause?: NodeJS.ErrnoException };
  return cause?.code === "EADDRINUSE";
}

const WARN_LEVEL = 40;
const LAST = 10;

async function readWarnings(logFile: string): Promise<string[]> {
  const lines = (await readFile(logFile, "utf8")).split("\n").filter((line) => line !== "");
  return lines
    .map((line) => JSON.parse(line) as { level: number; msg?: string; words?: string })
    .filter(({ level }) => level >= WARN_LEVEL)
    .map(({ msg, words }) => [msg, words].filter(Boolean).join(": "))
    .slice(-LAST);
}
