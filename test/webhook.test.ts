import { request as httpRequest } from "node:http";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import {
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
  WEBHOOK_PATH,
} from "../src/http/server.ts";
import { createHealth } from "../src/http/health.ts";
import type { Report } from "../src/producers/accept-report.ts";
import type { CompletionReport } from "../src/producers/report.ts";
import { createVerify, sign } from "../src/producers/signatures.ts";
import type { SignedRouteOptions } from "../src/producers/signed-route.ts";
import type { Foresee } from "../src/producers/webhook-check.ts";
import { createWebhook, proofOf } from "../src/producers/webhook.ts";

const SECRET = "s3cret";
const GOOD = '{"jobId":"31","jobStatus":"Complete","env":"prod"}';

const open: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

interface Setup extends SignedRouteOptions {
  readonly foresee?: Foresee;
  readonly report?: Report;
  readonly secrets?: string[];
  readonly server?: Partial<HttpServerOptions>;
}

async function start(setup: Setup = {}) {
  const {
    report: store = async () => ({ completion: "jobgroup-31", duplicate: false }),
    secrets = [SECRET],
  } = setup;
  const reports: CompletionReport[] = [];
  const warnings: string[] = [];
  const report: Report = (given) => {
    reports.push(given);
    return store(given);
  };
  const routes = createWebhook(
    {
      verify: createVerify({ scheme: "designer-cloud", secrets }),
      report,
      proof: proofOf("designer-cloud"),
      ...(setup.foresee && { foresee: setup.foresee }),
      log: { warn: (_fields, message) => void warnings.push(message) },
    },
    setup,
  );
  const server = createHttpServer(
    { ...createHealth([]), ...routes },
    { host: "127.0.0.1", port: 0, closeTimeoutMs: 500, ...setup.server },
  );
  open.push(server);
  const { port } = await server.listen();
  const url = `http://127.0.0.1:${port}${WEBHOOK_PATH}`;
  return { port, url, reports, warnings };
}

function post(url: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...sign("designer-cloud", SECRET, body), ...headers },
  });
}

async function problem(response: Response): Promise<Record<string, unknown>> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const document = (await response.json()) as Record<string, unknown>;
  expect(document).toMatchObject({ type: "about:blank", status: response.status });
  expect(Object.keys(document).sort()).toEqual(["detail", "requestId", "status", "title", "type"]);
  return document;
}

/** Speaks HTTP by hand, for what no client would send. */
async function dial(port: number, text: string): Promise<{ socket: Socket; answer: Promise<string> }> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  const answer = new Promise<string>((resolve) => {
    let got = "";
    socket.on("data", (chunk: Buffer) => {
      got += chunk.toString();
    });
    socket.on("error", () => resolve(got));
    socket.on("close", () => resolve(got));
  });
  socket.write(text);
  return { socket, answer };
}

describe("checks", () => {
  it("count against the webhooks in flight, and only 8 run at once", async () => {
    const waiting: Array<() => void> = [];
    const foresee = () => new Promise<object>((resolve) => waiting.push(() => resolve({ detail: "x" })));
    const few = await start({ foresee, maxInFlight: 1 });
    const first = post(`${few.url}/check`, GOOD);
    while (waiting.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await post(few.url, GOOD)).status).toBe(429);
    waiting.splice(0).forEach((go) => go());
    expect((await first).status).toBe(200);
    expect((await post(few.url, GOOD)).status).toBe(202);

    const { url } = await start({ foresee });
    const eight = Array.from({ length: 8 }, () => post(`${url}/check`, GOOD));
    while (waiting.length < 8) await new Promise((resolve) => setTimeout(resolve, 5));
    const ninth = await post(`${url}/check`, GOOD);
    expect(ninth.status).toBe(429);
    expect(ninth.headers.get("retry-after")).toBe("1");
    expect((await post(url, GOOD)).status).toBe(202);
    for (const go of waiting.splice(0)) go();
    for (const response of await Promise.all(eight)) expect(response.status).toBe(200);
  });

  it("that fail are 503, and give their place back", async () => {
    const { url } = await start({ maxInFlight: 1, foresee: () => Promise.reject(new Error("away")) });
    for (let round = 0; round < 10; round++) {
      const response = await post(`${url}/check`, GOOD);
      expect(response.status).toBe(503);
      expect((await problem(response))["detail"]).toContain("Nothing was stored");
    }
  });
});

