import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LoggedRequest } from "../simulator/request-log.ts";
import { createSimulator, type Simulator } from "../simulator/simulator.ts";
import { startScript } from "./support/processes.ts";

let simulator: Simulator;
let url: string;

beforeEach(async () => {
  simulator = createSimulator({ settings: { appearMs: 0, publishMs: 10 } });
  url = await simulator.start();
});
afterEach(() => simulator.stop());

const SEED_BODY = {
  connection: { id: 2 },
  path: ["public"],
  table: "test_table2",
  action: "create",
  inputFormat: "avro",
};

interface Reply<Body> {
  status: number;
  body: Body;
  headers: Headers;
}
interface Refused {
  exception: { name: string; message: string; details: string | null };
}
interface Outputs {
  files: unknown[];
  tables: unknown[];
}
interface Page {
  data: { id: number }[];
  count?: number;
}
interface PublishJob {
  id: number;
  jobType: string;
  status: string;
  creator: { id: number };
}

/** The caller says what it expects to read; what is really there is then asserted. */
async function call<Body>(
  method: string,
  path: string,
  body?: unknown,
  token = "simulator-token",
): Promise<Reply<Body>> {
  const answer = await fetch(`${url}${path}`, {
    method,
    redirect: "manual",
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type")?.includes("json") === true;
  const parsed = (isJson && text !== "" ? JSON.parse(text) : text) as Body;
  return { status: answer.status, headers: answer.headers, body: parsed };
}

const get = <Body>(path: string) => call<Body>("GET", path);
const control = <Body>(path: string, body?: unknown) =>
  call<Body>(body === undefined ? "GET" : "POST", `/_control/${path}`, body);

function publish<Body = Refused>(
  jobGroupId: number,
  fields: Record<string, unknown> = {},
): Promise<Reply<Body>> {
  return call<Body>("PUT", `/v4/jobGroups/${jobGroupId}/publish`, {
    ...SEED_BODY,
    action: "load",
    ...fields,
  });
}

/** Publishes and waits until the publish job ended. */
async function publishToEnd(jobGroupId: number, fields: Record<string, unknown> = {}) {
  const ended = once(simulator.events, "publishEnded");
  const answer = await publish<{ jobgroupId: number }>(jobGroupId, fields);
  await ended;
  return answer;
}

async function publishJobs(jobGroupId: number): Promise<PublishJob[]> {
  const { body } = await get<{ data: PublishJob[] }>(`/v4/jobGroups/${jobGroupId}/jobs`);
  return body.data.filter((job) => job.jobType === "publish");
}

describe("a publish", () => {
  test("is answered at once, with the small g and a request id", async () => {
    simulator.set({ appearMs: 60_000 });
    const answer = await call("PUT", "/v4/jobGroups/2/publish", { ...SEED_BODY, flowNodeId: 27 });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ jobgroupId: 2, reason: "JobStarted", sessionId: expect.any(String) });
    expect(answer.headers.get("x-trifacta-request-id")).toMatch(/./);
    expect(await publishJobs(2)).toEqual([]);
    expect(simulator.publishes(2)).toHaveLength(1);
  });

  test("shows as a job that is Created, then InProgress, then Complete", async () => {
    simulator.set({ publishMs: 60_000 });
    await publish(2, { table: "first" });
    expect(await publishJobs(2)).toMatchObject([{ status: "Created", percentComplete: 0 }]);
    simulator.set({ publishMs: 500, concurrent: "append" });
    const ended = once(simulator.events, "publishEnded");
    await publish(2);
    const seen = new Set<string | undefined>();
    let isOver = false;
    void ended.then(() => (isOver = true));
    while (!isOver) seen.add((await publishJobs(2))[1]?.status);
    const job = (await publishJobs(2))[1];
    expect([...seen, job?.status].filter((status) => status !== "Created").slice(0, 2)).toEqual([
      "InProgress",
      "Complete",
    ]);
    expect(job).toMatchObject({ percentComplete: 100, errorMessage: null, jobGroup: { id: 2 } });
    expect((await get("/v4/jobGroups/2")).body).toMatchObject({ status: "Complete" });
  });

  test("with create makes an empty table with a timestamp in its name", async () => {
    await publishToEnd(2, { action: "create" });
    const [table] = (await control<{ table: string }[]>("tables/public.test_table2")).body;
    expect(table).toMatchObject({ connection: 2, schema: "public", base: "test_table2", rows: 0 });
    expect(table?.table).toMatch(/^test_table2_\d{8}_\d{9}$/);
    const { body } = await get<Outputs>("/v4/jobGroups/2/outputs");
    expect(body.tables).toEqual([
      expect.objectContaining({
        vendor: "redshift",
        relationalPath: ["public"],
        table: table?.table,
        action: "create",
      }),
    ]);
    expect(body.files[0]).toMatchObject({ fileType: "FILE", isPrimaryOutput: true });
  });

  test("with load appends, so that a repeated one is found by asking what was applied twice", async () => {
    simulator.set({ sameTarget: "append" });
    simulator.createJobGroup({ id: 31, rows: 7 });
    await publishToEnd(2);
    await publishToEnd(31);
    expect((await control("twice")).body).toEqual([]);
    expect(simulator.tables("test_table2")[0]?.rows).toBe(107);

    await publishToEnd(31, { table: "TEST_TABLE2" });
    expect(simulator.tables("test_table2")[0]?.rows).toBe(114);
    expect((await control("twice")).body).toMatchObject([{ jobGroupId: 31, applications: [{}, {}] }]);
  });

  test("with createAndLoad makes a new table at every call, and counts as twice under the name that was asked for", async () => {
    simulator.set({ sameTarget: "append" });
    await publishToEnd(2, { action: "createAndLoad" });
    await publishToEnd(2, { action: "createAndLoad" });
    expect(simulator.tables("test_table2").map((table) => table.rows)).toEqual([100, 100]);
    expect(simulator.twice()).toMatchObject([{ jobGroupId: 2, table: "test_table2" }]);
  });

  test.each(["truncateAndLoad", "dropAndLoad", "upsert"])(
    "with %s ends in the same state when repeated",
    async (action) => {
      simulator.set({ sameTarget: "append" });
      await publishToEnd(2, { action });
      await publishToEnd(2, { action });
      expect(simulator.tables("test_table2")).toMatchObject([{ rows: 100, applications: [{ action }] }]);
      expect(simulator.twice()).toEqual([]);
    },
  );

  test("of a job group whose rows stand there twice stays known after a truncate wiped them", async () => {
    simulator.set({ sameTarget: "append" });
    await publishToEnd(2);
    await publishToEnd(2);
    await publishToEnd(2, { action: "truncateAndLoad" });
    expect(simulator.tables("test_table2")[0]?.rows).toBe(100);
    expect(simulator.twice()).toHaveLength(1);
  });
});

