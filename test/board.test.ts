import { existsSync } from "node:fs";
import { type Job, Queue, Worker } from "bullmq";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pino } from "pino";
import { type Access, createGuard } from "../src/http/access.ts";
import { createBoard, type Board, type BoardOptions } from "../src/http/board.ts";
import type { BoardQueue, BoardQueueKind } from "../src/http/board-queues.ts";
import { createHealth } from "../src/http/health.ts";
import { createHttpServer } from "../src/http/server.ts";
import { createAudit } from "../src/queues/audit-store.ts";
import { keysOf } from "../src/queues/names.ts";
import { newNamespace, openRedis } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";

const TASK = "jobGroup 31 -> sales.public.test_table2 (load)";
const ANN = `Basic ${Buffer.from("ann:secret").toString("base64")}`;
const VIC = `Basic ${Buffer.from("vic:look").toString("base64")}`;

const LOGIN: Access = {
  operators: [{ name: "ann", password: "secret" }],
  viewers: [{ name: "vic", password: "look" }],
  loopback: true,
};

const namespace = newNamespace();
const { prefix } = keysOf(namespace);
const queues = new Map<string, Queue>();
let boardQueues: BoardQueue[] = [];

beforeAll(async () => {
  const connection = openRedis();
  const open = (name: string): Queue => {
    const queue = new Queue(name, { connection, prefix });
    queues.set(name, queue);
    releaseLater(() => queue.close());
    return queue;
  };
  const of = (
    name: string,
    kind: BoardQueueKind,
    displayName?: string,
    description?: string,
  ): BoardQueue => ({
    queue: open(name),
    kind,
    ...(displayName === undefined ? {} : { displayName }),
    ...(description === undefined ? {} : { description }),
  });
  // Not in the order of the flow: the board is to bring them into it.
  boardQueues = [
    of("parked", "parked", "Parked", "Publishes that wait for a person"),
    of("publish.sales", "target", "sales", "Sales cluster, connection 2"),
    of("publish.finance.eu", "target", "finance.eu"),
    of("publish.finance", "target", "finance"),
    of("completions", "completions", "Completions"),
    of("job-groups", "job-groups", "Job groups"),
  ];

  await queues.get("publish.sales")?.add(TASK, { jobGroupId: 31 }, { jobId: "task-31" });
  let started = (_job: Job) => {};
  const active = new Promise<Job>((resolve) => {
    started = resolve;
  });
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const worker = new Worker(
    "publish.sales",
    async (running) => {
      await running.updateProgress({ progress: 40, stage: "following", platform: "InProgress" });
      await running.log("12:00:01 sent, the platform answered 200");
      started(running);
      await finished;
    },
    { connection, prefix },
  );
  releaseLater(async () => {
    finish();
    await worker.close();
  });
  await active;
});

async function serve(options: Partial<BoardOptions> = {}, access: Access = LOGIN) {
  const log = pino({ level: "silent" });
  const board: Board = createBoard({
    queues: boardQueues,
    guard: createGuard(access),
    audit: createAudit(openRedis(), keysOf(namespace), 60_000, log),
    log,
    ...options,
  });
  const server = createHttpServer(
    { ...createHealth([]), board: board.app },
    { host: "127.0.0.1", port: 0, closeTimeoutMs: 300 },
  );
  releaseLater(() => server.close());
  const { port } = await server.listen();
  const url = `http://127.0.0.1:${port}/board`;
  const call = (
    path: string,
    init: Omit<RequestInit, "headers"> & { as?: string; headers?: Record<string, string> } = {},
  ) =>
    fetch(url + path, {
      redirect: "manual",
      ...init,
      headers: { authorization: init.as ?? ANN, ...init.headers },
    });
  return { board, url, call };
}

interface ListedQueue {
  name: string;
  displayName?: string;
  description?: string;
  readOnlyMode: boolean;
  hasWorkers: boolean | null;
  jobs: Array<{
    id: string;
    name: string;
    progress: unknown;
    externalUrl?: { href: string; displayText?: string };
  }>;
}

