import { once } from "node:events";
import { Agent, get } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createHealth, type ReadyCheck } from "../src/http/health.ts";
import { createHttpServer, type HttpServer, type Routes } from "../src/http/server.ts";
import { sendJson } from "../src/producers/problem.ts";

const open: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function start(routes: Partial<Routes> = {}, checks: ReadyCheck[] = [], closeTimeoutMs = 300) {
  const server = createHttpServer(
    { ...createHealth(checks, { checkTimeoutMs: 100 }), ...routes },
    { host: "127.0.0.1", port: 0, closeTimeoutMs },
  );
  open.push(server);
  const { port } = await server.listen();
  return { server, port, url: `http://127.0.0.1:${port}` };
}

describe("routes", () => {
  const echo =
    (name: string): Routes["healthz"] =>
    (req, res) =>
      sendJson(res, 200, { name, url: req.url });

  it("lead to their handlers, with the query left in", async () => {
    const names = ["webhook", "api", "board", "metrics"] as const;
    const { url } = await start(Object.fromEntries(names.map((name) => [name, echo(name)])));
    for (const [path, name] of [
      ["/webhooks/designer-cloud?a=1", "webhook"],
      ["/v1/completions", "api"],
      ["/v1/job-groups/31?x", "api"],
      ["/board", "board"],
      ["/board?status=active", "board"],
      ["/board/queue/x", "board"],
      ["/metrics", "metrics"],
    ]) {
      expect(await (await fetch(url + path)).json()).toEqual({ name, url: path });
    }
  });

  it("that do not exist are 404 and name those that do", async () => {
    const { url } = await start({ webhook: echo("webhook"), board: echo("board") });
    for (const path of ["/", "/boards", "/webhooks/designer-cloud/", "/v1/x", "/metrics", "/healthz/x"]) {
      const response = await fetch(url + path);
      expect(response.status).toBe(404);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      const { detail } = (await response.json()) as { detail: string };
      expect(detail).toBe(
        "There is nothing here. The routes are: POST /webhooks/designer-cloud, GET /healthz, GET /readyz, GET /board.",
      );
    }
  });

  it("answer nonsense on the wire with a problem", async () => {
    const { port } = await start();
    const socket = connect(port, "127.0.0.1");
    socket.write("\x16\x03\x01 hello\r\n\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 [\s\S]*application\/problem\+json[\s\S]*"status":400/);
    await once(socket, "close");
  });
});

describe("what the HTTP parser or the protocol refuses", () => {
  const POST = "POST /webhooks/designer-cloud HTTP/1.1\r\n";

  /** Everything that comes back until the connection ends. */
  async function speak(port: number, text: string): Promise<string> {
    const socket = connect(port, "127.0.0.1");
    let got = "";
    socket.on("data", (chunk: Buffer) => {
      got += chunk.toString();
    });
    socket.on("error", () => {});
    socket.write(text);
    await once(socket, "close");
    return got;
  }

  it.each([
    ["no Host", `${POST}connection: close\r\ncontent-length: 0\r\n\r\n`, 400, "Host is missing"],
    [
      "an unknown Expect",
      `${POST}host: x\r\nconnection: close\r\nexpect: x\r\ncontent-length: 0\r\n\r\n`,
      417,
      "Expect",
    ],
    [
      "two lengths",
      `${POST}host: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}`,
      400,
      "HTTP/1.1",
    ],
    ["large headers", `${POST}host: x\r\nx: ${"a".repeat(30_000)}\r\n\r\n`, 431, "headers are too large"],
    [
      "large chunk extensions",
      `${POST}host: x\r\ntransfer-encoding: chunked\r\n\r\n2;${"a".repeat(30_000)}\r\n{}\r\n0\r\n\r\n`,
      413,
      "chunk extensions",
    ],
  ])("is answered as a problem: %s", async (_what, text, status, words) => {
    const { port } = await start({
      webhook: (req, res) => void req.on("end", () => sendJson(res, 202, {})).resume(),
    });
    const answer = await speak(port, text);
    expect(answer).toMatch(
      new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*application/problem\\+json[\\s\\S]*"status":${status}`),
    );
    expect(answer).toContain(words);
  });

  it("does not take its answer from a request that came whole before the nonsense", async () => {
    let answer = () => {};
    const arrived = new Promise<void>((resolve) => {
      const webhook: Routes["healthz"] = (req, res) => {
        req.resume().on("end", () => {
          answer = () => sendJson(res, 202, { stored: true });
          resolve();
        });
      };
      void start({ webhook }).then(({ port }) => {
        spoken = speak(
          port,
          `${POST}host: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}nonsense\r\n\r\n`,
        );
      });
    });
    let spoken: Promise<string> = Promise.resolve("");
    await arrived;
    answer();
    expect(await spoken).toMatch(/^HTTP\/1\.1 202 [\s\S]*\{"stored":true\}$/);
  });
});

describe("health", () => {
  it("is alive whatever its checks say", async () => {
    const { url } = await start({}, [{ name: "redis", check: async () => "it is away" }]);
    const response = await fetch(`${url}/healthz`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ status: "alive" });
    expect((await fetch(`${url}/healthz`, { method: "HEAD" })).status).toBe(200);
    expect((await fetch(`${url}/healthz`, { method: "POST" })).status).toBe(405);
  });

  it("is ready when all checks are good", async () => {
    const { url } = await start({}, [{ name: "redis", check: async () => undefined }]);
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.json()).toEqual({ status: "ready", checks: [{ name: "redis", ok: true }] });
  });

  it("is not ready when one says what is wrong, fails, throws or hangs, and names each", async () => {
    const { url } = await start({}, [
      { name: "redis", check: async () => undefined },
      { name: "rules", check: async () => "rules.yaml is not loaded" },
      { name: "workers", check: () => Promise.reject(new Error("no worker runs")) },
      {
        name: "write",
        check: () => {
          throw new Error("read only");
        },
      },
      { name: "slow", check: () => new Promise(() => {}) },
    ]);
    const response = await fetch(`${url}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: "not ready",
      checks: [
        { name: "redis", ok: true },
        { name: "rules", ok: false, detail: "rules.yaml is not loaded" },
        { name: "workers", ok: false, detail: "no worker runs" },
        { name: "write", ok: false, detail: "read only" },
        { name: "slow", ok: false, detail: "no answer within 100 ms" },
      ],
    });
  });

  it("runs the checks once for askers that come together, and again later", async () => {
    let runs = 0;
    const { url } = await start({}, [
      {
        name: "slow",
        check: async () => {
          runs++;
          await new Promise((resolve) => setTimeout(resolve, 50));
          return undefined;
        },
      },
    ]);
    await Promise.all([fetch(`${url}/readyz`), fetch(`${url}/readyz`), fetch(`${url}/readyz`)]);
    expect(runs).toBeLessThan(3);
    const before = runs;
    await fetch(`${url}/readyz`);
    expect(runs).toBe(before + 1);
  });
});