describe("a repeated publish", () => {
  test("to the same target is refused with 400 as it stands, and only for that target", async () => {
    await publishToEnd(2);
    const again = await publish(2, { table: "Test_Table2" });
    expect(again.status).toBe(400);
    expect(again.body.exception.message).toBe("Results were already written to this target");
    expect((await publish(2, { table: "other" })).status).toBe(200);
  });

  test("can be accepted and fail in the job list", async () => {
    simulator.set({ sameTarget: "accept-then-fail" });
    await publishToEnd(2);
    expect((await publishToEnd(2)).status).toBe(200);
    expect((await publishJobs(2)).at(-1)).toMatchObject({
      status: "Failed",
      errorMessage: { message: "Results were already written to this target" },
    });
    expect(simulator.tables("test_table2")[0]?.rows).toBe(100);
  });

  test("while another one of the job group runs is refused with 409, or as the settings say", async () => {
    simulator.set({ publishMs: 10_000 });
    await publish(2);
    const busy = await publish(2, { connection: { id: 3 } });
    expect(busy.status).toBe(409);
    expect(busy.body.exception.message).toBe("Another publish of this job group is running");
    await control("settings", { concurrent: { status: 400, message: "Busy" } });
    expect(await publish(2, { connection: { id: 3 } })).toMatchObject({
      status: 400,
      body: { exception: { message: "Busy" } },
    });
    await control("settings", { concurrent: "append" });
    expect((await publish(2, { connection: { id: 3 } })).status).toBe(200);
    expect(simulator.summary().connections).toMatchObject({ 2: { running: 1 }, 3: { running: 1 } });
  });
});

