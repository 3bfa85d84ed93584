import { describe, expect, test } from "vitest";
import { createDesignerCloud, type DesignerCloud } from "../src/designer-cloud/client.ts";
import { judge, RETRY_TABLE, type Verdict } from "../src/designer-cloud/retry-table.ts";
import { PlatformError } from "../src/errors.ts";
import { releaseLater } from "./support/release.ts";
import { closedPort, httpAnswer, type Reply, startWireServer } from "./support/wire-server.ts";

type Row<Call extends keyof typeof RETRY_TABLE> = keyof (typeof RETRY_TABLE)[Call];

interface Case {
  readonly verdict: Verdict;
  /** What the server does with the request; or where to go instead of to it. */
  readonly reply?: Reply;
  readonly baseUrl?: (port: number) => string | Promise<string>;
  readonly onConnection?: Parameters<typeof startWireServer>[1];
  readonly token?: () => string;
  readonly mayStillSend?: () => boolean;
  readonly stopped?: "before" | "after";
  /** Reads that hold the only connection first. */
  readonly readsAhead?: number;
  /** PUTs that the server saw as a whole; 1 by default. */
  readonly seen?: number;
}

const TOKEN = "secret-token-of-the-test";
const REFUSED: Verdict = { next: "refused" };
const RETRY: Verdict = { next: "retry" };
const UNKNOWN: Verdict = { next: "unknown" };
const AWAY: Verdict = { next: "gate", gate: "away" };
const UNAUTHORIZED: Verdict = { next: "gate", gate: "unauthorized" };
const THROTTLED: Verdict = { next: "gate", gate: "throttled" };
const NOT_SENT: Verdict = { next: "not-sent" };

const answers =
  (status: number, name: string, message = `words of the platform, with ${TOKEN} in them`): Reply =>
  (socket) =>
    socket.write(httpAnswer(status, { exception: { name, message, details: null } }));
const says =
  (text: string): Reply =>
  (socket) =>
    socket.write(text);
