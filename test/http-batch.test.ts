import { afterEach, describe, expect, test } from "vitest";
import { createApi } from "../src/http/api.ts";
import { createHealth } from "../src/http/health.ts";
import { createHttpServer, type HttpServer } from "../src/http/server.ts";
import type { Report } from "../src/producers/accept-report.ts";
import type { CompletionReport } from "../src/producers/report.ts";
import { startPrivateRedis } from "./support/redis.ts";
import { API_TOKEN, openSite, statesOf } from "./support/relay.ts";

const open: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

const stored: Report = async ({ jobGroupId }) => ({ completion: `jobgroup-${jobGroupId}`, duplicate: false });

async function start(report: Report = stored) {
  const warnings: object[] = [];
  const log = { warn: (fields: object) => void warnings.push(fields) };
  const api = createApi({ report, log }, { tokens: [API_TOKEN] });
  const server = createHttpServer({ ...createHealth([]), api }, { host: "127.0.0.1", port: 0 });
  open.push(server);
  const { port } = await server.listen();
  return { url: `http://127.0.0.1:${port}`, warnings };
}

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly retryAfter: string | null;
  readonly body: {
    readonly results?: Array<{ readonly status: number } & Record<string, unknown>>;
    readonly detail?: string;
  };
}

async function send(url: string, body: unknown, headers = {}): Promise<Answer> {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${API_TOKEN}`, "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    retryAfter: response.headers.get("retry-after"),
    body: (await response.json()) as Answer["body"],
  };
}

const groups = (count: number) => Array.from({ length: count }, (_, i) => ({ jobGroupId: i + 1 }));

describe("a batch", () => {
  test("is answered with one result per report, in their order, and a bad one refuses no other", async () => {
    const { url } = await start();
    const items = [{ jobGroupId: 31 }, { status: "x" }, null, { jobId: "$jobId" }, [31], { jobId: "32" }];
    const { status, body } = await send(url, items);
    expect(status).toBe(200);
    expect(body).toEqual({
      results: [
        { status: 202, completion: "jobgroup-31", duplicate: false },
        { status: 400, detail: expect.stringContaining('"jobGroupId" is missing') },
        { status: 400, detail: expect.stringContaining("must be a JSON object") },
        {
          status: 200,
          test: true,
          detail: expect.stringContaining("test delivery"),
          understood: { status: null, labels: {} },
        },
        { status: 400, detail: expect.stringContaining("must be a JSON object") },
        { status: 202, completion: "jobgroup-32", duplicate: false },
      ],
    });
  });

  test("hands each report on as a single one is, with the delivery's name", async () => {
    const reports: CompletionReport[] = [];
    const { url } = await start((report) => {
      reports.push(report);
      return stored(report);
    });
    await send(url, ` \r\n\t${JSON.stringify([{ jobGroupId: 31, env: "prod" }, { jobGroupId: 32 }])}`, {
      "idempotency-key": "night-7",
    });
    expect(reports).toEqual([
      { jobGroupId: 31, labels: { env: "prod" }, source: "api", delivery: "night-7" },
      { jobGroupId: 32, labels: {}, source: "api", delivery: "night-7" },
    ]);
  });

  test("waits for no report before the next one is stored", async () => {
    let release = () => {};
    const all = new Promise<void>((resolve) => {
      release = resolve;
    });
    let begun = 0;
    const { url } = await start(async (report) => {
      if (++begun === 500) release();
      await all;
      return stored(report);
    });
    const { status, body } = await send(url, groups(500));
    expect(status).toBe(200);
    expect(body.results?.map(({ completion }) => completion)).toEqual(
      groups(500).map(({ jobGroupId }) => `jobgroup-${jobGroupId}`),
    );
  });

  test.each([
    ["none", [], "an array of 0"],
    ["501", groups(501), "an array of 501"],
  ])("of %s is refused, and says how many it may have", async (_, items, words) => {
    const { url } = await start(() => Promise.reject(new Error("must not be stored")));
    const { status, type, body } = await send(url, items);
    expect([status, type]).toEqual([400, "application/problem+json"]);
    expect(body.detail).toContain("1 to 500");
    expect(body.detail).toContain(words);
  });

  test("that is no JSON is refused", async () => {
    const { url } = await start();
    const { status, body } = await send(url, '[{"jobGroupId":31}');
    expect(status).toBe(400);
    expect(body.detail).toContain("not JSON");
  });

  test("may be larger than a single report, but not without end", async () => {
    const { url } = await start();
    const note = "x".repeat(900);
    const batch = await send(
      url,
      Array.from({ length: 500 }, (_, i) => ({ jobGroupId: i + 1, note })),
    );
    expect(batch.status).toBe(200);
    const single = await send(url, { jobGroupId: 31, more: "x".repeat(66_000) });
    expect(single.status).toBe(413);
    expect(single.body.detail).toMatch(/65536 bytes.*1048576 bytes/);
    const huge = await send(url, `[${" ".repeat(1_048_576)}]`);
    expect(huge.status).toBe(413);
    expect(huge.body.detail).toMatch(/larger than 1048576 bytes.*65536 bytes/);
  });

  test("of which some cannot be stored says which; if none can, all of it is a 503", async () => {
    const odd: Report = (report) =>
      report.jobGroupId % 2 === 1 ? stored(report) : Promise.reject(new Error("redis://:secret@host"));
    const { url, warnings } = await start(odd);
    const some = await send(url, [{ jobGroupId: 1 }, { jobGroupId: 2 }, {}]);
    expect(some.status).toBe(200);
    expect(some.body.results?.map(({ status }) => status)).toEqual([202, 503, 400]);
    expect(some.body.results?.[1]?.["detail"]).toContain("Send it again");
    const none = await send(url, [{ jobGroupId: 2 }, {}, { jobGroupId: 4 }]);
    expect(none).toMatchObject({ status: 503, type: "application/problem+json", retryAfter: "2" });
    expect(none.body.results?.map(({ status }) => status)).toEqual([503, 400, 503]);
    expect(JSON.stringify([some, none])).not.toContain("secret");
    expect(warnings).toHaveLength(1);
  });

  test("of which nothing could be stored anyway is no 503", async () => {
    const { url } = await start(() => Promise.reject(new Error("away")));
    expect(await send(url, [{}, { jobGroupId: 0 }])).toMatchObject({
      status: 200,
      body: { results: [{ status: 400 }, { status: 400 }] },
    });
  });
});

describe("a relay", () => {
  const rules = {
    targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "reports" } },
    rules: [
      { name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] },
      {
        name: "prod",
        when: { labels: { env: "prod" } },
        publish: [{ target: "finance", table: "orders", action: "load" }],
      },
    ],
  };

  test("takes 500 reports at once, and those of one job group as one completion", async () => {
    const site = await openSite({ rules });
    const relay = await site.start();
    const id = site.simulator.createJobGroup({ webhook: false });
    const many = groups(497).map(({ jobGroupId }) => ({ jobGroupId: jobGroupId + 1_000_000 }));
    const mine = [
      { jobGroupId: id },
      { jobGroupId: id, labels: { env: "prod" } },
      { jobId: String(id), env: "prod" },
    ];
    const { status, body } = await send(relay.url, [...many, ...mine]);
    expect(status).toBe(200);
    expect(body.results?.filter(({ status }) => status !== 202)).toEqual([]);
    expect(body.results?.slice(-3).map(({ duplicate }) => duplicate)).toEqual([false, false, true]);
    expect(statesOf(await site.ended(id, 2))).toEqual(["finance published", "sales published"]);
    expect(site.puts(id)).toHaveLength(2);
    expect(await relay.story(id)).toMatchObject({
      completion: { labels: { env: "prod" }, reportCount: 3, source: "api" },
    });
  });

  test("whose Redis hangs says 503 within a second, and takes the same batch after that", async () => {
    const redis = await startPrivateRedis();
    const site = await openSite({ rules, redisUrl: redis.url });
    const relay = await site.start();
    const batch = groups(500).map(({ jobGroupId }) => ({ jobGroupId: jobGroupId + 1_000_000 }));
    process.kill(redis.pid(), "SIGSTOP");
    const askedAt = performance.now();
    const hung = await send(relay.url, batch).finally(() => process.kill(redis.pid(), "SIGCONT"));
    const tookMs = performance.now() - askedAt;
    expect(hung).toMatchObject({ status: 503, retryAfter: "2" });
    expect(hung.body.results).toHaveLength(500);
    expect(tookMs).toBeLessThan(1_500);
    const again = await send(relay.url, batch);
    expect(again.status).toBe(200);
    expect(again.body.results?.filter(({ status }) => status !== 202)).toEqual([]);
  });
});