describe("a webhook", () => {
  it("that is signed is on the queue before its 202", async () => {
    let stored = false;
    const { url, reports } = await start({
      report: async () => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        stored = true;
        return { completion: "jobgroup-31", duplicate: false };
      },
    });
    const response = await post(url, GOOD);
    expect(stored).toBe(true);
    expect(response.status).toBe(202);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.text()).toBe('{"completion":"jobgroup-31","duplicate":false}');
    expect(reports).toEqual([
      {
        jobGroupId: 31,
        status: "Complete",
        labels: { env: "prod" },
        source: "webhook",
        delivery: expect.stringMatching(/^signed [0-9a-f]{16}$/),
      },
    ]);
  });

  it("that is a test delivery is 200, says so and reaches no queue", async () => {
    const { url, reports } = await start();
    const response = await post(url, '{"jobId":"$jobId","jobStatus":"$jobStatus"}');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      test: true,
      detail: expect.stringContaining("test delivery"),
    });
    expect(reports).toEqual([]);
  });

  it("that is marked as a test and has no job id is 200, and hears what was understood", async () => {
    const { url, reports } = await start();
    const response = await post(url, '{"type":"test","jobStatus":"Complete","env":"prod"}');
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      test: true,
      detail: expect.stringContaining('"type" is "test"'),
      understood: {
        sender: "its signature is good",
        status: "Complete",
        labels: { type: "test", env: "prod" },
      },
    });
    expect(reports).toEqual([]);
    const unsigned = await post(url, '{"test":true}', { "x-webhook-signature": "t=1,sha256=00" });
    expect(unsigned.status).toBe(401);
  });

  it("that is unsigned, wrongly signed or stale is 401, before its body is looked at", async () => {
    const { url, reports } = await start();
    const notJson = "{";
    const unsigned = await fetch(url, {
      method: "POST",
      body: notJson,
      headers: { "content-type": "application/json" },
    });
    expect(unsigned.status).toBe(401);
    expect((await problem(unsigned))["detail"]).toContain("x-webhook-signature is missing");
    const wrong = await post(url, notJson, sign("designer-cloud", "stranger", notJson));
    expect(wrong.status).toBe(401);
    expect((await problem(wrong))["detail"]).toContain("WEBHOOK_SECRETS");
    const stale = await post(
      url,
      GOOD,
      sign("designer-cloud", SECRET, GOOD, { timeMs: Date.now() - 301_000 }),
    );
    expect(stale.status).toBe(401);
    expect((await problem(stale))["detail"]).toContain("behind this relay's clock");
    expect(reports).toEqual([]);
  });

  it("is refused with words how to set a secret while there is none", async () => {
    const { url } = await start({ secrets: [] });
    const response = await post(url, GOOD);
    expect(response.status).toBe(401);
    expect((await problem(response))["detail"]).toContain("set WEBHOOK_SECRETS");
  });

  it.each([
    ["no JSON", "{", "not JSON"],
    ["an empty body", "", "empty"],
    ["no id", '{"jobStatus":"Complete"}', '"jobId" is missing'],
    ["an id of a wrong type", '{"jobId":true}', '"jobId" must be'],
  ])("with %s is 400 and says what to change", async (_what, body, words) => {
    const { url, reports } = await start();
    const response = await post(url, body);
    expect(response.status).toBe(400);
    expect((await problem(response))["detail"]).toContain(words);
    expect(reports).toEqual([]);
  });

  it("that is not UTF-8 is 400", async () => {
    const { port, reports } = await start();
    const body = Buffer.from([...Buffer.from('{"jobId":"31","note":"'), 0xff, 0xc0, ...Buffer.from('"}')]);
    const signature = sign("designer-cloud", SECRET, body)["x-webhook-signature"];
    const { socket, answer } = await dial(
      port,
      `POST ${WEBHOOK_PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-webhook-signature: ${signature}\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    socket.write(body);
    expect(await answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*not UTF-8/);
    expect(reports).toEqual([]);
  });

  it("in another method is 405 with Allow", async () => {
    const { url } = await start();
    for (const method of ["GET", "PUT", "DELETE"]) {
      const response = await fetch(url, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe("POST");
      await problem(response);
    }
  });

  it("takes JSON types, and a missing type as JSON; others and packed bodies are 415", async () => {
    const { url, port } = await start();
    for (const type of [
      "application/json; charset=utf-8",
      "Application/JSON",
      "application/cloudevents+json",
      'application/json;charset="UTF-8"',
      "application/json; x=1; charset=utf8",
    ]) {
      expect((await post(url, GOOD, { "content-type": type })).status).toBe(202);
    }
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "application/jsonp",
      "text/json",
    ]) {
      const response = await post(url, GOOD, { "content-type": type });
      expect(response.status).toBe(415);
      expect((await problem(response))["detail"]).toContain("application/json");
    }
    for (const type of [
      "application/json; charset=latin1",
      "application/json; charset=utf-8; charset=utf-16",
      "application/json; charset=",
    ]) {
      const response = await post(url, GOOD, { "content-type": type });
      expect(response.status).toBe(415);
      expect((await problem(response))["detail"]).toContain("charset=utf-8");
    }
    for (const encoding of ["gzip", "br", "identity, gzip", "utf-8"]) {
      const response = await post(url, GOOD, { "content-encoding": encoding });
      expect(response.status).toBe(415);
      expect((await problem(response))["detail"]).toContain("uncompressed");
    }
    expect((await post(url, GOOD, { "content-encoding": "Identity" })).status).toBe(202);
    const signature = sign("designer-cloud", SECRET, GOOD)["x-webhook-signature"];
    const { answer } = await dial(
      port,
      `POST ${WEBHOOK_PATH} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-webhook-signature: ${signature}\r\ncontent-length: ${GOOD.length}\r\n\r\n${GOOD}`,
    );
    expect(await answer).toMatch(/^HTTP\/1\.1 202 /);
  });

  it("of exactly the limit is taken, one byte more is 413", async () => {
    const { url } = await start({ maxBytes: 200 });
    const padded = (size: number) => GOOD + " ".repeat(size - GOOD.length);
    expect((await post(url, padded(200))).status).toBe(202);
    const response = await post(url, padded(201));
    expect(response.status).toBe(413);
    expect((await problem(response))["detail"]).toContain("200 bytes");
  });

  it("that announces too much is 413 before its body is sent", async () => {
    const { port } = await start();
    const { socket, answer } = await dial(
      port,
      `POST ${WEBHOOK_PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 65537\r\n\r\n`,
    );
    const [first] = (await once(socket, "data")) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
    await answer;
  });

  it("that grows past the limit while it streams is 413, and is cut off when it goes on for ever", async () => {
    const { port } = await start();
    const { socket, answer } = await dial(
      port,
      `POST ${WEBHOOK_PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`,
    );
    const chunk = `4000\r\n${"x".repeat(0x4000)}\r\n`;
    const sending = setInterval(() => socket.write(chunk), 5);
    socket.once("close", () => clearInterval(sending));
    expect(await answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it("beyond those in flight is 429 with Retry-After, and room comes back", async () => {
    const waiting: Array<() => void> = [];
    const { url } = await start({
      maxInFlight: 2,
      report: () =>
        new Promise((resolve) => waiting.push(() => resolve({ completion: "jobgroup-31", duplicate: true }))),
    });
    const first = [post(url, GOOD), post(url, GOOD)];
    while (waiting.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const refused = await post(url, GOOD);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("1");
    await problem(refused);
    for (const go of waiting.splice(0)) go();
    for (const response of await Promise.all(first)) {
      expect(await response.json()).toEqual({ completion: "jobgroup-31", duplicate: true });
    }
    const again = post(url, GOOD);
    while (waiting.length < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    waiting[0]?.();
    expect((await again).status).toBe(202);
  });

  it("is 503 with Retry-After, within a second, when it cannot be stored or storing hangs", async () => {
    const failing = await start({ report: () => Promise.reject(new Error("redis://:secret@host is away")) });
    const refused = await post(failing.url, GOOD);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("2");
    expect((await problem(refused))["detail"]).not.toContain("secret");
    await post(failing.url, GOOD);
    expect(failing.warnings).toHaveLength(1);

    const hanging = await start({ report: () => new Promise(() => {}) });
    const started = performance.now();
    const response = await post(hanging.url, GOOD);
    expect(response.status).toBe(503);
    expect(performance.now() - started).toBeLessThan(1_000);
  });

  it("is 500, not the end of the process, when storing throws at once", async () => {
    const { url, warnings } = await start({
      report: () => {
        throw new Error("a mistake");
      },
    });
    expect((await post(url, GOOD)).status).toBe(500);
    expect(warnings).toEqual(["webhook could not be handled: answered 500"]);
  });

  it("whose sender goes away in the middle leaves nothing behind", async () => {
    const { url, port, reports } = await start({ maxInFlight: 1 });
    for (let round = 0; round < 5; round++) {
      const { socket, answer } = await dial(
        port,
        `POST ${WEBHOOK_PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60\r\n\r\n{"jobId":`,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.destroy();
      await answer;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    // With room for one, a place that was not given back would show.
    expect((await post(url, GOOD)).status).toBe(202);
    expect(reports).toHaveLength(1);
  });

  it("whose sender goes away while it is stored is stored all the same", async () => {
    let go = () => {};
    const { url, reports } = await start({
      maxInFlight: 1,
      report: () =>
        new Promise((resolve) => {
          go = () => resolve({ completion: "jobgroup-31", duplicate: false });
        }),
    });
    const abort = new AbortController();
    const body = GOOD;
    const gone = fetch(url, {
      method: "POST",
      body,
      signal: abort.signal,
      headers: { "content-type": "application/json", ...sign("designer-cloud", SECRET, body) },
    });
    while (reports.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    await expect(gone).rejects.toThrow("aborted");
    go();
    const next = post(url, GOOD);
    while (reports.length === 1) await new Promise((resolve) => setTimeout(resolve, 5));
    go();
    expect((await next).status).toBe(202);
  });

  it("that is sent too slowly is 408", async () => {
    const { port } = await start({ server: { requestTimeoutMs: 300 } });
    const { answer } = await dial(
      port,
      `POST ${WEBHOOK_PATH} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60\r\n\r\n{"jobId":`,
    );
    expect(await answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*application\/problem\+json/);
  });

  it("whose headers come too slowly is 408", async () => {
    const { port } = await start({ server: { headersTimeoutMs: 300, requestTimeoutMs: 5_000 } });
    const { socket, answer } = await dial(port, `POST ${WEBHOOK_PATH} HTTP/1.1\r\nhost: x\r\n`);
    const dripping = setInterval(() => socket.write("x-a: b\r\n"), 50);
    socket.once("close", () => clearInterval(dripping));
    expect(await answer).toMatch(/^HTTP\/1\.1 408 /);
  });

  it("can come many times over one connection", async () => {
    const { port, reports } = await start();
    const { Agent } = await import("node:http");
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let round = 0; round < 3; round++) {
      const status = await new Promise((resolve, reject) => {
        const req = httpRequest(
          {
            agent,
            port,
            path: WEBHOOK_PATH,
            method: "POST",
            headers: { "content-type": "application/json", ...sign("designer-cloud", SECRET, GOOD) },
          },
          (res) => {
            res.resume();
            res.on("end", () => resolve(res.statusCode));
          },
        );
        req.on("socket", (socket) => socket.once("connect", () => ports.add(socket.localPort)));
        req.on("error", reject);
        req.end(GOOD);
      });
      expect(status).toBe(202);
    }
    agent.destroy();
    expect(reports).toHaveLength(3);
    expect(ports.size).toBe(1);
  });
});