async function list(
  call: Awaited<ReturnType<typeof serve>>["call"],
  query = "",
  as = ANN,
): Promise<ListedQueue[]> {
  // As the board's own page asks.
  const response = await call(`/api/queues${query}`, { as, headers: { "sec-fetch-site": "same-origin" } });
  expect(response.status).toBe(200);
  return ((await response.json()) as { queues: ListedQueue[] }).queues;
}

const IN_ORDER = [
  "Completions:completions",
  "Completions:job-groups",
  "Targets:publish.sales",
  "Targets:publish.finance.eu",
  "Targets:publish.finance",
  "Parked:parked",
];

describe("the board's queues", () => {
  it("come in the order of the flow, grouped, with their own names and descriptions, and without asking for workers", async () => {
    const { call } = await serve();
    const listed = await list(call);
    expect(listed.map(({ name }) => name)).toEqual(IN_ORDER);
    expect(listed[2]).toMatchObject({
      displayName: "sales",
      description: "Sales cluster, connection 2",
      readOnlyMode: false,
      hasWorkers: null,
    });
  });

  it("are told to scripts by their BullMQ names, which can be asked for as well", async () => {
    const { call } = await serve();
    const response = await call("/api/queues?status=active&activeQueue=publish.sales&page=1", { as: ANN });
    const { queues } = (await response.json()) as { queues: ListedQueue[] };
    expect(queues.map(({ name }) => name)).toEqual(IN_ORDER.map((name) => name.replace(/^.*?:/, "")));
    expect(queues.flatMap(({ jobs }) => jobs.map(({ id }) => id))).toEqual(["task-31"]);
  });

  it("can be set anew, and keep the order", async () => {
    const { board, call } = await serve({ queues: boardQueues.filter(({ kind }) => kind !== "target") });
    expect((await list(call)).map(({ name }) => name)).toEqual([
      "Completions:completions",
      "Completions:job-groups",
      "Parked:parked",
    ]);
    board.setQueues(boardQueues);
    expect((await list(call)).map(({ name }) => name)).toEqual(IN_ORDER);
    board.setQueues(boardQueues.slice(1));
    expect((await list(call)).map(({ name }) => name)).toEqual(IN_ORDER.slice(0, -1));
    expect((await call("/api/queues/parked/x")).status).toBe(404);
  });

  it("show a task under its name, with its progress, and a link of ours", async () => {
    const { call } = await serve({
      jobLink: ({ queueName, id }) => ({ text: queueName, url: `https://platform.example/jobs/${id}` }),
    });
    const sales = (await list(call, "?activeQueue=Targets%3Apublish.sales&status=active"))[2];
    expect(sales?.jobs).toMatchObject([
      {
        id: "task-31",
        name: TASK,
        progress: { progress: 40, stage: "following" },
        externalUrl: { displayText: "publish.sales", href: "https://platform.example/jobs/task-31" },
      },
    ]);
  });

  it("answer to BullMQ's name too", async () => {
    const { call } = await serve();
    const job = (await (await call("/api/queues/publish.sales/task-31")).json()) as { job: { name: string } };
    expect(job.job.name).toBe(TASK);
    const page = await call("/queue/publish.sales/task-31?status=active");
    expect(page.status).toBe(302);
    expect(page.headers.get("location")).toBe("/board/queue/Targets%3Apublish.sales/task-31?status=active");
    expect((await call("/queue/Targets%3Apublish.sales/task-31")).status).toBe(200);
  });
});