describe("what the platform refuses", () => {
  test.each([
    ["an unknown job group", 99, {}, 404, "DataNotFoundException"],
    ["an unknown connection", 2, { connection: { id: 77 } }, 400, "DataNotFoundException"],
    ["a connection without write access", 2, { connection: { id: 5 } }, 403, "AccessControlException"],
    ["results that are not Avro", 2, { inputFormat: "csv" }, 400, "DataServiceInvalidRequest"],
    ["an unknown action", 2, { action: "appendAll" }, 400, "ApiValidationFailed"],
    ["another recipe than the one that ran", 2, { flowNodeId: 28 }, 400, "DataServiceInvalidRequest"],
    ["a job group that is no recipe job", 1, {}, 400, "DataServiceInvalidRequest"],
  ])("publishing %s", async (_, id, fields, status, name) => {
    expect(await publish(id, fields)).toMatchObject({ status, body: { exception: { name } } });
  });

  test("publishing a job group without Avro results, or one that still runs", async () => {
    simulator.createJobGroup({ id: 31, formats: ["csv"] });
    simulator.createJobGroup({ id: 32, status: "InProgress" });
    expect((await publish(31)).status).toBe(400);
    expect((await publish(32)).status).toBe(400);
    await control("job-groups/32/finish", {});
    expect((await publish(32)).status).toBe(200);
  });

  test("a token that is missing, wrong, expired or lacks the scope", async () => {
    expect((await call("GET", "/v4/jobGroups/2", undefined, "wrong")).status).toBe(401);
    expect((await fetch(`${url}/v4/jobGroups/2`)).status).toBe(401);
    await control("settings", {
      tokens: [
        { token: "simulator-token", mayPublish: false },
        { token: "old", expiresInMs: 0 },
      ],
    });
    expect((await call("GET", "/v4/jobGroups/2", undefined, "old")).status).toBe(401);
    expect((await get("/v4/jobGroups/2")).status).toBe(200);
    expect((await publish(2)).status).toBe(403);
    expect(simulator.requests().map((request) => request.token)).toEqual([
      "unknown",
      "missing",
      "expired",
      "ok",
      "ok",
    ]);
  });

  test("a wrong content type, a tenant without the publish route, a used-up quota", async () => {
    const init = { method: "PUT", body: "{}", headers: { authorization: "Bearer simulator-token" } };
    expect((await fetch(`${url}/v4/jobGroups/2/publish`, init)).status).toBe(415);
    simulator.set({ publishRoute: false });
    expect(await publish(2)).toMatchObject({
      status: 404,
      body: { exception: { name: "RouteNotFoundException" } },
    });
    simulator.set({ publishRoute: true, quotas: [{ on: "publish", limit: 1, perMs: 60_000 }] });
    await publish(2);
    const over = await publish(2, { table: "other" });
    expect(over.status).toBe(429);
    expect(Number(over.headers.get("x-retry-after"))).toBeGreaterThan(50);
    expect(over.headers.get("x-rate-limit-user-limit")).toBe("1");
    expect(Number(over.headers.get("x-rate-limit-user-reset"))).toBeGreaterThan(Date.now());
  });
});

