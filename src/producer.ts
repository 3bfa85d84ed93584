import { createHash } from "node:crypto";
import { Queue } from "bullmq";
import { Redis, type RedisOptions } from "ioredis";
import { parseReport } from "./producers/report.ts";
import { closeSoon, impatient } from "./queues/connections.ts";
import { inTime } from "./queues/in-time.ts";
import { COMPLETIONS, keysOf, NAMESPACE } from "./queues/names.ts";
import { RETENTION } from "./queues/options.ts";
import { completionId } from "./rules/task-identity.ts";

/** Where the relay's Redis is: an address, or a connection. */
export type CompletionProducerOptions = {
  /** The relay's `NAMESPACE`; default `publish-relay`. */
  readonly namespace?: string;
} & (
  | {
      /** `redis://` or `rediss://`; the producer opens a connection and closes it. */
      readonly redisUrl: string;
      readonly connection?: never;
    }
  | {
      /** A client that is used and left open, or options for one that the producer opens and closes. */
      readonly connection: Redis | RedisOptions;
      readonly redisUrl?: never;
    }
);

/** What may be said of a completion beside its job group. */
export interface CompletionDetails {
  /** The status that was seen, at most 100 characters: a hint, the relay asks the platform. */
  readonly status?: string;
  /** What rules can match on: at most 50, names up to 100 and values up to 1,000 characters. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** A completion that Redis has taken. */
export interface StoredCompletion {
  /** The completion's id, `jobgroup-31`: all reports of one job group are one completion. */
  readonly completion: string;
  /** The message's own id in the queue `completions`, where its end shows. */
  readonly messageId: string;
}

export interface CompletionProducer {
  /**
   * Says that a job group finished; resolves once that is stored. Rejects within about a second when Redis is away.
   *
   * Repeating it is safe, also after a rejection that left open whether it was stored: the relay merges all reports
   * of a job group, publishes nothing twice for it, and new labels add what their rules ask for.
   *
   * Rejects with `InvalidCompletionError` (never again as it is) or `CompletionNotStoredError` (again, later).
   */
  completed(jobGroupId: number, details?: CompletionDetails): Promise<StoredCompletion>;
  /** Waits for what is under way, at most about a second, and closes the connection that the producer opened. */
  close(): Promise<void>;
}

/** The relay would refuse it: `message` names the field and what it must be. */
export class InvalidCompletionError extends Error {
  override readonly name = "InvalidCompletionError";
}

/** Redis did not take it, or did not say so in time: report it again, that is safe. `cause` is what went wrong. */
export class CompletionNotStoredError extends Error {
  override readonly name = "CompletionNotStoredError";
}

/** From the call to the rejection. */
const LIMIT_MS = 1_000;

/**
 * Opens a producer of completions: it puts messages on the relay's queue `completions`. The relay need not run, it
 * finds them when it does. Throws a `TypeError` for wrong options; while Redis is away each call rejects.
 */
export function createCompletionProducer(options: CompletionProducerOptions): CompletionProducer {
  const { namespace = NAMESPACE.byDefault } = options;
  if (!NAMESPACE.pattern.test(namespace)) throw new TypeError(`namespace ${NAMESPACE.words}`);
  const { redis, lastError, release } = connect(options);
  const queue = new Queue(COMPLETIONS, {
    connection: redis,
    prefix: keysOf(namespace).prefix,
    skipMetasUpdate: true,
  });
  // Each call tells of its own.
  queue.on("error", () => undefined);
  const underWay = new Set<Promise<unknown>>();
  let waiting: Promise<boolean> | undefined;
  let closing: Promise<void> | undefined;

  /** One wait for all calls. Nothing is handed to a connection that is not ready: it would be kept, and sent later. */
  const isReady = (): Promise<boolean> => {
    if (redis.status === "ready") return Promise.resolve(true);
    waiting ??= whenReady(redis).finally(() => {
      waiting = undefined;
    });
    return waiting;
  };

  const store = async (data: { jobGroupId: number }): Promise<StoredCompletion> => {
    const deadline = performance.now() + LIMIT_MS;
    if (!(await isReady())) throw notStored("it is not reached", lastError());
    // No id of its own: BullMQ would drop a second message of one id for as long as it keeps the first, and with it new
    // labels. One that says just the same, while the first has not ended, is left out.
    const adding = queue.add("completion", data, { ...RETENTION, deduplication: { id: contentOf(data) } });
    let failure: unknown;
    adding.catch((error: unknown) => {
      failure = error;
    });
    const answered = await inTime(adding, Math.max(deadline - performance.now(), 1));
    if (!answered) throw notStored(`no answer within ${LIMIT_MS} ms`);
    if (failure !== undefined) throw notStored(wordsOf(failure), failure);
    const { id = "" } = await adding;
    return { completion: completionId(data.jobGroupId), messageId: id };
  };

  const close = async (): Promise<void> => {
    await Promise.allSettled(underWay);
    await inTime(queue.close(), LIMIT_MS);
    await release();
  };

  return {
    completed: async (jobGroupId, details = {}) => {
      if (closing) throw new Error("This producer is closed: create another one.");
      const stored = store(check(jobGroupId, details));
      underWay.add(stored);
      return stored.finally(() => underWay.delete(stored));
    },
    close: () => (closing ??= close()),
  };
}

/** Names what a message says, whatever the order of its labels. */
function contentOf(data: object): string {
  const sorted = JSON.stringify(data, (_key, value: unknown) =>
    typeof value === "object" && value !== null
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash("sha256").update(sorted).digest("hex");
}

/** The relay's own check, made where the mistake is. */
function check(jobGroupId: number, { status, labels }: CompletionDetails) {
  const parsed = parseReport({ jobGroupId, status, labels }, "message");
  if (parsed.kind === "malformed") throw new InvalidCompletionError(parsed.detail);
  if (parsed.kind === "test") throw new InvalidCompletionError('"jobGroupId" is a placeholder: fill it in.');
  const { source: _, ...message } = parsed.report;
  return message;
}

interface Connected {
  readonly redis: Redis;
  readonly lastError: () => Error | undefined;
  readonly release: () => Promise<void>;
}

function connect({ redisUrl, connection }: CompletionProducerOptions): Connected {
  if (connection && isClient(connection)) {
    return { redis: connection, lastError: () => undefined, release: async () => undefined };
  }
  const options = { ...connection, ...impatient, replyMapping: "legacy" } as const;
  const redis = connection ? new Redis(options) : new Redis(checkUrl(redisUrl), options);
  let last: Error | undefined;
  redis.on("error", (error: Error) => {
    last = error;
  });
  return { redis, lastError: () => last, release: () => closeSoon(redis) };
}

/** Not `instanceof`: the caller's ioredis may be another copy. */
const isClient = (connection: Redis | RedisOptions): connection is Redis =>
  "defineCommand" in connection && typeof connection.defineCommand === "function";

function checkUrl(url: string | undefined): string {
  if (url && URL.canParse(url) && ["redis:", "rediss:"].includes(new URL(url).protocol)) return url;
  throw new TypeError("redisUrl must be an address like redis://127.0.0.1:6379, or set connection");
}

function whenReady(redis: Redis): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (ready: boolean): void => {
      clearTimeout(timer);
      redis.off("ready", isReady);
      redis.off("end", hasEnded);
      resolve(ready);
    };
    const isReady = (): void => settle(true);
    const hasEnded = (): void => settle(false);
    const timer = setTimeout(hasEnded, redis.status === "end" ? 0 : LIMIT_MS);
    redis.once("ready", isReady);
    redis.once("end", hasEnded);
  });
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function notStored(why: string, cause?: unknown): CompletionNotStoredError {
  const reason = cause === undefined || wordsOf(cause) === why ? why : `${why}: ${wordsOf(cause)}`;
  const message = `Redis did not take the completion (${reason}). Report it again: that is safe.`;
  return new CompletionNotStoredError(message, cause === undefined ? {} : { cause });
}
