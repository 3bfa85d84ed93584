import { Redis } from "ioredis";
import { watchConnection } from "./connection-watch.ts";
import { writeTogether } from "./write-together.ts";

export interface Connections {
  /** For requests: gives up within a second when Redis is away, so that the sender hears of it. */
  readonly ingest: Redis;
  /** For workers and what they do: waits until Redis is back. */
  readonly work: Redis;
  /** Resolves once both are connected; rejects when they are closed before. */
  readonly reached: () => Promise<void>;
  /** Why the last attempt to connect failed; undefined once it did not. */
  readonly trouble: () => Error | undefined;
  /** How often one of them was made anew because it was silent. */
  readonly renewed: () => number;
  readonly close: () => Promise<void>;
}

export interface ConnectionOptions {
  /** A connection on which Redis answers nothing for so long is made anew; default one minute. */
  readonly silentAfterMs?: number;
  /** Told of each that is, by its name. */
  readonly onSilent?: (connection: "ingest" | "work") => void;
}

/** How often a connection is tried again while Redis is away. */
const RETRY_MAX_MS = 1_000;
/** A goodbye to Redis is waited for so long. */
const QUIT_MS = 500;
const SILENT_AFTER_MS = 60_000;

const retryStrategy = (times: number): number => Math.min(50 * times, RETRY_MAX_MS);
const patient = { maxRetriesPerRequest: null, retryStrategy };
/** Gives up within a second when Redis is away, so that whoever asked hears of it. */
export const impatient = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  commandTimeout: 1_000,
  retryStrategy,
};

/** Redis may be away, and then says goodbye to nobody. */
export async function closeSoon(redis: Redis): Promise<void> {
  if (redis.status !== "ready") return redis.disconnect();
  const timer = setTimeout(() => redis.disconnect(), QUIT_MS);
  await redis.quit().catch(() => undefined);
  clearTimeout(timer);
  redis.disconnect();
}

/** Opens the connections of a process; `onError` is told of every loss, and they are found again by themselves. */
export function openConnections(
  url: string,
  onError: (error: Error) => void,
  { silentAfterMs = SILENT_AFTER_MS, onSilent }: ConnectionOptions = {},
): Connections {
  let trouble: Error | undefined;
  const open = (options: typeof patient | typeof impatient): Redis => {
    const redis = new Redis(url, options);
    // Every worker and queue that shares the connection listens on it.
    redis.setMaxListeners(0);
    redis.on("error", onError);
    redis.on("error", (error) => {
      trouble = error;
    });
    redis.on("ready", () => {
      trouble = undefined;
    });
    redis.on("connect", () => writeTogether(redis.stream));
    return redis;
  };
  const ingest = open(impatient);
  const work = open(patient);
  let renewed = 0;
  const watch = (redis: Redis, name: "ingest" | "work"): (() => void) =>
    watchConnection(redis, {
      silentAfterMs,
      onSilent: () => {
        renewed++;
        onSilent?.(name);
      },
    });
  const watches = [watch(ingest, "ingest"), watch(work, "work")];
  return {
    ingest,
    work,
    reached: async () => void (await Promise.all([ingest, work].map(whenReady))),
    trouble: () => trouble,
    renewed: () => renewed,
    close: async () => {
      for (const end of watches) end();
      await Promise.all([ingest, work].map(closeSoon));
    },
  };
}

function whenReady(redis: Redis): Promise<void> {
  if (redis.status === "ready") return Promise.resolve();
  return new Promise((resolve, reject) => {
    redis.once("ready", () => resolve());
    redis.once("end", () => reject(new Error("The connection to Redis was closed")));
  });
}