describe("a fault", () => {
  const started = () => simulator.publishes(2).length;

  test.each([
    ["apply-and-drop", 1],
    ["drop", 0],
    ["reset-before-read", 0],
  ] as const)("%s leaves the caller without an answer, with %i publishes started", async (kind, count) => {
    await control("faults", { kind, times: 1 });
    await expect(publish(2)).rejects.toThrow("fetch failed");
    expect(started()).toBe(count);
    const [request] = simulator.requests({ kind: "publish" });
    expect(request).toMatchObject({ fault: kind, jobGroupId: 2 });
    expect((await get("/v4/jobGroups/2")).status).toBe(200);
  });

  test.each([
    [{ kind: "apply-and-504" }, 504, 1],
    [{ kind: "status", status: 502 }, 502, 0],
    [{ kind: "status", status: 500, apply: true }, 500, 1],
    [{ kind: "bad-json" }, 200, 1],
    [{ kind: "wrong-shape" }, 200, 1],
    [{ kind: "redirect", location: "http://127.0.0.1:9/" }, 302, 0],
    [{ kind: "ok-but-ignored" }, 200, 0],
    [{ kind: "slow", ms: 20 }, 200, 1],
  ] as const)("%j answers %i with %i publishes started", async (fault, status, count) => {
    simulator.addFault({ ...fault, times: 1 });
    const answered = await rawPublish();
    expect(answered.status).toBe(status);
    expect(started()).toBe(count);
  });

  function rawPublish() {
    return fetch(`${url}/v4/jobGroups/2/publish`, {
      method: "PUT",
      redirect: "manual",
      headers: { authorization: "Bearer simulator-token", "content-type": "application/json" },
      body: JSON.stringify(SEED_BODY),
    });
  }

  test("502 is a proxy's HTML and 429 says how long to wait", async () => {
    simulator.addFault({ kind: "status", status: 502, times: 1 });
    simulator.addFault({ kind: "status", status: 429, retryAfterSeconds: 57, times: 1 });
    const proxy = await publish<string>(2);
    expect(proxy.headers.get("content-type")).toBe("text/html");
    expect(proxy.body).toContain("502 Bad Gateway");
    const quota = await publish(2);
    expect(quota.headers.get("x-retry-after")).toBe("57");
    expect(quota.body.exception.details).toContain("Wait 57 seconds");
  });

  test("headers-then-hang never ends its body", async () => {
    simulator.addFault({ kind: "headers-then-hang", times: 1 });
    const answer = await rawPublish();
    expect(answer.status).toBe(200);
    const body = answer.text();
    await simulator.goAway();
    await expect(body).rejects.toThrow("terminated");
    expect(started()).toBe(1);
  });

  test("strikes only what it names, so many times, after so many requests", async () => {
    simulator.set({ concurrent: "append" });
    await control("faults", { kind: "status", status: 503, connection: 3, table: "a", skip: 1, times: 1 });
    await control("faults", { kind: "status", status: 500, on: "jobs", jobGroupId: 2, times: 1 });
    const at = (connection: number, table: string) => publish(2, { connection: { id: connection }, table });
    const statuses = [
      await at(3, "a"),
      await at(2, "a"),
      await at(3, "b"),
      await at(3, "A"),
      await at(3, "c"),
    ];
    expect(statuses.map((answer) => answer.status)).toEqual([200, 200, 200, 503, 200]);
    expect((await get("/v4/jobGroups/3/jobs")).status).toBe(200);
    expect((await get("/v4/jobGroups/2/jobs")).status).toBe(500);
    expect((await get("/v4/jobGroups/2/jobs")).status).toBe(200);
    expect((await control("faults")).body).toEqual([]);
  });

  test("with a rate strikes the same requests again when the seed is the same", async () => {
    async function round(seed: number): Promise<number[]> {
      await simulator.reset();
      simulator.set({ seed });
      simulator.addFault({ kind: "status", status: 503, on: "jobGroup", rate: 0.5 });
      const statuses: number[] = [];
      for (let i = 0; i < 30; i++) statuses.push((await get("/v4/jobGroups/2")).status);
      return statuses;
    }
    const first = await round(7);
    expect(new Set(first)).toEqual(new Set([200, 503]));
    expect(await round(7)).toEqual(first);
    expect(await round(8)).not.toEqual(first);
  });

  test("can make the publish job late, stuck, failed or canceled", async () => {
    simulator.set({ concurrent: "append" });
    simulator.addFault({ kind: "late", ms: 5000, table: "late" });
    simulator.addFault({ kind: "stuck", table: "stuck" });
    simulator.addFault({ kind: "fail", table: "fail", errorMessage: { code: "S3ServiceException" } });
    simulator.addFault({ kind: "cancel", table: "cancel" });
    await publish(2, { table: "late" });
    expect(await publishJobs(2)).toEqual([]);
    await publish(2, { table: "stuck" });
    await publishToEnd(2, { table: "fail" });
    await publishToEnd(2, { table: "cancel" });
    expect(await publishJobs(2)).toMatchObject([
      { status: "InProgress", percentComplete: 50 },
      { status: "Failed", errorMessage: { code: "S3ServiceException" } },
      { status: "Canceled", errorMessage: null },
    ]);
    expect(simulator.tables()).toEqual([]);

    const stuck = simulator.publishes(2).find((job) => job.table === "stuck");
    await control(`publishes/${stuck?.jobId}/end`, {});
    expect(simulator.tables("stuck")).toHaveLength(1);
  });

  test("that is misspelt or misplaced is refused with words", async () => {
    expect(await control("faults", { kind: "explode" })).toMatchObject({ status: 400 });
    const misplaced = await control<{ error: string }>("faults", { kind: "stuck", on: "jobs" });
    expect(misplaced.body.error).toContain('use them with on: "publish"');
  });
});

