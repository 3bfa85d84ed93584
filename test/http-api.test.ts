import { request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { type ApiDeps, createApi } from "../src/http/api.ts";
import type { Decision } from "../src/http/decision.ts";
import { createHealth } from "../src/http/health.ts";
import { createHttpServer, type HttpServer } from "../src/http/server.ts";
import type { AuditQuery } from "../src/queues/audit-store.ts";
import type { CompletionReport } from "../src/producers/report.ts";

const open: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});

async function start(deps: Partial<ApiDeps> = {}, tokens: string[] = ["t0ken", "0ther"]) {
  const reports: CompletionReport[] = [];
  const api = createApi(
    {
      report: async (report) => {
        reports.push(report);
        return { completion: `jobgroup-${report.jobGroupId}`, duplicate: false };
      },
      ...deps,
    },
    { tokens, lookUpTimeoutMs: 100 },
  );
  const server = createHttpServer(
    { ...createHealth([]), api },
    { host: "127.0.0.1", port: 0, closeTimeoutMs: 300 },
  );
  open.push(server);
  const { port } = await server.listen();
  const call = (method: string, path: string, body?: unknown, token = "t0ken", headers = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  return { call, reports, port };
}

async function detail(response: Response, status: number): Promise<string> {
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  return ((await response.json()) as { detail: string }).detail;
}

describe("the API's tokens", () => {
  it("let in any of them, and nobody else", async () => {
    const { call } = await start();
    for (const token of ["t0ken", "0ther"]) {
      expect((await call("POST", "/v1/completions", { jobGroupId: 31 }, token)).status).toBe(202);
    }
    const refused = await call("POST", "/v1/completions", { jobGroupId: 31 }, "wrong");
    expect(refused.headers.get("www-authenticate")).toContain("Bearer");
    expect(await detail(refused, 401)).toContain("API_TOKENS");
    const basic = await call("POST", "/v1/completions", {}, "", { authorization: "Basic dDBrZW46" });
    expect(await detail(basic, 401)).toContain("Authorization: Bearer <token>");
  });

  it.each([
    "/v1",
    "/v1?x=1",
    "/v1/",
    "/v1/nothing",
    "/v1/completions/x",
    "/v1/../healthz",
    "/v1//",
    "/v1/openapi.json",
  ])("are asked for at %s, and at all else under /v1", async (path) => {
    const { port } = await start();
    for (const method of ["GET", "POST", "DELETE"]) {
      // Not fetch: it would tidy the path up.
      const status = await new Promise((resolve, reject) => {
        const headers = { authorization: "Bearer wrong" };
        request({ port, host: "127.0.0.1", method, path, headers }, (res) => {
          res.resume();
          resolve(res.statusCode);
        })
          .on("error", reject)
          .end();
      });
      expect(status).toBe(401);
    }
  });

  it("lead to a 404 that lists the routes, where there is none", async () => {
    const { call } = await start();
    for (const path of ["/v1", "/v1/", "/v1/nothing", "/v1/openapiXjson"]) {
      expect(await detail(await call("GET", path), 404)).toContain(
        "POST /v1/completions, GET /v1/openapi.json",
      );
    }
  });

  it("must be set, or /v1 lets nobody in and says how", async () => {
    for (const tokens of [[], [""]]) {
      const { call } = await start({}, tokens);
      expect(await detail(await call("POST", "/v1/completions", { jobGroupId: 31 }), 401)).toContain(
        "set API_TOKENS",
      );
      expect(await detail(await call("POST", "/v1/completions", {}, ""), 401)).toContain("set API_TOKENS");
    }
  });
});

describe("POST /v1/completions", () => {
  it("takes the report that a webhook takes", async () => {
    const { call, reports } = await start();
    const response = await call("POST", "/v1/completions", {
      jobGroupId: "31",
      status: "Complete",
      env: "prod",
    });
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({ completion: "jobgroup-31", duplicate: false });
    expect(reports).toEqual([{ jobGroupId: 31, status: "Complete", labels: { env: "prod" }, source: "api" }]);
  });

  it("refuses what a webhook refuses", async () => {
    const { call } = await start();
    expect(await detail(await call("POST", "/v1/completions", "{"), 400)).toContain("not JSON");
    expect(await detail(await call("POST", "/v1/completions", {}), 400)).toContain('"jobGroupId" is missing');
    expect(await detail(await call("POST", "/v1/completions", "x".repeat(70_000)), 413)).toContain(
      "65536 bytes",
    );
    const form = await call("POST", "/v1/completions", "a=b", "t0ken", { "content-type": "text/plain" });
    expect(await detail(form, 415)).toContain("application/json");
    const get = await call("GET", "/v1/completions");
    expect(get.headers.get("allow")).toBe("POST");
    expect(await detail(get, 405)).toContain("POST");
  });

  it("is 503 when the report cannot be stored", async () => {
    const { call } = await start({ report: () => Promise.reject(new Error("away")) });
    const response = await call("POST", "/v1/completions", { jobGroupId: 31 });
    expect(response.headers.get("retry-after")).toBe("2");
    expect(await detail(response, 503)).toContain("Send it again");
  });
});

describe("GET /v1/job-groups/{id}", () => {
  const story = async (id: number) => (id === 31 ? { jobGroupId: 31, tasks: [] } : undefined);

  it("tells the story, and the explanation", async () => {
    const { call } = await start({ story, explain: async (id) => ({ rules: [], id }) });
    expect(await (await call("GET", "/v1/job-groups/31")).json()).toEqual({ jobGroupId: 31, tasks: [] });
    expect(await (await call("GET", "/v1/job-groups/31/explain?x=1")).json()).toEqual({ rules: [], id: 31 });
  });

  it("is 404 for one that is not known, and 400 for what is no id", async () => {
    const { call } = await start({ story });
    expect(await detail(await call("GET", "/v1/job-groups/32"), 404)).toContain("job group 32");
    for (const id of ["x", "0", "-1", "1.5", "99999999999999999999"]) {
      expect(await detail(await call("GET", `/v1/job-groups/${id}`), 400)).toContain("positive whole number");
    }
    expect(await detail(await call("GET", "/v1/job-groups/%ff"), 400)).toContain("percent-encoded");
  });

  it("is 404 when this relay does not serve it", async () => {
    const { call } = await start({ story });
    expect(await detail(await call("GET", "/v1/job-groups/31/explain"), 404)).toContain("no such route");
    expect(await detail(await call("POST", "/v1/tasks/x/resolve", {}), 404)).toContain("no such route");
  });

  it("is 503 when it fails or takes too long, without the reason's words", async () => {
    const failing = await start({ story: () => Promise.reject(new Error("redis://:secret@host")) });
    expect(await detail(await failing.call("GET", "/v1/job-groups/31"), 503)).not.toContain("secret");
    const hanging = await start({ story: () => new Promise(() => {}) });
    expect(await detail(await hanging.call("GET", "/v1/job-groups/31"), 503)).toContain("Ask again");
  });
});

describe("GET /v1/audit", () => {
  it("hands on what the query asks for, 50 entries by default", async () => {
    const asked: AuditQuery[] = [];
    const { call } = await start({
      audit: async (query) => {
        asked.push(query);
        return { entries: [], next: "7-1" };
      },
    });
    const response = await call("GET", "/v1/audit");
    expect(await response.json()).toEqual({ entries: [], next: "7-1" });
    expect(response.headers.get("cache-control")).toBe("no-store");
    await call("GET", "/v1/audit?limit=3&before=7-1&jobGroup=31");
    expect(asked).toEqual([{ limit: 50 }, { limit: 3, before: "7-1", jobGroupId: 31 }]);
  });

  it.each([
    ["limit=0", "limit: must be at least 1"],
    ["limit=501", "limit: must be at most 500"],
    ["limit=many", "limit: must be a whole number"],
    ["before=yesterday", "before: must be the `next` of the page before"],
    ["jobGroup=-1", "jobGroup: must be a job group's id"],
  ])("is 400 with %s, and says why", async (query, words) => {
    const { call } = await start({ audit: async () => ({ entries: [] }) });
    expect(await detail(await call("GET", `/v1/audit?${query}`), 400)).toContain(words);
  });

  it("is for those with a token, and 503 while Redis does not answer", async () => {
    const { call } = await start({ audit: () => Promise.reject(new Error("redis://:secret@host")) });
    expect(await detail(await call("GET", "/v1/audit", undefined, "wrong"), 401)).toContain("API_TOKENS");
    expect(await detail(await call("GET", "/v1/audit"), 503)).not.toContain("secret");
  });
});

describe("POST /v1/tasks/{id}/resolve", () => {
  it("tells where the decision was asked for", async () => {
    const asked: unknown[] = [];
    const { call } = await start({
      resolve: async (_id, _decision, from) => {
        asked.push(from);
        return { kind: "unknown" };
      },
    });
    const body = { outcome: "again", reason: "x" };
    await call("POST", "/v1/tasks/b/resolve", body, "t0ken", { "x-request-id": "req-7" });
    await call("POST", "/v1/tasks/b/resolve", body, "t0ken", { "x-request-id": "a b" });
    expect(asked).toEqual([
      { from: "127.0.0.1", requestId: "req-7" },
      { from: "127.0.0.1", requestId: expect.stringMatching(/^[\da-f-]{36}$/) },
    ]);
  });

  it("hands on the decision, with who showed which token", async () => {
    const decisions: Array<[string, Decision]> = [];
    const { call } = await start({
      resolve: async (id, decision) => {
        decisions.push([id, decision]);
        return { kind: "resolved", task: { id, state: "published" } };
      },
    });
    const response = await call(
      "POST",
      "/v1/tasks/31%20a/resolve",
      { outcome: "published", reason: " seen " },
      "0ther",
    );
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ id: "31 a", state: "published" });
    await call("POST", "/v1/tasks/b/resolve", { outcome: "again", reason: "empty", by: "ann" });
    expect(decisions).toEqual([
      ["31 a", { outcome: "published", reason: "seen", by: "API token 2" }],
      ["b", { outcome: "again", reason: "empty", by: "ann (API token 1)" }],
    ]);
  });

  it("is 404 for no such task and 409 for one that is not to be decided", async () => {
    const unknown = await start({ resolve: async () => ({ kind: "unknown" }) });
    const body = { outcome: "again", reason: "x" };
    expect(await detail(await unknown.call("POST", "/v1/tasks/b/resolve", body), 404)).toContain('"b"');
    const refused = await start({
      resolve: async () => ({ kind: "refused", detail: "It is published already." }),
    });
    expect(await detail(await refused.call("POST", "/v1/tasks/b/resolve", body), 409)).toContain(
      "published already",
    );
  });

  it.each([
    ["another outcome", { outcome: "skip", reason: "x" }, "outcome"],
    ["no reason", { outcome: "again" }, "reason"],
    ["an empty reason", { outcome: "again", reason: " " }, "reason"],
    ["an unknown field", { outcome: "again", reason: "x", force: true }, "force"],
    ["no object", [], "body"],
    ["no JSON", "{", "not JSON"],
  ])("is 400 with %s, and shows how it is done", async (_what, body, words) => {
    const { call } = await start({ resolve: async () => ({ kind: "unknown" }) });
    const words400 = await detail(await call("POST", "/v1/tasks/b/resolve", body), 400);
    expect(words400).toContain(words);
    expect(words400).toContain('{"outcome":"published","reason":"..."}');
  });
});

