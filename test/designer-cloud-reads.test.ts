import { expect, test } from "vitest";
import { createDesignerCloud } from "../src/designer-cloud/client.ts";
import { isNotFound } from "../src/designer-cloud/failure.ts";
import { PlatformError } from "../src/errors.ts";
import { releaseLater } from "./support/release.ts";
import { httpAnswer, startWireServer } from "./support/wire-server.ts";

async function platformThatAnswers(body: unknown, status = 200) {
  const server = await startWireServer((socket) => socket.write(httpAnswer(status, body)));
  const platform = createDesignerCloud({
    baseUrl: server.url,
    token: async () => "secret-token-of-the-test",
  });
  releaseLater(() => platform.close());
  return { platform, asked: () => server.requests.map((request) => request.split(" HTTP")[0]) };
}

test("a job group is read as the platform tells it", async () => {
  const { platform, asked } = await platformThatAnswers(
    JSON.parse(
      '{"id":8,"name":null,"description":null,"ranfrom":"ui","ranfor":"recipe","status":"Complete","profilingEnabled":true,' +
        '"createdAt":"2018-01-25T18:01:16.456Z","updatedAt":"2018-01-25T18:01:21.082Z","workspace":{"id":1},"creator":{"id":2},' +
        '"updater":{"id":1},"snapshot":{"id":8},"wrangledDataset":{"id":12},"flowRun":null}',
    ),
  );
  expect(await platform.getJobGroup(8)).toEqual({
    id: 8,
    status: "Complete",
    ranFrom: "ui",
    ranFor: "recipe",
    recipeId: 12,
    creatorId: 2,
    workspaceId: 1,
    createdAt: Date.UTC(2018, 0, 25, 18, 1, 16, 456),
    updatedAt: Date.UTC(2018, 0, 25, 18, 1, 21, 82),
  });
  expect(asked()).toEqual(["GET /v4/jobGroups/8"]);
});

test("a job group with nothing but what is sure to be there is read, and its state is not known", async () => {
  const { platform } = await platformThatAnswers({ id: "8", createdAt: 1_000, updatedAt: 2_000 });
  expect(await platform.getJobGroup(8)).toEqual({
    id: 8,
    status: "Unknown",
    createdAt: 1_000,
    updatedAt: 2_000,
  });
});

test.for([{ flowRun: { id: 5 } }, { flowrun: { id: 5 } }, { flowRun: null, flowrun: 5 }])(
  "a flow run is found in %j, and an unknown status is kept",
  async (spelled) => {
    const { platform } = await platformThatAnswers({
      id: 8,
      status: "Paused",
      createdAt: 1,
      updatedAt: 2,
      ...spelled,
    });
    expect(await platform.getJobGroup(8)).toMatchObject({ flowRunId: 5, status: "Paused" });
  },
);

test("jobs are listed, with an error of any shape in short words", async () => {
  const { platform, asked } = await platformThatAnswers({
    data: [
      { id: 41, status: "Complete", jobType: "wrangle", percentComplete: 100, errorMessage: null },
      { id: 42, status: "Failed", jobType: "publish", errorMessage: "permission denied" },
      {
        id: 43,
        status: "Failed",
        jobType: "publish",
        errorMessage: { message: "no\n table", stack: "x".repeat(9_999) },
      },
      { id: 45, status: "Created", jobType: "publish" },
      {
        id: 44,
        jobType: "new",
        createdAt: "2018-01-25T18:01:16.456Z",
        errorMessage: { code: 7, inner: { sqlState: "42P01" } },
      },
    ],
  });
  expect(await platform.listJobs(20)).toEqual([
    { id: 41, status: "Complete", jobType: "wrangle", percentComplete: 100 },
    { id: 42, status: "Failed", jobType: "publish", error: "permission denied" },
    { id: 43, status: "Failed", jobType: "publish", error: "no table" },
    { id: 45, status: "Created", jobType: "publish" },
    {
      id: 44,
      status: "Unknown",
      jobType: "new",
      createdAt: 1516903276456,
      error: "code 7; inner sqlState 42P01",
    },
  ]);
  expect(asked()).toEqual(["GET /v4/jobGroups/20/jobs"]);
});

