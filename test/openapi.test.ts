import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { beforeAll, expect, test } from "vitest";
import { parseReport } from "../src/producers/report.ts";
import { startPrivateRedis } from "./support/redis.ts";
import { API_TOKEN, type LocalRelay, openSite, type Site } from "./support/relay.ts";

interface Operation {
  readonly responses: Record<string, { readonly content: Record<string, unknown> }>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
}

const rules = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [
    {
      name: "all",
      when: "all",
      publish: [{ target: "sales", table: "orders", action: "load", settleAfter: "1s", deadline: "1s" }],
    },
  ],
};

let site: Site;
let relay: LocalRelay;
let document: Document;
beforeAll(async () => {
  site = await openSite({ rules });
  relay = await site.start();
  document = (await (await ask("GET", "/v1/openapi.json")).json()) as Document;
});

function ask(method: string, path: string, body?: unknown, token = API_TOKEN): Promise<Response> {
  return fetch(`${relay.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

/** Answers may gain fields; those that a relay gives today are all to be in the document. */
function closed(schema: unknown): unknown {
  return JSON.parse(
    JSON.stringify(schema, (_, value: unknown) =>
      typeof value === "object" && value !== null && "properties" in value && "additionalProperties" in value
        ? { ...value, additionalProperties: false }
        : value,
    ),
  );
}

/** Asks, and checks status, type and body against what the document says of the route. */
async function expectAnswer(
  route: string,
  status: number,
  asked: Promise<Response>,
): Promise<Record<string, unknown>> {
  const response = await asked;
  expect(response.status).toBe(status);
  const body = (await response.json()) as Record<string, unknown>;
  const [method = "", path = ""] = route.toLowerCase().split(" ");
  const type = response.headers.get("content-type") ?? "";
  expect(Object.keys(document.paths[path]?.[method]?.responses[status]?.content ?? {})).toEqual([type]);
  const at = ["paths", path, method, "responses", String(status), "content", type, "schema"];
  const pointer = at.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")));
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema(closed(document) as object, "openapi");
  const fits = ajv.compile({ $ref: `openapi#/${pointer.join("/")}` });
  fits(body);
  expect({ body, errors: fits.errors ?? [] }).toEqual({ body, errors: [] });
  return body;
}

test("the document is valid OpenAPI 3.1 and names the routes that the relay serves", async () => {
  expect(document.openapi).toMatch(/^3\.1\./);
  expect(await new Validator().validate({ ...document })).toMatchObject({ valid: true });
  expect(Object.keys(document.paths).toSorted()).toEqual([
    "/v1/audit",
    "/v1/completions",
    "/v1/job-groups/{id}",
    "/v1/job-groups/{id}/explain",
    "/v1/openapi.json",
    "/v1/replays",
    "/v1/runs",
    "/v1/tasks/{id}/resolve",
  ]);
  await expectAnswer("GET /v1/openapi.json", 200, ask("GET", "/v1/openapi.json"));
});

test("the document is for those with a token, as all under /v1", async () => {
  await expectAnswer("GET /v1/openapi.json", 401, ask("GET", "/v1/openapi.json", undefined, "wrong"));
});

test("the examples of a report in it are taken", () => {
  const text = JSON.stringify(document);
  const { components } = JSON.parse(text) as { components: { schemas: { Report: { examples: unknown[] } } } };
  expect(components.schemas.Report.examples).toHaveLength(1);
  for (const example of components.schemas.Report.examples) {
    expect(parseReport(example, "api").kind).toBe("report");
  }
});

test("reports are answered as it says, one or many, good or bad", async () => {
  const route = "POST /v1/completions";
  const report = (body: unknown, token?: string) => ask("POST", "/v1/completions", body, token);
  const id = site.simulator.createJobGroup({ webhook: false });
  await expectAnswer(route, 202, report({ jobGroupId: id }));
  await expectAnswer(route, 200, report({ jobId: "$jobId" }));
  await expectAnswer(route, 200, report([{ jobGroupId: id }, { jobGroupId: 0 }, { jobId: "$jobId" }]));
  await expectAnswer(route, 400, report({}));
  await expectAnswer(route, 400, report([]));
  await expectAnswer(route, 401, report({ jobGroupId: id }, "wrong"));
  await expectAnswer(route, 413, report({ jobGroupId: id, note: "x".repeat(70_000) }));
  const headers = { authorization: `Bearer ${API_TOKEN}`, "content-type": "text/plain" };
  await expectAnswer(
    route,
    415,
    fetch(`${relay.url}/v1/completions`, { method: "POST", headers, body: "a" }),
  );
});

test("runs are answered as it says: started, repeated, refused, or not to be told", async () => {
  const route = "POST /v1/runs";
  const order = (body: unknown, token?: string) => ask("POST", "/v1/runs", body, token);
  await expectAnswer(route, 202, order({ recipeId: 27, idempotencyKey: "a" }));
  const again = await expectAnswer(route, 202, order({ recipeId: 27, idempotencyKey: "a" }));
  expect(again).toMatchObject({ repeated: true });
  await expectAnswer(route, 422, order({ recipeId: 28, idempotencyKey: "a" }));
  await expectAnswer(route, 404, order({ recipeId: 99 }));
  await expectAnswer(route, 422, order({ recipeId: 30, format: "avro" }));
  for (const body of [
    {},
    { recipeId: "27" },
    { recipeId: 27, path: "s3://b/x" },
    { recipeId: 27, idempotencyKey: "" },
  ])
    await expectAnswer(route, 400, order(body));
  await expectAnswer(route, 401, order({ recipeId: 27 }, "wrong"));
  await expectAnswer(route, 413, order({ recipeId: 27, parameters: { a: "x".repeat(70_000) } }));
  const fault = site.simulator.addFault({ kind: "apply-and-504", on: "run" });
  await expectAnswer(route, 503, order({ recipeId: 27 }));
  site.simulator.clearFaults(fault);
});

test("the story of a published, a parked and a decided task is told as it says", async () => {
  const story = (id: number | string) => ask("GET", `/v1/job-groups/${id}`);
  const route = "GET /v1/job-groups/{id}";
  const good = site.simulator.createJobGroup({ webhook: false });
  await relay.report(good, { env: "prod" });
  await site.ended(good);
  expect(await expectAnswer(route, 200, story(good))).toMatchObject({ tasks: [{ state: "published" }] });

  const lost = site.simulator.createJobGroup({ webhook: false });
  site.simulator.addFault({ kind: "stuck", jobGroupId: lost, times: 1 });
  await ask("POST", "/v1/completions", { jobGroupId: lost, status: "Complete" });
  await site.ended(lost);
  expect(await expectAnswer(route, 200, story(lost))).toMatchObject({
    tasks: [{ state: "parked", evidence: { why: expect.stringContaining("deadline") } }],
  });

  const task = `jobgroup-${lost}-2-public-orders`;
  const resolve = (body: object, name = task) => ask("POST", `/v1/tasks/${name}/resolve`, body);
  const decision = { outcome: "published", reason: "the rows are there" };
  const decide = "POST /v1/tasks/{id}/resolve";
  await expectAnswer(decide, 400, resolve({ outcome: "perhaps", reason: "x" }));
  await expectAnswer(decide, 404, resolve(decision, "jobgroup-1-nothing"));
  await expectAnswer(decide, 200, resolve(decision));
  await expectAnswer(decide, 409, resolve(decision));
  expect(await expectAnswer(route, 200, story(lost))).toMatchObject({
    tasks: [{ decisions: [decision] }],
    audit: [
      { action: "resolve: published", outcome: "asked", who: "API token 1", reason: decision.reason },
      { outcome: "done" },
      { outcome: "asked" },
      { outcome: "refused", detail: expect.stringContaining("not parked") },
    ],
  });
  const page = await expectAnswer("GET /v1/audit", 200, ask("GET", `/v1/audit?jobGroup=${lost}&limit=3`));
  expect(page).toMatchObject({
    entries: [{ outcome: "refused", role: "api" }, {}, {}],
    next: expect.any(String),
  });
  await expectAnswer("GET /v1/audit", 400, ask("GET", "/v1/audit?limit=0"));
  await expectAnswer("GET /v1/audit", 401, ask("GET", "/v1/audit", undefined, "wrong"));
  await expectAnswer(route, 400, story("x"));
  await expectAnswer(route, 404, story(987_654));
});

test("an explanation is as it says, of one that is published, reported or unheard of", async () => {
  const explain = (id: number | string) => ask("GET", `/v1/job-groups/${id}/explain`);
  const route = "GET /v1/job-groups/{id}/explain";
  const id = site.simulator.createJobGroup({ webhook: false });
  expect(await expectAnswer(route, 200, explain(id))).toMatchObject({
    record: null,
    tasks: [{ state: "new" }],
  });
  await relay.report(id);
  await site.ended(id);
  expect(await expectAnswer(route, 200, explain(id))).toMatchObject({
    tasks: [{ state: "published" }],
    targets: [{ limits: "in force" }],
    fleet: { same: true },
  });
  expect(await expectAnswer(route, 200, explain(987_654))).toMatchObject({ platform: { known: false } });
  await expectAnswer(route, 400, explain("x"));
});

test("while Redis is away the answers are those that it names", async () => {
  const redis = await startPrivateRedis();
  const away = await openSite({ rules, redisUrl: redis.url });
  const other = await away.start();
  await redis.kill();
  const headers = { authorization: `Bearer ${API_TOKEN}`, "content-type": "application/json" };
  const post = (body: unknown) =>
    fetch(`${other.url}/v1/completions`, { method: "POST", headers, body: JSON.stringify(body) });
  await expectAnswer("POST /v1/completions", 503, post({ jobGroupId: 2 }));
  const batch = await expectAnswer("POST /v1/completions", 503, post([{ jobGroupId: 2 }, {}]));
  expect(batch["results"]).toHaveLength(2);
  await expectAnswer("GET /v1/job-groups/{id}", 503, fetch(`${other.url}/v1/job-groups/2`, { headers }));
  await expectAnswer("GET /v1/audit", 503, fetch(`${other.url}/v1/audit`, { headers }));
  const run = fetch(`${other.url}/v1/runs`, { method: "POST", headers, body: '{"recipeId":27}' });
  await expectAnswer("POST /v1/runs", 503, run);
  expect(away.simulator.requests({ kind: "run" })).toEqual([]);
  const explained = fetch(`${other.url}/v1/job-groups/2/explain`, { headers });
  await expectAnswer("GET /v1/job-groups/{id}/explain", 503, explained);
});

test("a replay is answered as it says, dry and not", async () => {
  const route = "POST /v1/replays";
  const replay = (body: unknown, token?: string) => ask("POST", "/v1/replays", body, token);
  const id = site.simulator.createJobGroup({ webhook: false });
  await expectAnswer(route, 200, replay({ jobGroupIds: [id, 99_999] }));
  await expectAnswer(route, 202, replay({ jobGroupIds: [id], dryRun: false }));
  await expectAnswer(route, 400, replay({}));
  await expectAnswer(route, 401, replay({ jobGroupIds: [id] }, "wrong"));
  await expectAnswer(route, 422, replay({ jobGroupIds: [id], target: "nowhere" }));
});
