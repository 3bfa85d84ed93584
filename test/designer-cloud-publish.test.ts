import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createDesignerCloud, type DesignerCloudOptions } from "../src/designer-cloud/client.ts";
import { PlatformError } from "../src/errors.ts";
import { releaseLater } from "./support/release.ts";
import { httpAnswer, type Reply, startWireServer } from "./support/wire-server.ts";

const TOKEN = "secret-token-of-the-test";
const REQUEST = {
  connection: { id: 2 },
  path: ["public"],
  table: "test_table2",
  action: "create",
  inputFormat: "avro",
};
const ALWAYS = { mayStillSend: () => true };
const STARTED = { jobgroupId: 31, reason: "JobStarted", sessionId: "f6c5f350-2102-11e9-bb80-9faf7b15f235" };
const started: Reply = (socket) => socket.write(httpAnswer(200, STARTED));

async function relay(reply: Reply, options: Partial<DesignerCloudOptions> & { under?: string } = {}) {
  const server = await startWireServer(reply);
  const platform = createDesignerCloud({
    baseUrl: server.url + (options.under ?? ""),
    token: () => TOKEN,
    timeouts: { connectMs: 2_000, headersMs: 2_000, bodyMs: 2_000 },
    ...options,
  });
  releaseLater(() => platform.close());
  return { server, platform };
}

async function failureOf(call: Promise<unknown>): Promise<PlatformError> {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof PlatformError)) throw new Error(`no PlatformError, but ${String(error)}`);
  return error;
}

const puts = (requests: readonly string[]) => requests.filter((request) => request.startsWith("PUT ")).length;

describe("a publish on the wire", () => {
  test("is the vendor's own example, byte for byte", async () => {
    const { server, platform } = await relay(started);
    const answer = await platform.publish(2, REQUEST, ALWAYS);
    expect(answer).toEqual({ status: 200, jobGroupId: 31, requestId: "request-7" });
    const [head = "", body] = (server.requests[0] ?? "").split("\r\n\r\n");
    expect(head).toMatch(/^PUT \/v4\/jobGroups\/2\/publish HTTP\/1\.1\r\n/);
    expect(head).toMatch(new RegExp(`^authorization: Bearer ${TOKEN}\\r?$`, "im"));
    expect(head).toMatch(/^content-type: application\/json\r?$/im);
    expect(body).toBe(
      '{"connection":{"id":2},"path":["public"],"table":"test_table2","action":"create","inputFormat":"avro"}',
    );
  });

  test("names the recipe when it is known", async () => {
    const { server, platform } = await relay(started);
    await platform.publish(2, { ...REQUEST, flowNodeId: 27 }, ALWAYS);
    expect(server.requests[0]).toMatch(/"inputFormat":"avro","flowNodeId":27\}$/);
  });

  test.for(["", "/", "/v4", "/v4/"])("goes to the same path when the address ends in '%s'", async (end) => {
    const { server, platform } = await relay(started, { under: `/designer${end}` });
    await platform.publish(2, REQUEST, ALWAYS);
    expect(server.requests[0]).toMatch(/^PUT \/designer\/v4\/jobGroups\/2\/publish /);
  });

  test("counts as started without an id, as long as the answer is the platform's", async () => {
    const { platform } = await relay((socket) => socket.write(httpAnswer(200, { reason: "JobStarted" })));
    expect(await platform.publish(2, REQUEST, ALWAYS)).toEqual({ status: 200, requestId: "request-7" });
  });

  test("refuses an address that is none", () => {
    for (const baseUrl of ["", "us1.alteryxcloud.com", "ftp://x", "https://me:password@x"]) {
      expect(() => createDesignerCloud({ baseUrl, token: () => TOKEN })).toThrow(/DESIGNER_CLOUD_URL/);
    }
  });
});