test("a publish can show as a job group of its own, named in the answer and listed in the library", async () => {
  simulator.addFault({ kind: "own-group", times: 1 });
  const answer = await publishToEnd(2);
  const own = answer.body.jobgroupId;
  expect(own).not.toBe(2);
  expect(await publishJobs(2)).toEqual([]);
  expect((await publishJobs(own))[0]?.status).toBe("Complete");
  expect((await get(`/v4/jobGroups/${own}`)).body).toMatchObject({
    ranfor: "publish",
    status: "Complete",
    wrangledDataset: { id: 27 },
  });
  expect((await get<Page>("/v4/jobLibrary?ranfor=publish")).body.data).toMatchObject([{ id: own }]);
  expect((await get<Outputs>("/v4/jobGroups/2/outputs")).body.tables).toHaveLength(1);
});

test("somebody else's publish in the UI runs beside ours and follows no rule of the API", async () => {
  simulator.set({ publishMs: 10_000 });
  await publish(2);
  const { body } = await control<{ publishJobId: number }>("foreign-publish", {
    jobGroupId: 2,
    table: "theirs",
  });
  const jobs = await publishJobs(2);
  expect(jobs.map((job) => job.id)).toContain(body.publishJobId);
  expect(jobs.map((job) => job.creator.id)).toEqual([1, 99]);
});