describe("the board's guard", () => {
  const changes = [
    ["PUT", "/api/queues/pause"],
    ["PUT", "/api/queues/Targets%3Apublish.finance/pause"],
    ["PUT", "/api/queues/publish.finance/pause"],
    ["PUT", "/api/queues/publish.finance/empty"],
    ["POST", "/api/queues/publish.finance/add"],
    ["PATCH", "/api/queues/publish.sales/task-31/update-data"],
    ["DELETE", "/api/queues/publish.finance"],
    ["POST", "/nothing"],
  ] as const;
  const finance = () => queues.get("publish.finance") as Queue;

  it("asks for a login on every path, also on files", async () => {
    const { call } = await serve();
    for (const path of ["", "/", "/api/queues", "/api/queues/publish.sales/task-31", "/static/favicon.ico"]) {
      const response = await call(path, { as: "" });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toContain("Basic");
      expect(response.headers.get("content-type")).toBe("application/problem+json");
    }
  });

  it("lets a viewer look, without buttons, and answers 403 to every change", async () => {
    const { call } = await serve();
    expect((await list(call, "", VIC)).every(({ readOnlyMode }) => readOnlyMode)).toBe(true);
    for (const [method, path] of changes) {
      const response = await call(path, {
        as: VIC,
        method,
        body: "{}",
        headers: { "content-type": "application/json" },
      });
      expect(response.status, `${method} ${path}`).toBe(403);
      expect(await response.json()).toMatchObject({
        status: 403,
        message: expect.stringContaining("Viewers"),
      });
    }
    expect(await finance().isPaused()).toBe(false);
  });

  it("leaves out the buttons of what is off, where Bull Board has a word for them", async () => {
    const flags = { allowCompletedRetries: false, supportsGlobalRateLimit: false };
    expect((await list((await serve()).call))[0]).toMatchObject(flags);
    expect((await list((await serve({ dangerous: true })).call))[0]).toMatchObject({
      allowCompletedRetries: true,
      supportsGlobalRateLimit: true,
    });
  });

  it("answers 429 with a time to wait to who tries passwords, and lets an operator go on", async () => {
    const { call } = await serve();
    expect((await call("/api/queues")).status).toBe(200);
    const tries = Array.from({ length: 6 }, (_, n) => `Basic ${btoa(`ann:wrong${n}`)}`);
    const answers = [];
    for (const as of tries) answers.push(await call("/api/queues", { as }));
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 429]);
    expect(answers.at(-1)?.headers.get("retry-after")).toBe("1");
    expect((await call("/api/queues")).status).toBe(200);
  });

  it("lets an operator change things", async () => {
    const { call } = await serve();
    expect((await call("/api/queues/publish.finance/pause", { method: "PUT" })).status).toBe(200);
    expect(await finance().isPaused()).toBe(true);
    expect((await call("/api/queues/Targets%3Apublish.finance/resume", { method: "PUT" })).status).toBe(200);
    expect(await finance().isPaused()).toBe(false);
  });

  it("refuses changes from foreign pages and by plain forms, in front of the router", async () => {
    const { call } = await serve();
    for (const [method, path] of changes) {
      const json = { "content-type": "application/json" };
      const foreign = { ...json, origin: "https://evil.example" };
      expect((await call(path, { method, body: "{}", headers: foreign })).status).toBe(403);
      const site = { ...json, "sec-fetch-site": "cross-site" };
      expect((await call(path, { method, body: "{}", headers: site })).status).toBe(403);
      const form = { "content-type": "application/x-www-form-urlencoded" };
      expect((await call(path, { method, body: "name=x&data={}", headers: form })).status).toBe(415);
      const text = { "content-type": "text/plain" };
      expect((await call(path, { method, body: '{"name":"x"}', headers: text })).status).toBe(415);
    }
    expect(await finance().getJobCountByTypes("wait", "delayed")).toBe(0);
    expect(await finance().isPaused()).toBe(false);
  });

  it("without a login: open on loopback under loopback's names, closed elsewhere", async () => {
    const local = await serve({}, { operators: [], viewers: [], loopback: true });
    expect((await local.call("/api/queues", { as: "" })).status).toBe(200);
    const away = await serve({}, { operators: [], viewers: [], loopback: false });
    for (const path of ["", "/api/queues", "/static/favicon.ico"]) {
      const response = await away.call(path, { as: "" });
      expect(response.status).toBe(403);
      expect(((await response.json()) as { detail: string }).detail).toContain("set BOARD_OPERATORS");
    }
  });

  it("sends security headers with everything, and does not say what it is built with", async () => {
    const { call } = await serve();
    for (const path of ["/", "/api/queues", "/static/favicon.ico"]) {
      const { headers } = await call(path);
      expect(headers.get("content-security-policy")?.split(";").toSorted()).toEqual([
        "base-uri 'self'",
        "connect-src 'self'",
        "default-src 'none'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "img-src 'self' data:",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "worker-src 'self' blob:",
      ]);
      expect(headers.get("referrer-policy")).toBe("same-origin");
      expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
      expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-powered-by")).toBeNull();
    }
    expect((await call("/api/queues")).headers.get("cache-control")).toBe("no-store");
  });

  it("answers nonsense with a problem, without a stack", async () => {
    const { call } = await serve({ dangerous: true });
    for (const path of ["/queue/%ff", "/api/queues/%ff/x"]) {
      const response = await call(path);
      expect(response.status).toBe(400);
      expect(await response.text()).not.toContain("node_modules");
    }
    const broken = await call("/api/queues/publish.finance/add", {
      method: "POST",
      body: "{",
      headers: { "content-type": "application/json" },
    });
    expect(broken.status).toBe(400);
    expect(await broken.text()).not.toContain("node_modules");
  });
});