describe("listening", () => {
  it("fails with words when the port is taken or the host is not ours", async () => {
    const { port } = await start();
    const health = createHealth([]);
    await expect(createHttpServer(health, { host: "127.0.0.1", port }).listen()).rejects.toThrow(
      `Port ${port} on 127.0.0.1 is taken: set PORT`,
    );
    await expect(createHttpServer(health, { host: "192.0.2.1", port: 0 }).listen()).rejects.toThrow(
      "set HOST",
    );
  });
});

describe("closing", () => {
  it("before listening is nothing", async () => {
    const server = createHttpServer(createHealth([]), { host: "127.0.0.1", port: 0 });
    await expect(server.close()).resolves.toBeUndefined();
  });

  it("waits for a request in flight, drops idle connections and takes no new ones", async () => {
    let finish = () => {};
    const begun = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let answer = () => {};
    const { server, url, port } = await start(
      {
        api: (_req, res) => {
          answer = () => sendJson(res, 200, { done: true });
          finish();
        },
      },
      [],
      5_000,
    );
    const agent = new Agent({ keepAlive: true });
    await new Promise<void>((resolve) => {
      get({ port, path: "/healthz", agent }, (res) => res.resume().on("end", resolve));
    });
    const silent = connect(port, "127.0.0.1");
    await once(silent, "connect");
    const inFlight = fetch(`${url}/v1/x`);
    await begun;
    const started = performance.now();
    const closed = server.close();
    expect(server.close()).toBe(closed);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow("fetch failed");
    answer();
    expect(await (await inFlight).json()).toEqual({ done: true });
    silent.destroy();
    await closed;
    expect(performance.now() - started).toBeLessThan(2_000);
    agent.destroy();
  });

  it("does not wait for ever for a request that hangs or a connection that says nothing", async () => {
    const { server, url, port } = await start({ api: () => {} });
    const silent = connect(port, "127.0.0.1");
    silent.on("error", () => {});
    await once(silent, "connect");
    const hanging = fetch(`${url}/v1/x`).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const started = performance.now();
    await server.close();
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(await hanging).toBeInstanceOf(Error);
  });
});