describe("what can be read", () => {
  test("a job group, its status as a bare string, its recipe, flow and connection", async () => {
    expect((await get("/v4/jobGroups/2")).body).toMatchObject({
      id: 2,
      ranfor: "recipe",
      status: "Complete",
      wrangledDataset: { id: 27 },
    });
    expect((await get("/v4/jobGroups/2/status")).body).toBe("Complete");
    expect((await get("/v4/jobGroups/2/publications")).body).toEqual({ data: [] });
    expect((await get("/v4/wrangledDatasets/27")).body).toMatchObject({ name: "orders", flow: { id: 11 } });
    expect((await get("/v4/flows/11")).body).toMatchObject({ id: 11, name: "Daily sales" });
    expect((await get("/v4/connections/2")).body).toMatchObject({ id: 2, vendor: "redshift" });
    expect((await get("/v4/connections/2/status")).body).toEqual({ result: "SUCCESS" });
    expect((await get<Page>("/v4/connections")).body.count).toBe(5);
    expect((await get("/v4/people/current")).status).toBe(200);
    expect((await get("/v4/workspaces/current")).status).toBe(200);
    expect((await get("/v4/open-api-spec")).body).toHaveProperty([
      "paths",
      "/v4/jobGroups/{id}/publish",
      "put",
    ]);
    expect((await get<Refused>("/v4/nothing")).body.exception.name).toBe("RouteNotFoundException");
    expect((await get("/v4/jobGroups/x")).status).toBe(400);
  });

  test("the job library in pages, newest first, with filters", async () => {
    simulator.createJobGroup({ id: 60, ranfrom: "schedule", status: "Failed" });
    const { body } = await control<{ ids: number[] }>("job-groups", { count: 30 });
    expect(body.ids).toHaveLength(30);
    const first = (await get<Page>("/v4/jobLibrary")).body;
    const second = (await get<Page>("/v4/jobLibrary?offset=25&limit=25")).body;
    expect([first.data.length, second.data.length]).toEqual([25, 9]);
    const ids = [...first.data, ...second.data].map((group) => group.id);
    expect(ids).toEqual(ids.toSorted((a, b) => b - a));
    const filtered = await get(
      "/v4/jobLibrary?status=Complete&ranfor=recipe&includeCount=true&limit=2&fields=id;status",
    );
    expect(filtered.body).toEqual({
      data: [
        { id: 90, status: "Complete" },
        { id: 89, status: "Complete" },
      ],
      count: 31,
    });
    expect((await get<Page>("/v4/jobLibrary?ranfor=sampling")).body.data).toMatchObject([{ id: 1 }]);
    const future = Date.now() + 1000;
    expect((await get<Page>(`/v4/jobLibrary?dateFilter[updatedAt][gte]=${future}`)).body.data).toEqual([]);
    expect((await get<Page>("/v4/jobLibrary?embed=jobs")).status).toBe(400);
  });

  test("a recipe that is run: 201 with its sub jobs, and 304 for the same execution id", async () => {
    simulator.set({ runMs: 0 });
    const run = () =>
      fetch(`${url}/v4/jobGroups`, {
        method: "POST",
        headers: {
          authorization: "Bearer simulator-token",
          "content-type": "application/json",
          "x-execution-id": "once",
        },
        body: JSON.stringify({ wrangledDataset: { id: 28 } }),
      });
    const answer = await run();
    expect(answer.status).toBe(201);
    expect(await answer.json()).toMatchObject({ id: 31, reason: "JobStarted", jobs: { data: [{}, {}] } });
    expect((await run()).status).toBe(304);
  });
});

test("the request log tells what arrived, with its body, its time and what became of it", async () => {
  const before = Date.now();
  await call("PUT", "/v4/jobGroups/2/publish", SEED_BODY);
  await get("/v4/jobGroups/2/jobs");
  const all = (await control<LoggedRequest[]>("requests")).body;
  expect(all.map((request) => request.kind)).toEqual(["publish", "jobs"]);
  const [entry] = (await control<LoggedRequest[]>("requests?kind=publish&jobGroupId=2")).body;
  expect(entry).toMatchObject({
    method: "PUT",
    path: "/v4/jobGroups/2/publish",
    body: SEED_BODY,
    token: "ok",
    result: 200,
    publishJobId: simulator.publishes(2)[0]?.jobId,
  });
  expect(entry?.at).toBeGreaterThanOrEqual(before);
  await call("DELETE", "/_control/requests");
  expect(simulator.requests()).toEqual([]);
});

test("the platform can be away for a while, and its work goes on meanwhile", async () => {
  const ended = once(simulator.events, "publishEnded");
  await publish(2);
  await simulator.goAway();
  await expect(get("/v4/jobGroups/2")).rejects.toThrow("fetch failed");
  await ended;
  expect(await simulator.comeBack()).toBe(url);
  expect((await publishJobs(2))[0]?.status).toBe("Complete");
});