test("outputs are files and tables, without the database's address", async () => {
  const { platform, asked } = await platformThatAnswers({
    files: [{ uri: "s3://b/x.avro", fileType: "FILE", isPrimaryOutput: true }],
    tables: [
      {
        vendor: "redshift",
        databaseConnectString: "jdbc:redshift://me:password@x",
        relationalPath: ["public"],
        table: "t",
        action: "load",
      },
    ],
  });
  expect(await platform.listOutputs(20)).toEqual({
    files: [{ uri: "s3://b/x.avro", fileType: "FILE", isPrimaryOutput: true }],
    tables: [{ vendor: "redshift", path: ["public"], table: "t", action: "load" }],
  });
  expect(asked()).toEqual(["GET /v4/jobGroups/20/outputs"]);
});

test("recipes, flows and connections are read from their own routes", async () => {
  const { platform, asked } = await platformThatAnswers({
    id: 1,
    name: "a",
    flow: { id: 2 },
    vendor: "redshift",
  });
  expect(await platform.getRecipe(1)).toEqual({ id: 1, name: "a", flowId: 2 });
  expect(await platform.getFlow(1)).toEqual({ id: 1, name: "a" });
  expect(await platform.getConnection(1)).toEqual({ id: 1, name: "a", vendor: "redshift" });
  expect(asked()).toEqual(["GET /v4/wrangledDatasets/1", "GET /v4/flows/1", "GET /v4/connections/1"]);
});

test.for([
  [404, "DataNotFoundException", true],
  [400, "DataNotFoundException", true],
  [410, "GoneException", true],
  [404, "RouteNotFoundException", false],
  [403, "AccessControlException", false],
  [400, "ValidationFailed", false],
] as const)("%i %s: not found is %j", async ([status, name, expected]) => {
  const { platform } = await platformThatAnswers({ exception: { name, message: "m" } }, status);
  const error = await platform.getJobGroup(1).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(PlatformError);
  expect(isNotFound(error)).toBe(expected);
});

test("an answer nested without end is a failure like any other", async () => {
  const { platform } = await platformThatAnswers(`${"[".repeat(20_000)}${"]".repeat(20_000)}`, 400);
  const error = await platform.getJobGroup(1).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(PlatformError);
});

test("finished job groups are asked for by page, and read with no more than is needed of them", async () => {
  const body = JSON.stringify({
    data: [
      {
        id: 31,
        status: "Complete",
        ranfor: "recipe",
        wrangledDataset: { id: null },
        createdAt: "2018-01-25T18:01:16.456Z",
        updatedAt: "2018-01-25T18:01:21.082Z",
      },
      { id: "30", updatedAt: 2_000 },
    ],
    count: 2,
  });
  const server = await startWireServer((socket) =>
    socket.write(httpAnswer(200, body, { date: "Thu, 25 Jan 2018 18:02:00 GMT" })),
  );
  const platform = createDesignerCloud({
    baseUrl: server.url,
    token: async () => "secret-token-of-the-test",
  });
  releaseLater(() => platform.close());
  expect(await platform.listFinished({ since: 1_500, limit: 100, offset: 90 })).toEqual({
    groups: [
      {
        id: 31,
        status: "Complete",
        ranFor: "recipe",
        createdAt: Date.UTC(2018, 0, 25, 18, 1, 16, 456),
        updatedAt: Date.UTC(2018, 0, 25, 18, 1, 21, 82),
      },
      { id: 30, updatedAt: 2_000 },
    ],
    count: 2,
    at: Date.UTC(2018, 0, 25, 18, 2),
  });
  const asked = new URL(server.requests[0]?.split(" ")[1] ?? "", server.url);
  expect(asked.pathname).toBe("/v4/jobLibrary");
  expect(Object.fromEntries(asked.searchParams)).toEqual({
    limit: "100",
    offset: "90",
    sort: "-id",
    status: "Complete",
    ranfor: "recipe",
    runBy: "all",
    includeCount: "true",
    "dateFilter[updatedAt][gte]": "1500",
  });
});