const page: Reply = (socket) =>
  socket.write(httpAnswer(502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"));
const redirect =
  (status: number): Reply =>
  (socket) =>
    socket.write(httpAnswer(status, "", { location: `https://login.example.com/in?state=${TOKEN}` }));

const beforeSending = {
  "no-token": {
    verdict: UNAUTHORIZED,
    seen: 0,
    token: () => {
      throw new Error("the file is empty");
    },
  },
  "dns-failure": { verdict: AWAY, seen: 0, baseUrl: () => "http://nobody.invalid" },
  "connection-refused": {
    verdict: AWAY,
    seen: 0,
    baseUrl: async () => `http://127.0.0.1:${await closedPort()}`,
  },
  "tls-failure": {
    verdict: AWAY,
    seen: 0,
    baseUrl: (port: number) => `https://127.0.0.1:${port}`,
    onConnection: (socket) => socket.end("HTTP/1.1 400 this is no TLS\r\n\r\n"),
  },
  // A server that takes the connection and never speaks TLS.
  "connect-timeout": { verdict: AWAY, seen: 0, baseUrl: (port: number) => `https://127.0.0.1:${port}` },
  // Closed in the middle of the TLS handshake.
  "no-connection": {
    verdict: AWAY,
    seen: 0,
    baseUrl: (port: number) => `https://127.0.0.1:${port}`,
    onConnection: (socket) => socket.resetAndDestroy(),
  },
  "send-window-over": { verdict: NOT_SENT, seen: 0, mayStillSend: () => false },
  "stopped-before-sending": { verdict: NOT_SENT, seen: 0, stopped: "before" },
} satisfies Partial<Record<Row<"publish">, Case>>;

const TIMEOUTS: Readonly<Record<string, { connectMs: number; headersMs: number; bodyMs: number }>> = {
  "connect-timeout": { connectMs: 50, headersMs: 5_000, bodyMs: 5_000 },
  "headers-timeout": { connectMs: 1_000, headersMs: 120, bodyMs: 5_000 },
  "body-timeout": { connectMs: 1_000, headersMs: 5_000, bodyMs: 120 },
  // A call waits for a connection as long as the three together.
  "no-free-connection": { connectMs: 20, headersMs: 300, bodyMs: 20 },
};

/** Shows that the case met its own row, and not one with the same verdict. */
const CODES: Readonly<Record<string, RegExp>> = {
  "no-token": /^NO_TOKEN$/,
  "dns-failure": /^(ENOTFOUND|EAI_)/,
  "connection-refused": /^ECONNREFUSED$/,
  "tls-failure": /SSL|TLS|EPROTO/,
  "connect-timeout": /^UND_ERR_CONNECT_TIMEOUT$/,
  "no-connection": /^ECONNRESET$/,
  "no-free-connection": /^NO_FREE_CONNECTION$/,
  "send-window-over": /^SEND_WINDOW_OVER$/,
  "stopped-before-sending": /^STOPPED$/,
  "stopped-after-sending": /^STOPPED$/,
  "headers-timeout": /^UND_ERR_HEADERS_TIMEOUT$/,
  "body-timeout": /^UND_ERR_BODY_TIMEOUT$/,
  "connection-lost": /^(ECONNRESET|UND_ERR_SOCKET|HTTPParserError|UND_ERR_RES_CONTENT_LENGTH_MISMATCH)$/,
  "not-http": /^HTTPParserError$/,
  "too-large": /^ANSWER_TOO_LARGE$/,
  "bad-json": /^BAD_JSON$/,
  "wrong-shape": /^WRONG_SHAPE$/,
};

const WORDS: Readonly<Record<string, string>> = {
  "dns-failure": "the host of DESIGNER_CLOUD_URL was not found",
  "connection-refused": "the connection was refused",
  "tls-failure": "check that DESIGNER_CLOUD_URL is right about https",
  "connect-timeout": "no connection in time",
};

const hang: Reply = () => {};
const halfAnswer = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"jobgroupId":';
const huge: Reply = (socket) => {
  socket.write("HTTP/1.1 200 OK\r\ncontent-length: 6000000\r\n\r\n");
  socket.write("x".repeat(5_500_000));
};

const saysBusy = (status: number): Reply =>
  answers(status, "ValidationFailed", "Another publish of this job group is running");

const publishCases: Record<Row<"publish">, Case | readonly Case[]> = {
  ...beforeSending,
  "no-free-connection": { verdict: AWAY, seen: 0, reply: hang, readsAhead: 2 },
  "stopped-after-sending": { verdict: UNKNOWN, reply: hang, stopped: "after" },
  "headers-timeout": { verdict: UNKNOWN, reply: hang },
  "body-timeout": [
    { verdict: UNKNOWN, reply: says(halfAnswer) },
    {
      // A drop now and then is not an end.
      verdict: UNKNOWN,
      reply: (socket) => {
        socket.write(halfAnswer);
        const drip = setInterval(() => socket.write("1"), 20);
        socket.on("close", () => clearInterval(drip));
      },
    },
  ],
  "connection-lost": [
    { verdict: UNKNOWN, reply: (socket) => socket.resetAndDestroy() },
    { verdict: UNKNOWN, reply: (socket) => socket.end() },
    { verdict: UNKNOWN, reply: (socket) => socket.end(halfAnswer) },
    {
      verdict: UNKNOWN,
      reply: (socket) => socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"),
    },
    { verdict: UNKNOWN, reply: (socket) => socket.end("HTTP/1.1 403 no\r\ncontent-length: 100\r\n\r\n{") },
  ],
  "not-http": { verdict: UNKNOWN, reply: says("220 smtp.example.com ready\r\n") },
  "too-large": { verdict: UNKNOWN, reply: huge },
  "bad-json": [
    { verdict: UNKNOWN, reply: says(httpAnswer(200, "<html>signed in?</html>")) },
    { verdict: UNKNOWN, reply: says(httpAnswer(200, "")) },
    { verdict: UNKNOWN, reply: says("HTTP/1.1 204 x\r\n\r\n") },
  ],
  "wrong-shape": [
    { verdict: UNKNOWN, reply: says(httpAnswer(200, [])) },
    { verdict: UNKNOWN, reply: says(httpAnswer(200, {})) },
    { verdict: UNKNOWN, reply: says(httpAnswer(200, { jobgroupId: "many" })) },
    { verdict: UNKNOWN, reply: says(httpAnswer(200, { reason: "no", exception: { name: "X" } })) },
  ],
  "303": { verdict: UNKNOWN, reply: redirect(303) },
  "3xx": [301, 302, 307, 308].map((status) => ({ verdict: AWAY, reply: redirect(status) })),
  "400": { verdict: REFUSED, reply: answers(400, "ValidationFailed") },
  "401": { verdict: UNAUTHORIZED, reply: answers(401, "Unauthorized") },
  "403": { verdict: REFUSED, reply: answers(403, "AccessControlException") },
  "404": [
    { verdict: REFUSED, reply: answers(404, "RouteNotFoundException") },
    { verdict: REFUSED, reply: answers(404, "DataNotFoundException") },
  ],
  "405": { verdict: REFUSED, reply: answers(405, "MethodNotAllowed") },
  "408": { verdict: UNKNOWN, reply: answers(408, "Timeout") },
  "409": { verdict: { next: "busy" }, reply: answers(409, "Conflict") },
  "409 same target": {
    verdict: REFUSED,
    reply: answers(409, "Conflict", "Results were already written to this target"),
  },
  "410": { verdict: REFUSED, reply: answers(410, "GoneException") },
  "415": { verdict: REFUSED, reply: answers(415, "UnsupportedMediaType") },
  "422": { verdict: REFUSED, reply: answers(422, "ValidationFailed") },
  "425": { verdict: RETRY, reply: answers(425, "TooEarly") },
  "429": { verdict: THROTTLED, reply: answers(429, "TooManyRequestsException") },
  "4xx": [402, 418, 451].map((status) => ({ verdict: REFUSED, reply: answers(status, "Other") })),
  "4xx busy": [400, 403, 409, 422, 423].map((status) => ({
    verdict: { next: "busy" as const },
    reply: saysBusy(status),
  })),
  "401 busy": { verdict: UNAUTHORIZED, reply: saysBusy(401) },
  "404 busy": { verdict: REFUSED, reply: saysBusy(404) },
  "408 busy": { verdict: UNKNOWN, reply: saysBusy(408) },
  "429 busy": { verdict: THROTTLED, reply: saysBusy(429) },
  "500": { verdict: UNKNOWN, reply: answers(500, "InternalError") },
  "502": { verdict: UNKNOWN, reply: page },
  "503": { verdict: UNKNOWN, reply: answers(503, "Unavailable") },
  "504": { verdict: UNKNOWN, reply: answers(504, "GatewayTimeout") },
  "5xx": [501, 520, 599].map((status) => ({ verdict: UNKNOWN, reply: answers(status, "Other") })),
};

const { "send-window-over": _guardIsForPublish, ...beforeReading } = beforeSending;
const readCases: Record<Exclude<Row<"read">, "send-window-over">, Case | readonly Case[]> = {
  ...beforeReading,
  "no-free-connection": { verdict: AWAY, reply: hang, readsAhead: 2 },
  "stopped-after-sending": { verdict: NOT_SENT, reply: hang, stopped: "after" },
  "headers-timeout": { verdict: RETRY, reply: hang },
  "body-timeout": { verdict: RETRY, reply: says(halfAnswer) },
  "connection-lost": [
    { verdict: AWAY, reply: (socket) => socket.resetAndDestroy() },
    { verdict: AWAY, reply: (socket) => socket.end(halfAnswer) },
  ],
  "not-http": { verdict: RETRY, reply: says("220 smtp.example.com ready\r\n") },
  "too-large": { verdict: RETRY, reply: huge },
  "bad-json": { verdict: RETRY, reply: says(httpAnswer(200, "{")) },
  "wrong-shape": { verdict: RETRY, reply: says(httpAnswer(200, { id: 31 })) },
  "3xx": [301, 302, 303, 307, 308].map((status) => ({ verdict: AWAY, reply: redirect(status) })),
  "401": { verdict: UNAUTHORIZED, reply: answers(401, "Unauthorized") },
  "408": { verdict: RETRY, reply: answers(408, "Timeout") },
  "425": { verdict: RETRY, reply: answers(425, "TooEarly") },
  "429": { verdict: THROTTLED, reply: answers(429, "TooManyRequestsException") },
  "4xx": [400, 403, 404, 405, 409, 410, 415, 422].map((status) => ({
    verdict: REFUSED,
    reply: answers(status, "DataNotFoundException"),
  })),
  "500": { verdict: RETRY, reply: answers(500, "InternalError") },
  "502": { verdict: AWAY, reply: page },
  "503": { verdict: AWAY, reply: answers(503, "Unavailable") },
  "504": { verdict: AWAY, reply: answers(504, "GatewayTimeout") },
  "5xx": { verdict: RETRY, reply: answers(501, "Other") },
};

describe("a publish", () => {
  test("has a case for every row of the table", () => {
    expect(Object.keys(publishCases).sort()).toEqual(Object.keys(RETRY_TABLE.publish).sort());
  });

  test.for(rowsOf(publishCases))("%s", async ([row, one]) => {
    const { server, failure, message } = await fail(
      one,
      (platform, signal) => {
        const request = {
          connection: { id: 2 },
          path: ["public"],
          table: "t",
          action: "load",
          inputFormat: "avro",
        };
        return platform.publish(31, request, { mayStillSend: one.mayStillSend ?? (() => true) }, signal);
      },
      row,
    );
    expect(failure).toMatchObject(one.verdict);
    expect(failure.gate).toBe(one.verdict.gate);
    expect(server.requests.filter((request) => request.startsWith("PUT ")).length).toBe(one.seen ?? 1);
    expect(message).toContain("PUT /v4/jobGroups/31/publish");
    expect(RETRY_TABLE.publish).toHaveProperty([row], one.verdict);
  });
});

describe("a read", () => {
  test("has a case for every row of the table that it can meet", () => {
    expect([...Object.keys(readCases), "send-window-over"].sort()).toEqual(
      Object.keys(RETRY_TABLE.read).sort(),
    );
  });

  test.for(rowsOf(readCases))("%s", async ([row, one]) => {
    const { failure, message } = await fail(one, (platform, signal) => platform.getJobGroup(31, signal), row);
    expect(failure).toMatchObject(one.verdict);
    expect(failure.gate).toBe(one.verdict.gate);
    expect(message).toContain("GET /v4/jobGroups/31");
    expect(RETRY_TABLE.read).toHaveProperty([row], one.verdict);
  });
});

/** What a create and a run can meet. */
const { "409 same target": _same, "send-window-over": _over, ...others } = publishCases;
const shared = Object.fromEntries(Object.entries(others).filter(([row]) => !row.endsWith(" busy")));

describe("a create", () => {
  const task = {
    name: "n",
    flowId: 11,
    url: "https://relay.example.com",
    method: "post",
    triggerEvent: "onJobDone",
    triggerObject: "any",
    body: "{}",
    headers: {},
    sslVerification: true,
    retryOnFailure: true,
  } as const;

  test.for(rowsOf(shared))("is sent once and never asked for again on a guess: %s", async ([row, one]) => {
    const { server, failure, message } = await fail(
      one,
      (platform, signal) => platform.createWebhookTask(task, signal),
      row,
    );
    // As a publish is judged, but that no status means "busy": no other create is in its way.
    const next = ["busy", "retry"].includes(one.verdict.next) ? "refused" : one.verdict.next;
    expect(failure.next).toBe(next);
    expect(server.requests.filter((request) => request.startsWith("POST ")).length).toBe(one.seen ?? 1);
    expect(message).toContain("POST /v4/webhookFlowTasks");
  });
});

describe("a run", () => {
  const order = { recipeId: 27, parameters: {} };

  test.for(rowsOf(shared))("is sent once by each call, with its execution id: %s", async ([row, one]) => {
    const { server, failure, message } = await fail(
      one,
      (platform, signal) => platform.runRecipe(order, "execution-7", signal),
      row,
    );
    // As a create is judged: what may have arrived is unknown, and asked again by whoever has the execution id.
    const next = ["busy", "retry"].includes(one.verdict.next) ? "refused" : one.verdict.next;
    expect(failure.next).toBe(next);
    const sent = server.requests.filter((request) => request.startsWith("POST "));
    expect(sent.length).toBe(one.seen ?? 1);
    for (const request of sent) expect(request).toMatch(/^x-execution-id: execution-7\r$/m);
    expect(message).toContain("POST /v4/jobGroups");
  });

  test("that the platform answers with 304 ran before: nothing was started", async () => {
    const server = await startWireServer((socket) => socket.write("HTTP/1.1 304 Not Modified\r\n\r\n"));
    const platform = createDesignerCloud({ baseUrl: server.url, token: () => TOKEN });
    releaseLater(() => platform.close());
    expect(await platform.runRecipe(order, "execution-7")).toEqual({ kind: "ran already" });
  });
});

test("what nobody foresaw may have been applied when it was a publish", () => {
  expect(judge("publish", ["799", "7xx"])).toEqual(UNKNOWN);
  expect(judge("create", ["799", "7xx"])).toEqual(UNKNOWN);
  expect(judge("run", ["799", "7xx"])).toEqual(UNKNOWN);
  expect(judge("read", ["799", "7xx"])).toEqual(RETRY);
});

function rowsOf(cases: Readonly<Record<string, Case | readonly Case[]>>): Array<[string, Case]> {
  return Object.entries(cases).flatMap(([row, some]) =>
    (Array.isArray(some) ? some : [some]).map((one): [string, Case] => [row, one]),
  );
}

async function fail(
  one: Case,
  call: (platform: DesignerCloud, signal: AbortSignal) => Promise<unknown>,
  row: string,
) {
  const stop = new AbortController();
  if (one.stopped === "before") stop.abort();
  const server = await startWireServer((socket, request, n) => {
    if (one.stopped === "after") stop.abort();
    (one.reply ?? hang)(socket, request, n);
  }, one.onConnection);
  const platform = createDesignerCloud({
    baseUrl: (await one.baseUrl?.(server.port)) ?? server.url,
    token: one.token ?? (() => TOKEN),
    timeouts: TIMEOUTS[row] ?? { connectMs: 5_000, headersMs: 5_000, bodyMs: 5_000 },
    connections: 1,
  });
  releaseLater(() => platform.close());
  const ahead = Array.from({ length: one.readsAhead ?? 0 }, () => platform.getFlow(1).catch(() => {}));
  const error = await call(platform, stop.signal).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  await Promise.all(ahead);
  expect(error).toBeInstanceOf(PlatformError);
  const { failure, message, cause } = error as PlatformError;
  expect(failure.code).toMatch(CODES[row] ?? /./);
  expect(message).toContain(WORDS[row] ?? "");
  expect(JSON.stringify({ message, failure, cause: cause ?? null })).not.toContain(TOKEN);
  // Some answers of these tests are written by hand and have no id.
  expect(message.includes("(request id request-7)")).toBe(failure.requestId !== undefined);
  return { server, failure, message };
}