describe("the guard", () => {
  test("is asked once, when the connection stands", async () => {
    const { server, platform } = await relay(started);
    const asked: number[] = [];
    await platform.publish(2, REQUEST, { mayStillSend: () => asked.push(server.requests.length) > 0 });
    expect(asked).toEqual([0]);
  });

  test("keeps all in when the process stood still between the grant and the write, on a new connection", async () => {
    const { server, platform } = await relay(started);
    const untilMs = performance.now() + 50;
    const call = platform.publish(2, REQUEST, { mayStillSend: () => performance.now() < untilMs });
    standStill(120);
    const { failure, message } = await failureOf(call);
    expect(failure).toEqual({ next: "not-sent", code: "SEND_WINDOW_OVER" });
    expect(message).toMatch(/^PUT \/v4\/jobGroups\/2\/publish: .*nothing was sent$/);
    expect(server.requests).toEqual([]);
  });

  test("keeps all in on a connection that was used before", async () => {
    const { server, platform } = await relay(started, { connections: 1 });
    await platform.publish(2, REQUEST, ALWAYS);
    const untilMs = performance.now() + 50;
    const call = platform.publish(3, REQUEST, { mayStillSend: () => performance.now() < untilMs });
    standStill(120);
    expect((await failureOf(call)).failure.code).toBe("SEND_WINDOW_OVER");
    await platform.publish(4, REQUEST, ALWAYS);
    expect(server.requests.map((request) => request.split(" ")[1])).toEqual([
      "/v4/jobGroups/2/publish",
      "/v4/jobGroups/4/publish",
    ]);
  });

  test("that throws sends nothing", async () => {
    const { server, platform } = await relay(started);
    const call = platform.publish(2, REQUEST, {
      mayStillSend() {
        throw new Error("out of order");
      },
    });
    expect((await failureOf(call)).message).toMatch(/out of order.*nothing was sent/);
    expect(server.requests).toEqual([]);
  });
});