test("a list without a count and an answer without a date are read all the same", async () => {
  const { platform } = await platformThatAnswers({ data: [], count: "many" });
  expect(await platform.listFinished({ since: 0, limit: 100, offset: 0 })).toEqual({ groups: [] });
});

test("a connection's status, the token's person and the newest job groups are read from their own routes", async () => {
  const status = await platformThatAnswers({ result: "SUCCESS" });
  expect(await status.platform.getConnectionStatus(2)).toBe("SUCCESS");
  const person = await platformThatAnswers({ id: 7, name: "Ada", email: "ada@example.com" });
  expect(await person.platform.getCurrentPerson()).toEqual({ id: 7 });
  const list = await platformThatAnswers({
    data: [{ id: 8, status: "Complete", createdAt: 1, updatedAt: 2 }],
  });
  expect(await list.platform.listRecent(50)).toEqual([
    { id: 8, status: "Complete", createdAt: 1, updatedAt: 2 },
  ]);
  expect([...status.asked(), ...person.asked(), ...list.asked()]).toEqual([
    "GET /v4/connections/2/status",
    "GET /v4/people/current",
    "GET /v4/jobLibrary?limit=50&sort=-id&status=Complete&ranfor=recipe&runBy=all",
  ]);
});

test("a row that cannot be read is left out of its page and counted; a list of nothing else is not understood", async () => {
  const odd = { id: 32, status: "Complete", updatedAt: "yesterday" };
  const page = async (data: object[]) =>
    (await platformThatAnswers({ data })).platform.listFinished({ since: 0, limit: 100, offset: 0 });
  expect(await page([odd, { id: 31, updatedAt: 2_000, createdAt: "long ago" }])).toEqual({
    groups: [{ id: 31, updatedAt: 2_000 }],
    unreadable: 1,
  });
  expect(await page([odd])).toEqual({ groups: [], unreadable: 1 });
  await expect(page([odd, odd])).rejects.toThrow("expected rows with id and updatedAt");
});

test("connections are read as far as they are told, a row that cannot be read is left out", async () => {
  const { platform, asked } = await platformThatAnswers({
    data: [
      {
        id: 2,
        name: "dwh",
        vendor: "redshift",
        type: "jdbc",
        isGlobal: true,
        creator: { id: 7 },
        connectParams: { host: "h", database: "dev" },
      },
      { id: "3" },
      { name: "no id" },
    ],
  });
  expect(await platform.listConnections()).toEqual([
    {
      id: 2,
      name: "dwh",
      vendor: "redshift",
      type: "jdbc",
      shared: true,
      creatorId: 7,
      host: "h",
      database: "dev",
    },
    { id: 3 },
  ]);
  // This one knows no pages: it answers the same again, which is the end.
  expect(asked()).toEqual([
    "GET /v4/connections?limit=100&offset=0",
    "GET /v4/connections?limit=100&offset=2",
  ]);
});

test("all pages of the connections are read, however short a tenant makes them", async () => {
  const server = await startWireServer((socket, request) => {
    const offset = Number(/offset=(\d+)/.exec(request)?.[1]);
    const ids = [offset + 1, offset + 2, offset + 3].filter((id) => id <= 7);
    socket.write(httpAnswer(200, { data: ids.map((id) => ({ id })) }));
  });
  const platform = createDesignerCloud({ baseUrl: server.url, token: () => "secret-token-of-the-test" });
  releaseLater(() => platform.close());
  expect((await platform.listConnections()).map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});
