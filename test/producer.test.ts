import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import {
  CompletionNotStoredError,
  type CompletionProducerOptions,
  createCompletionProducer,
  InvalidCompletionError,
} from "../src/producer.ts";
import { eventually } from "./support/eventually.ts";
import { newNamespace, openRedis, redisUrl, startPrivateRedis } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";

function open(options: Partial<CompletionProducerOptions> = {}) {
  const namespace = newNamespace();
  const where = "connection" in options ? {} : { redisUrl: redisUrl() };
  const producer = createCompletionProducer({
    namespace,
    ...where,
    ...options,
  } as CompletionProducerOptions);
  releaseLater(() => producer.close());
  return { producer, namespace };
}

const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a producer of completions", () => {
  test("puts messages as the contract says on the queue, each under an id of BullMQ's", async () => {
    const { producer, namespace } = open();
    const first = await producer.completed(31, { status: "Complete", labels: { env: "prod" } });
    const second = await producer.completed(31);
    expect([first.completion, second.completion]).toEqual(["jobgroup-31", "jobgroup-31"]);
    const redis = openRedis();
    const read = async (id: string) => redis.hgetall(`{${namespace}}:completions:${id}`);
    expect(await read(first.messageId)).toMatchObject({
      name: "completion",
      data: '{"jobGroupId":31,"status":"Complete","labels":{"env":"prod"}}',
    });
    expect(await read(second.messageId)).toMatchObject({ data: '{"jobGroupId":31,"labels":{}}' });
    expect(first.messageId).toMatch(/^\d+$/);
  });

  test("puts what says just the same on the queue once, while the first has not ended", async () => {
    const { producer, namespace } = open();
    const first = await producer.completed(31, { labels: { env: "prod", team: "a" } });
    const again = await producer.completed(31, { labels: { team: "a", env: "prod" } });
    const other = await producer.completed(31, { labels: { env: "prod", team: "b" } });
    expect(again.messageId).toBe(first.messageId);
    expect(other.messageId).not.toBe(first.messageId);
    expect(await openRedis().llen(`{${namespace}}:completions:wait`)).toBe(2);
  });

  test.each([
    ["no id", [Number.NaN], '"jobGroupId" must be'],
    ["a fraction", [1.5], '"jobGroupId" must be'],
    ["no id at all", [undefined as unknown as number], '"jobGroupId" is missing'],
    ["a placeholder", ["$jobId" as unknown as number], "placeholder"],
    ["a long status", [31, { status: "x".repeat(101) }], '"status" must be'],
    ["a long label", [31, { labels: { note: "x".repeat(1_001) } }], 'Field "note" has 1001 characters'],
    [
      "too many labels",
      [31, { labels: Object.fromEntries([...Array(51).keys()].map((i) => [`l${i}`, ""])) }],
      "50",
    ],
  ] as const)("refuses %s before anything is sent, and names the field", async (_, [id, details], words) => {
    const { producer, namespace } = open();
    const error = await errorOf(producer.completed(id, details));
    expect(error).toBeInstanceOf(InvalidCompletionError);
    expect((error as Error).message).toContain(words);
    expect(await openRedis().exists(`{${namespace}}:completions:wait`)).toBe(0);
  });

  test("throws for options that cannot be meant", () => {
    for (const options of [
      { redisUrl: "127.0.0.1:6379" },
      { redisUrl: "http://127.0.0.1" },
      { redisUrl: "" },
      { redisUrl: redisUrl(), namespace: "{x}" },
      { redisUrl: redisUrl(), namespace: "" },
    ]) {
      expect(() => createCompletionProducer(options)).toThrow(TypeError);
    }
  });

  test("uses a client that it is given, and leaves it open", async () => {
    const redis = new Redis(redisUrl());
    releaseLater(async () => redis.disconnect());
    const { producer } = open({ connection: redis });
    await producer.completed(31);
    await producer.close();
    expect(await redis.ping()).toBe("PONG");
  });

  test("takes options of a connection, whatever they say of waiting", async () => {
    const { port, hostname } = new URL(redisUrl());
    const connection = { host: hostname, port: Number(port), maxRetriesPerRequest: null, lazyConnect: true };
    const { producer } = open({ connection });
    expect(await producer.completed(31)).toMatchObject({ completion: "jobgroup-31" });
  });

  test("waits in close for what is under way, and takes nothing after it", async () => {
    const { producer } = open();
    const stored = Promise.all(Array.from({ length: 50 }, (_, i) => producer.completed(i + 1)));
    const closed = producer.close();
    const late = await errorOf(producer.completed(31));
    expect((late as Error).message).toContain("closed");
    await closed;
    expect(await stored).toHaveLength(50);
  });

  test("rejects within about a second while Redis is away or hangs, and stores again by itself after that", async () => {
    const redis = await startPrivateRedis();
    const { producer } = open({ redisUrl: redis.url });
    await producer.completed(1);
    const refused = async (id: number) => {
      const at = performance.now();
      const error = await errorOf(producer.completed(id));
      expect(error).toBeInstanceOf(CompletionNotStoredError);
      expect((error as Error).message).toContain("Report it again");
      expect(performance.now() - at).toBeLessThan(1_500);
    };
    process.kill(redis.pid(), "SIGSTOP");
    await refused(2).finally(() => process.kill(redis.pid(), "SIGCONT"));
    await redis.kill();
    await refused(3);
    await Promise.all([refused(4), refused(5)]);
    await redis.start();
    await eventually(() => producer.completed(6), { what: "a report is stored again" });
  });

  test("says what Redis said when it refuses", async () => {
    const { url } = await startPrivateRedis();
    const redis = openRedis(url);
    await redis.config("SET", "maxmemory", "1");
    const { producer } = open({ redisUrl: url });
    const error = await errorOf(producer.completed(31));
    expect(error).toBeInstanceOf(CompletionNotStoredError);
    expect((error as Error).message).toContain("OOM");
  });
});
