import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Queue } from "bullmq";
import { pino } from "pino";
import { chromium } from "playwright-core";
import { describe, expect, it } from "vitest";
import { createGuard } from "../src/http/access.ts";
import { createBoard } from "../src/http/board.ts";
import { createHealth } from "../src/http/health.ts";
import { createHttpServer } from "../src/http/server.ts";
import { createAudit } from "../src/queues/audit-store.ts";
import { keysOf } from "../src/queues/names.ts";
import { newNamespace, openRedis } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";

const browser = [process.env["CHROMIUM_PATH"], "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path !== undefined && existsSync(path),
);
const why = browser === undefined ? " [not run: no Chromium; set CHROMIUM_PATH]" : "";

interface Seen {
  readonly method: string;
  readonly site: string | undefined;
  readonly signedIn: boolean;
  readonly status: number;
}

/** A board where everything is allowed to ann, that tells which requests reached it, and how they were answered. */
async function openBoard() {
  const keys = keysOf(newNamespace());
  const queue = new Queue("publish.sales", { connection: openRedis(), prefix: keys.prefix });
  releaseLater(() => queue.close());
  await queue.add("waits", { plan: 1 }, { jobId: "jobgroup-31-2-public-orders" });
  const log = pino({ level: "silent" });
  const guard = createGuard({
    operators: [{ name: "ann", password: "secret" }],
    viewers: [],
    loopback: true,
  });
  const board = createBoard({
    queues: [{ queue, kind: "target" }],
    guard,
    audit: createAudit(openRedis(), keys, 60_000, log),
    dangerous: true,
    log,
  });
  const seen: Seen[] = [];
  const server = createHttpServer(
    {
      ...createHealth([]),
      board: (req, res) => {
        res.on("finish", () => {
          const site = req.headers["sec-fetch-site"] as string | undefined;
          const signedIn = req.headers.authorization !== undefined;
          seen.push({ method: req.method ?? "", site, signedIn, status: res.statusCode });
        });
        board.app(req, res);
      },
    },
    { host: "127.0.0.1", port: 0, closeTimeoutMs: 300 },
  );
  releaseLater(() => server.close());
  const { port } = await server.listen();
  const everything = async () => {
    const redis = openRedis();
    const names = (await redis.keys(`${keys.prefix}:*`)).toSorted();
    return Promise.all(names.map(async (key) => [key, (await redis.dumpBuffer(key))?.toString("base64")]));
  };
  return { port, seen, everything };
}

/** Somebody else's page. */
async function openForeign(): Promise<number> {
  const server = createServer((_req, res) => {
    res.setHeader("content-type", "text/html");
    res.end("<!doctype html><title>win a prize</title><body>");
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  releaseLater(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(resolve);
      }),
  );
  return (server.address() as AddressInfo).port;
}

const PATHS = ["pause", "add", "jobgroup-31-2-public-orders/clean"];
const FORM_TYPES = ["application/x-www-form-urlencoded", "text/plain"];

/** What a page of today can try by script; runs in the browser. */
const scripts = (base: string): string => `(async () => {
  const sent = [];
  const types = [{ "content-type": "application/json" }, { "content-type": "text/plain" }, { "x-forwarded-host": "127.0.0.1" }, {}];
  for (const path of ${JSON.stringify(PATHS)}) {
    for (const method of ["POST", "PUT", "PATCH"]) {
      for (const mode of ["cors", "no-cors"]) {
        for (const headers of types) {
          const init = { method, mode, credentials: "include", headers, body: "{}" };
          try { sent.push(fetch(${JSON.stringify(base)} + "/" + path, init).catch(() => undefined)); } catch {}
        }
      }
    }
    navigator.sendBeacon(${JSON.stringify(base)} + "/" + path, new Blob(["{}"], { type: "text/plain" }));
  }
  await Promise.all(sent);
})()`;

/** A form that sends itself; as plain text its body reads as JSON. */
const form = (action: string, type: string): string => `(() => {
  document.body.innerHTML = ${JSON.stringify(
    `<form method="post" enctype="${type}" action="${action}"><input name='{"name":"x","data":"' value='"}'></form>`,
  )};
  document.querySelector("form").submit();
})()`;

describe.skipIf(browser === undefined)(`a foreign page in a browser that is signed in${why}`, () => {
  // Another host is another site; another port is another origin of the same site.
  it.each(["localhost", "127.0.0.1"])("at %s changes nothing, by script or form", async (host) => {
    const { port, seen, everything } = await openBoard();
    const foreign = await openForeign();
    const args = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"];
    const chrome = await chromium.launch({ executablePath: browser ?? "", args });
    releaseLater(() => chrome.close());
    const context = await chrome.newContext();
    const page = await context.newPage();
    // The browser keeps a password for the board as it does when somebody types one.
    await page.goto(`http://ann:secret@127.0.0.1:${port}/board/api/queues`);
    const before = await everything();
    seen.length = 0;

    const base = `http://127.0.0.1:${port}/board/api/queues/publish.sales`;
    await page.goto(`http://${host}:${foreign}/`);
    await page.evaluate(scripts(base));
    for (const path of PATHS) {
      for (const type of FORM_TYPES) {
        await page.goto(`http://${host}:${foreign}/`);
        await Promise.all([page.waitForNavigation(), page.evaluate(form(`${base}/${path}`, type))]);
      }
    }

    const changes = seen.filter(({ method }) => method !== "GET");
    expect(changes.length).toBeGreaterThan(PATHS.length * FORM_TYPES.length);
    expect(changes.filter(({ status }) => ![401, 403, 415].includes(status))).toEqual([]);
    // Else the test proves nothing: the browser did send the password, and not from our own page.
    const withPassword = changes.filter(({ signedIn }) => signedIn);
    expect(withPassword.length).toBeGreaterThanOrEqual(PATHS.length * FORM_TYPES.length);
    expect(new Set(withPassword.map(({ status }) => status))).toEqual(new Set([403]));
    expect(changes.map(({ site }) => site)).not.toContain("same-origin");
    expect(await everything()).toEqual(before);
  });
});