describe("the flow's webhook", () => {
  interface Received {
    body: string;
    headers: Record<string, string | string[] | undefined>;
  }
  const received: Received[] = [];
  let answers: number[] = [];
  const receiver = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      received.push({ body: Buffer.concat(chunks).toString(), headers: req.headers });
      res.writeHead(answers.shift() ?? 202).end();
    });
  });

  beforeEach(async () => {
    received.length = 0;
    answers = [];
    receiver.listen(0, "127.0.0.1");
    await once(receiver, "listening");
    const { port } = receiver.address() as AddressInfo;
    simulator.setWebhooks({ url: `http://127.0.0.1:${port}/hook`, secret: "s3cret", retryMs: 1, lateMs: 20 });
  });
  afterEach(async () => {
    receiver.close();
    receiver.closeAllConnections();
    await once(receiver, "close");
  });

  const ids = () => received.map(({ body }) => Number(JSON.parse(body).jobId));

  test("is signed over time and raw body, with the ids as strings and the labels beside them", async () => {
    await control("job-groups", { id: 40, finishInMs: 0, finishAs: "Failed", labels: { env: "prod" } });
    await once(receiver, "request");
    await simulator.webhooksIdle();
    const [{ body, headers }] = received as [Received];
    expect(JSON.parse(body)).toEqual({ jobId: "40", jobStatus: "Failed", env: "prod" });
    const [, time, mac] = /^t=(\d+),sha256=(\w+)$/.exec(String(headers["x-webhook-signature"])) ?? [];
    expect(mac).toBe(createHmac("sha256", "s3cret").update(`${time}.${body}`).digest("hex"));
  });

  test("can carry the secret in a header, and the test button replaces nothing", async () => {
    await control("webhooks", { scheme: "header" });
    await control("webhooks/test", {});
    await simulator.webhooksIdle();
    expect(received[0]).toMatchObject({
      body: '{"jobId":"$jobId","jobStatus":"$jobStatus"}',
      headers: { "x-webhook-secret": "s3cret" },
    });
  });

  test("is repeated when it is not answered with 2xx, and lost in the end", async () => {
    answers = [503, 500];
    simulator.createJobGroup();
    await simulator.webhooksIdle();
    expect(received).toHaveLength(3);
    expect(simulator.webhooks().counts).toMatchObject({ sent: 3, delivered: 1, refused: 2, lost: 0 });
    answers = [500, 500, 500, 500];
    simulator.createJobGroup();
    await simulator.webhooksIdle();
    expect(simulator.webhooks().counts.lost).toBe(1);
  });

  test("comes once, twice, late, never or out of order, and only for its event", async () => {
    simulator.setWebhooks({ behaviour: "twice" });
    simulator.createJobGroup({ id: 40 });
    await simulator.webhooksIdle();
    simulator.setWebhooks({ behaviour: "never" });
    simulator.createJobGroup({ id: 41 });
    simulator.setWebhooks({ behaviour: "late" });
    simulator.createJobGroup({ id: 42 });
    simulator.setWebhooks({ behaviour: "once" });
    simulator.createJobGroup({ id: 43 });
    await simulator.webhooksIdle();
    expect(ids()).toEqual([40, 40, 43, 42]);

    received.length = 0;
    simulator.setWebhooks({ behaviour: "outOfOrder", event: "success" });
    simulator.createJobGroup({ id: 50 });
    simulator.createJobGroup({ id: 51, status: "Failed" });
    simulator.createJobGroup({ id: 52, webhook: false });
    simulator.createJobGroup({ id: 53, ranfor: "sampling" });
    simulator.createJobGroup({ id: 54 });
    await simulator.webhooksIdle();
    expect(ids().toSorted((a, b) => a - b)).toEqual([50, 54]);
    expect(simulator.webhooks().counts.withheld).toBe(1);
  });
});

test("as a program it says how it is used: --help ends with 0, an option that it does not know with 2", async () => {
  const asked = [["--help"], ["--bogus"]].map((args) =>
    startScript(new URL("../simulator/main.ts", import.meta.url), { args }),
  );
  const [help, unknown] = asked;
  expect(await Promise.all(asked.map(async ({ exited }) => (await exited).code))).toEqual([0, 2]);
  expect(help?.output()).toMatch(/^Usage: npm run simulator/m);
  expect(unknown?.output()).toMatch(/^Unknown option '--bogus'/m);
  expect(unknown?.output()).not.toContain("    at ");
});
