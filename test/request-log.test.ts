import { expect, onTestFinished, test, vi } from "vitest";
import { createApi } from "../src/http/api.ts";
import { createHealth } from "../src/http/health.ts";
import { createHttpServer } from "../src/http/server.ts";
import { eventually } from "./support/eventually.ts";
import { releaseLater } from "./support/release.ts";

type Line = Readonly<Record<string, unknown>>;

/** A server with an API whose Redis is away, and the lines of its log. */
async function open(level: "info" | "debug" = "info") {
  const lines: Line[] = [];
  const write = (at: string) => (fields: object, msg: string) => void lines.push({ at, ...fields, msg });
  const log = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    isLevelEnabled: (asked: string) => level === "debug" || asked !== "debug",
  };
  const away = () => Promise.reject(new Error("Redis is away"));
  const api = createApi({ report: away, story: away, log }, { tokens: ["token"] });
  const server = createHttpServer({ ...createHealth([]), api }, { host: "127.0.0.1", port: 0, log });
  releaseLater(() => server.close());
  const { port } = await server.listen();
  const ask = async (path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
    return { id: answer.headers.get("x-request-id"), body: (await answer.json()) as Line };
  };
  const line = (find: Line) =>
    eventually(() => lines.find((one) => Object.entries(find).every(([name, value]) => one[name] === value)));
  return { ask, lines, line };
}

test("a refused request has one id in its answer, its problem and its line in the log", async () => {
  const { ask, line } = await open();
  const { id, body } = await ask("/v1/job-groups/31?secret=1", { "x-request-id": "proxy-7:a/b" });
  expect(id).toBe("proxy-7:a/b");
  expect(body["requestId"]).toBe("proxy-7:a/b");
  expect(await line({ requestId: "proxy-7:a/b" })).toMatchObject({
    at: "info",
    method: "GET",
    path: "/v1/job-groups/31",
    status: 401,
    detail: body["detail"],
    from: "127.0.0.1",
    msg: "request refused",
  });
});

test.each(["", "two words", "-rf", "x".repeat(129), "<b>", "a;b"])(
  "the id %j is not taken over",
  async (given) => {
    const { ask } = await open();
    expect((await ask("/healthz", { "x-request-id": given })).id).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
  },
);

test("all lines about a request that failed carry its id", async () => {
  const { ask, lines, line } = await open();
  const { id } = await ask("/v1/job-groups/31", { authorization: "Bearer token" });
  await line({ msg: "request failed" });
  expect(lines.map((one) => [one["at"], one["requestId"], one["msg"]])).toEqual([
    ["warn", id, "call of the API failed: answered 503"],
    ["warn", id, "request failed"],
  ]);
});

test("a request that went well has a line only at the level debug", async () => {
  const quiet = await open();
  await quiet.ask("/healthz");
  await quiet.ask("/nothing");
  await quiet.line({ status: 404 });
  expect(quiet.lines).toHaveLength(1);
  const loud = await open("debug");
  await loud.ask("/healthz");
  expect(await loud.line({ status: 200 })).toMatchObject({ at: "debug", path: "/healthz" });
});

test("a hundred wrong requests in a second leave twenty lines, and the next one says how many it left out", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const { ask, lines, line } = await open();
  await Promise.all(Array.from({ length: 100 }, () => ask("/nothing")));
  expect(lines).toHaveLength(20);
  vi.setSystemTime(Date.now() + 1_000);
  await ask("/last");
  expect(await line({ path: "/last" })).toMatchObject({ leftOut: 80 });
});