const browser = [process.env["CHROMIUM_PATH"], "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path !== undefined && existsSync(path),
);
const why = browser === undefined ? " [not run: no Chromium; set CHROMIUM_PATH]" : "";

/** Bull Board's page names a web font, which the security headers keep the browser from loading. */
const FONTS = "fonts.googleapis.com";

describe.skipIf(browser === undefined)(`the board in a browser${why}`, () => {
  const args = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
  ];

  it("shows the groups, a task by its name, and its progress as ring and words", async () => {
    const { url } = await serve({ links: [{ text: "Rules", url: "https://rules.example" }] });
    const chrome = await chromium.launch({ executablePath: browser ?? "", args });
    releaseLater(() => chrome.close());
    const page = await chrome.newPage({
      httpCredentials: { username: "ann", password: "secret" },
      viewport: { width: 1300, height: 850 },
    });
    const errors: string[] = [];
    const asked: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("request", (request) => asked.push(request.url()));
    page.on("console", (message) => {
      if (message.type() === "error" && !message.text().includes(FONTS)) errors.push(message.text());
    });
    const shot = (name: string) => {
      const folder = process.env["BOARD_SCREENSHOTS"];
      return folder === undefined ? undefined : page.screenshot({ path: `${folder}/${name}.png` });
    };

    await page.goto(url);
    const groups = page.locator("main section[data-level='0'] > div:first-child > button[aria-expanded]");
    await groups.first().waitFor();
    expect(await groups.locator("span[title]").allTextContents()).toEqual([
      "Completions",
      "Targets",
      "Parked",
    ]);
    await shot("overview");

    // The page's own buttons pass the guard.
    const finance = page
      .locator("main li")
      .filter({ has: page.getByRole("link", { name: "finance", exact: true }) });
    await finance.getByRole("button").click();
    await page.getByRole("menuitem", { name: "Pause" }).click();
    await page.getByRole("button", { name: "Confirm" }).click();
    await finance.getByText("paused").waitFor();
    expect(await queues.get("publish.finance")?.isPaused()).toBe(true);
    await queues.get("publish.finance")?.resume();

    await page.goto(`${url}/queue/publish.sales/task-31`);
    await page.getByText(TASK).first().waitFor();
    await page.getByRole("progressbar").first().waitFor();
    expect(await page.getByRole("progressbar").first().textContent()).toContain("40");
    await page
      .getByRole("button", { name: "Progress" })
      .or(page.getByRole("tab", { name: "Progress" }))
      .first()
      .click();
    await page.getByText("following").first().waitFor();
    await shot("task");

    expect(errors).toEqual([]);
    const { origin } = new URL(url);
    expect(asked.filter((address) => !address.startsWith(origin) && !address.includes(FONTS))).toEqual([]);
  });
});

afterAll(() => queues.clear());