describe("a publish is sent at most once", () => {
  test("when a used connection is reset under it", async () => {
    const { server, platform } = await relay(
      (socket, request, n) => (n === 2 ? socket.resetAndDestroy() : started(socket, request, n)),
      { connections: 1 },
    );
    await platform.publish(2, REQUEST, ALWAYS);
    await turn();
    expect((await failureOf(platform.publish(3, REQUEST, ALWAYS))).failure.next).toBe("unknown");
    await platform.publish(4, REQUEST, ALWAYS);
    expect(server.requests.map((request) => request.split(" ")[1])).toEqual([
      "/v4/jobGroups/2/publish",
      "/v4/jobGroups/3/publish",
      "/v4/jobGroups/4/publish",
    ]);
    expect(server.connections()).toBe(2);
  });

  test("when others wait behind it for the connection that dies", async () => {
    const { server, platform } = await relay(
      (socket, request) => {
        if (request.includes("/jobGroups/1/")) socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{");
        else started(socket, request, 0);
      },
      { connections: 1 },
    );
    const calls = [1, 2, 3].map((id) => platform.publish(id, REQUEST, ALWAYS));
    const ends = await Promise.allSettled(calls);
    expect(ends.map((end) => end.status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
    expect(puts(server.requests)).toBe(3);
  });

  test("when the server resets each connection at once", async () => {
    const server = await startWireServer(started, (socket) => socket.resetAndDestroy());
    const platform = createDesignerCloud({ baseUrl: server.url, token: () => TOKEN });
    releaseLater(() => platform.close());
    for (const id of [1, 2, 3]) {
      const { failure, message } = await failureOf(platform.publish(id, REQUEST, ALWAYS));
      // Whether the reset came before the write or after it is the network's choice; the verdict must fit.
      expect(failure.next).toBe(message.includes("nothing was sent") ? "gate" : "unknown");
    }
    expect(server.connections()).toBe(3);
    expect(server.requests).toEqual([]);
  });

  test("and not at all when it was given up while it waited for a connection", async () => {
    const { server, platform } = await relay(() => {}, {
      connections: 1,
      timeouts: { connectMs: 20, headersMs: 200, bodyMs: 20 },
    });
    const ahead = [platform.getFlow(1), platform.getFlow(2)].map(failureOf);
    const stop = new AbortController();
    const stopped = failureOf(platform.publish(1, REQUEST, ALWAYS, stop.signal));
    const late = failureOf(platform.publish(2, REQUEST, ALWAYS));
    stop.abort();
    expect((await stopped).failure).toEqual({ next: "not-sent", code: "STOPPED" });
    expect((await late).failure).toEqual({ next: "gate", gate: "away", code: "NO_FREE_CONNECTION" });
    await Promise.all(ahead);
    // The connection is free now: what was given up must not come out of the queue.
    await failureOf(platform.getFlow(3));
    expect(puts(server.requests)).toBe(0);
  });

  test("when the client is closed under it: unknown", async () => {
    let reached = () => {};
    const there = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const { server, platform } = await relay(() => reached());
    const call = failureOf(platform.publish(1, REQUEST, ALWAYS));
    await there;
    await platform.close();
    expect((await call).failure.next).toBe("unknown");
    expect((await failureOf(platform.publish(2, REQUEST, ALWAYS))).failure.next).toBe("not-sent");
    expect(puts(server.requests)).toBe(1);
  });

  test("to nobody, when a hundred at once meet a closed door and few connections", async () => {
    const { platform } = await relay(started, { baseUrl: "http://127.0.0.1:1", connections: 4 });
    const ends = await Promise.all(
      Array.from({ length: 100 }, (_, id) => failureOf(platform.publish(id, REQUEST, ALWAYS))),
    );
    expect(new Set(ends.map((end) => end.failure.gate))).toEqual(new Set(["away"]));
  });
});

describe("an answer that came while the process stood still", () => {
  test("is read before time is called", async () => {
    const { platform } = await relay(
      (socket) => {
        socket.write(httpAnswer(200, STARTED));
        // The same process is client and server here: the answer is on its way when time runs out.
        standStill(400);
      },
      { timeouts: { connectMs: 2_000, headersMs: 200, bodyMs: 200 } },
    );
    expect(await platform.publish(2, REQUEST, ALWAYS)).toMatchObject({ jobGroupId: 31 });
  });
});

describe("the words of a failure", () => {
  test("name the answer, the call and the request id", async () => {
    const { platform } = await relay((socket) =>
      socket.write(
        httpAnswer(403, {
          exception: { name: "AccessControlException", message: "no write access", details: null },
        }),
      ),
    );
    const { message, failure } = await failureOf(platform.publish(31, REQUEST, ALWAYS));
    expect(message).toBe(
      'Designer Cloud answered 403 AccessControlException to PUT /v4/jobGroups/31/publish: "no write access" (request id request-7)',
    );
    expect(failure).toEqual({
      next: "refused",
      status: 403,
      code: "AccessControlException",
      requestId: "request-7",
    });
  });

  test("say that the tenant has no publish route", async () => {
    const { platform } = await relay((socket) =>
      socket.write(httpAnswer(404, { exception: { name: "RouteNotFoundException", message: "no route" } })),
    );
    expect((await failureOf(platform.publish(31, REQUEST, ALWAYS))).message).toContain(
      'this tenant has no publish route: "no route"',
    );
  });

  test("name where a redirect leads, without its query, and nobody goes there", async () => {
    const elsewhere = await startWireServer(started);
    const { platform } = await relay((socket) =>
      socket.write(httpAnswer(307, "", { location: `${elsewhere.url}/login?session=${TOKEN}` })),
    );
    const { message } = await failureOf(platform.publish(31, REQUEST, ALWAYS));
    expect(message).toContain(
      `it redirects to ${elsewhere.url}/login, which is not followed; set DESIGNER_CLOUD_URL`,
    );
    expect(message).not.toContain(TOKEN);
    expect(elsewhere.connections()).toBe(0);
  });

  test("are a short hint when a proxy answers with a page", async () => {
    const html = `<html><head><style>a{}</style><title>502 Bad Gateway</title></head><body><p>${TOKEN}</p>${"x ".repeat(900)}</body></html>`;
    const { platform } = await relay((socket) => socket.write(httpAnswer(502, html)));
    const { message } = await failureOf(platform.publish(31, REQUEST, ALWAYS));
    expect(message).toContain('"502 Bad Gateway *** x x');
    expect(message.length).toBeLessThan(300);
  });

  test("hold an endless answer of the platform to 500 characters", async () => {
    const { platform } = await relay((socket) =>
      socket.write(httpAnswer(400, { exception: { name: "X", message: "no ".repeat(100_000) } })),
    );
    const { message, failure } = await failureOf(platform.publish(31, REQUEST, ALWAYS));
    expect(failure.next).toBe("refused");
    expect(message.length).toBeLessThan(700);
  });

  test("say that the results were already published there", async () => {
    for (const status of [400, 409, 422]) {
      const { platform } = await relay((socket) =>
        socket.write(
          httpAnswer(status, {
            exception: { name: "X", message: "Results have already been published to this target" },
          }),
        ),
      );
      const { failure } = await failureOf(platform.publish(31, REQUEST, ALWAYS));
      expect(failure).toMatchObject({ next: "refused", sameTarget: true });
    }
  });

  test("carry what a quota asks for", async () => {
    const { platform } = await relay((socket) =>
      socket.write(
        httpAnswer(429, { exception: { name: "TooManyRequestsException" } }, { "x-retry-after": "57" }),
      ),
    );
    expect((await failureOf(platform.publish(31, REQUEST, ALWAYS))).failure).toMatchObject({
      next: "gate",
      gate: "throttled",
      retryAfterMs: 57_000,
    });
  });

  test.for(["two words", "line\nbreak", ""])(
    "never show a token that no header can carry (%j)",
    async (token) => {
      const { server, platform } = await relay(started, { token: () => token });
      const { failure, message } = await failureOf(platform.publish(31, REQUEST, ALWAYS));
      expect(failure).toEqual({ next: "gate", gate: "unauthorized", code: "NO_TOKEN" });
      expect(message).not.toContain(token || "Bearer");
      expect(server.connections()).toBe(0);
    },
  );
});

/** What SIGSTOP does to a process, as far as its clock and its turns go. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