describe("POST /v1/runs", () => {
  const takes = () => {
    const asked: unknown[] = [];
    return {
      asked,
      run: async (order: unknown, from: unknown) => {
        asked.push(order, from);
        return { kind: "running", jobGroupId: 31, repeated: false, words: "It runs." } as const;
      },
    };
  };

  it("hands on what was asked, with the key of body or header and who asks", async () => {
    const { asked, run } = takes();
    const { call } = await start({ run });
    const order = { recipeId: 27, parameters: { n: 1, on: true } };
    const answer = await call("POST", "/v1/runs", order, "0ther", { "idempotency-key": "k-1" });
    expect(answer.status).toBe(202);
    expect(await answer.json()).toEqual({
      jobGroupId: 31,
      repeated: false,
      idempotencyKey: "k-1",
      detail: "It runs.",
    });
    await call("POST", "/v1/runs", { recipeId: 27, idempotencyKey: "k-2" });
    expect(asked).toMatchObject([
      { recipeId: 27, parameters: { n: "1", on: "true" }, key: "k-1" },
      { who: "API token 2", from: "127.0.0.1" },
      { recipeId: 27, parameters: {}, key: "k-2" },
      { who: "API token 1" },
    ]);
  });

  it("makes a key for whoever gives none, another one each time", async () => {
    const { run } = takes();
    const { call } = await start({ run });
    const keys = await Promise.all(
      [1, 2].map(async () => {
        const answer = (await (await call("POST", "/v1/runs", { recipeId: 27 })).json()) as {
          idempotencyKey: string;
        };
        return answer.idempotencyKey;
      }),
    );
    expect(new Set(keys).size).toBe(2);
  });

  it("takes a key in quotes, as the header is specified, for the same as the bare one", async () => {
    const { asked, run } = takes();
    const { call } = await start({ run });
    for (const key of ["k-1", '"k-1"', String.raw`"say \"k\""`])
      await call("POST", "/v1/runs", { recipeId: 27 }, "t0ken", { "idempotency-key": key });
    expect(asked.filter((_, n) => n % 2 === 0)).toMatchObject([
      { key: "k-1" },
      { key: "k-1" },
      { key: 'say "k"' },
    ]);
  });

  it.each([
    ["reused", { kind: "reused" }, 422, false, null],
    ["under way", { kind: "in-flight", retryAfterMs: 1_200 }, 409, true, "2"],
    ["of unknown outcome too long ago", { kind: "too-late" }, 409, true, null],
    ["refused by the platform", { kind: "refused", mayRun: false, status: 400 }, 422, false, null],
    ["not sent", { kind: "later", mayRun: false, retryAfterMs: 7_000 }, 503, false, "7"],
  ] as const)(
    "answers a run that is %s as a problem with its key",
    async (_, outcome, status, mayRun, after) => {
      const { call } = await start({ run: async () => ({ ...outcome, words: "Because" }) });
      const answer = await call("POST", "/v1/runs", { recipeId: 27 }, "t0ken", { "idempotency-key": "k" });
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
      expect(answer.headers.get("retry-after")).toBe(after);
      expect(await answer.json()).toMatchObject({ status, idempotencyKey: "k", mayRun });
    },
  );

  it("refuses two keys that differ, and one that is none", async () => {
    const { asked, run } = takes();
    const { call } = await start({ run });
    const both = call("POST", "/v1/runs", { recipeId: 27, idempotencyKey: "a" }, "t0ken", {
      "idempotency-key": "b",
    });
    expect(await detail(await both, 400)).toContain("differ: send one of them");
    const long = call("POST", "/v1/runs", { recipeId: 27 }, "t0ken", { "idempotency-key": "x".repeat(201) });
    expect(await detail(await long, 400)).toContain("1 to 200 characters");
    for (const key of ["", '"', '"open', '"a"b"', '""', "caf\u00e9", "a\tb"]) {
      const answer = await call("POST", "/v1/runs", { recipeId: 27 }, "t0ken", { "idempotency-key": key });
      expect([key, await detail(answer, 400)]).toEqual([key, expect.stringContaining("1 to 200 characters")]);
    }
    expect(asked).toEqual([]);
  });
});
