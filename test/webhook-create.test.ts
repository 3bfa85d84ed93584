import { expect, test } from "vitest";
import { runCommand } from "./support/command-line.ts";
import { startScript } from "./support/processes.ts";
import { nextRequest, openSite, WEBHOOK_SECRET } from "./support/relay.ts";
import { closedPort } from "./support/wire-server.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);
const RULES = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
};

const openTenant = async (settings: object = {}) =>
  openSite({ rules: RULES, simulator: { settings: { publishMs: 20, ...settings } } });

const settings = (url: string, more: Record<string, string> = {}) => ({
  DESIGNER_CLOUD_URL: url,
  DESIGNER_CLOUD_TOKEN: "simulator-token",
  WEBHOOK_SECRETS: `${WEBHOOK_SECRET},old-secret`,
  ...more,
});
const create = (url: string, args: readonly string[], more?: Record<string, string>) =>
  runCommand(["webhook", "create", "--flow", "11", ...args], settings(url, more));

test("the task that it creates brings a signed webhook, and the job is published", async () => {
  const site = await openTenant();
  const door = await site.start();
  const created = nextRequest(site.simulator, ({ kind }) => kind === "createWebhook");
  const command = startScript(MAIN, {
    args: ["webhook", "create", "--flow", "11", "--url", door.url, "--name", "relay"],
    env: settings(site.simulator.url),
  });
  expect(await command.exited).toMatchObject({ code: 0 });
  const output = command.output();
  expect(output).toMatch(
    /^CREATED: webhook task \d+ "relay" of flow 11 tells http.*\/webhooks\/designer-cloud\.$/m,
  );
  expect(output).not.toContain(WEBHOOK_SECRET);
  expect((await created).body).toEqual({
    name: "relay",
    flowId: 11,
    url: `${door.url}/webhooks/designer-cloud`,
    method: "post",
    triggerEvent: "onJobSuccess",
    triggerObject: "any",
    body: '{"jobId":"$jobId","jobStatus":"$jobStatus"}',
    headers: { "Content-Type": "application/json" },
    secretKey: WEBHOOK_SECRET,
    sslVerification: true,
    retryOnFailure: true,
  });
  const jobGroupId = site.simulator.createJobGroup();
  expect(await site.ended(jobGroupId)).toHaveLength(1);
});

test("with the header scheme the task carries the secret in its header, and its webhook is let in", async () => {
  const site = await openTenant();
  const door = await site.start({ WEBHOOK_AUTH: "header", WEBHOOK_HEADER: "X-Relay-Key" });
  const { code } = await create(site.simulator.url, ["--url", `${door.url}/`, "--event", "done"], {
    WEBHOOK_AUTH: "header",
    WEBHOOK_HEADER: "X-Relay-Key",
  });
  expect(code).toBe(0);
  const [request] = site.simulator.requests({ kind: "createWebhook" });
  expect(request?.body).toMatchObject({
    triggerEvent: "onJobDone",
    headers: { "Content-Type": "application/json", "X-Relay-Key": WEBHOOK_SECRET },
  });
  expect(request?.body).not.toHaveProperty("secretKey");
  const jobGroupId = site.simulator.createJobGroup();
  expect(await site.ended(jobGroupId)).toHaveLength(1);
});

test("a tenant without the route, or --print: it tells what to type, never the secret, and that nothing was created", async () => {
  const { simulator } = await openTenant({ webhookRoute: false });
  const url = "https://relay.example.com/hooks/";
  const missing = await create(simulator.url, ["--url", url]);
  const printed = await create("http://127.0.0.1:1", ["--url", url, "--print"], { WEBHOOK_AUTH: "header" });
  for (const { code, output } of [missing, printed]) {
    expect(code).toBe(0);
    expect(output).toMatch(/^NOT CREATED: /m);
    expect(output).toContain("https://relay.example.com/hooks/webhooks/designer-cloud");
    expect(output).toContain('{"jobId":"$jobId","jobStatus":"$jobStatus"}');
    expect(output).toContain("the first of WEBHOOK_SECRETS");
    expect(output.replaceAll("x-webhook-secret", "")).not.toContain(WEBHOOK_SECRET);
  }
  expect(missing.output).toContain("this tenant has no route for it");
  expect(missing.output).toMatch(/Secret key: +<the first/);
  expect(printed.output).toMatch(/Header: +x-webhook-secret: <the first/);
});

test.each([404, 405, 410, 501])(
  "a tenant, or a proxy, that says it with a bare %i has no route either",
  async (status) => {
    const { simulator } = await openTenant();
    simulator.addFault({ kind: "status", on: "createWebhook", status, body: {} });
    const told = await create(simulator.url, ["--url", "https://relay.example.com"]);
    expect(told).toMatchObject({ code: 0, output: expect.stringMatching(/^NOT CREATED: /m) });
  },
);

test("a refusal that repeats the request shows no secret", async () => {
  const { simulator } = await openTenant();
  simulator.addFault({
    kind: "status",
    on: "createWebhook",
    status: 400,
    body: {
      exception: { name: "ValidationFailed", details: `{"secretKey":"${WEBHOOK_SECRET}","flowId":11}` },
    },
  });
  const told = await create(simulator.url, ["--url", "https://relay.example.com"]);
  expect(told.code).toBe(1);
  expect(told.output).toContain("flowId");
  expect(told.output).not.toContain(WEBHOOK_SECRET);
});

test("a request whose answer is lost is not sent again; the words say that it may have been created", async () => {
  const { simulator } = await openTenant();
  simulator.addFault({ kind: "status", on: "createWebhook", status: 504 });
  const lost = await create(simulator.url, ["--url", "https://relay.example.com"]);
  expect(lost.code).toBe(1);
  expect(lost.output).toContain("may have been created: look at the webhook tasks of flow 11");
  expect(simulator.requests({ kind: "createWebhook" })).toHaveLength(1);
});

test("a refusal, or a platform that is away, ends with 1 and the platform's words", async () => {
  const { simulator } = await openTenant();
  const unknownFlow = await create(simulator.url, ["--flow", "99", "--url", "https://relay.example.com"]);
  expect(unknownFlow.code).toBe(1);
  expect(unknownFlow.output).toContain("flow not found");
  expect(unknownFlow.output).toContain("was not created");
  const away = await create(`http://127.0.0.1:${await closedPort()}`, ["--url", "https://relay.example.com"]);
  expect(away.code).toBe(1);
  expect(away.output).toContain("nothing was sent");
});

test.each([
  ["no address", ["--url", "relay.example.com"], {}, "--url must be an address"],
  ["another protocol", ["--url", "ftp://relay.example.com"], {}, "--url must be an address"],
  ["a login in it", ["--url", "https://me:pw@relay.example.com"], {}, "must not hold a login"],
  ["a query", ["--url", "https://relay.example.com/?a=1"], {}, "without ? or #"],
  [
    "the check route",
    ["--url", "https://r.example.com/webhooks/designer-cloud/check"],
    {},
    "must not end in /check",
  ],
  [
    "an unknown event",
    ["--url", "https://r.example.com", "--event", "never"],
    {},
    "Allowed choices are success, done",
  ],
  ["no secret", ["--url", "https://r.example.com"], { WEBHOOK_SECRETS: "" }, "WEBHOOK_SECRETS is not set"],
  [
    "no platform",
    ["--url", "https://r.example.com"],
    { DESIGNER_CLOUD_URL: "" },
    "DESIGNER_CLOUD_URL is not set",
  ],
  [
    "a scheme that the platform has not",
    ["--url", "https://r.example.com"],
    { WEBHOOK_AUTH: "github" },
    "Designer Cloud cannot send",
  ],
])("wrong usage ends with 2: %s", async (_what, args, env, words) => {
  const { code, output } = await create("http://127.0.0.1:1", args, env);
  expect(output).toContain(words);
  expect(code).toBe(2);
});

test("an address that the platform cannot reach, or that is in the clear, is warned of", async () => {
  const loopback = await create("http://127.0.0.1:1", ["--print", "--url", "http://[::1]:3000/webhooks"]);
  expect(loopback.code).toBe(0);
  expect(loopback.output).toContain("http://[::1]:3000/webhooks/designer-cloud");
  expect(loopback.output).toContain("warning: [::1] is this machine");
  const clear = await create("http://127.0.0.1:1", ["--print", "--url", "http://relay.example.com"]);
  expect(clear.output).toContain("warning: http sends the report in the clear");
});

test("for scripts it answers JSON, whether it was created or what to type, and never the secret", async () => {
  const { simulator } = await openTenant();
  const args = ["--url", "https://relay.example.com", "--json"];
  const created = await create(simulator.url, args);
  expect(JSON.parse(created.output)).toEqual({
    created: true,
    url: "https://relay.example.com/webhooks/designer-cloud",
    warnings: [],
    webhookTaskId: expect.any(Number),
  });
  const printed = await create(simulator.url, [...args, "--print"]);
  expect(JSON.parse(printed.output)).toMatchObject({ created: false, form: expect.any(Array) });
  expect(printed.output).not.toContain(WEBHOOK_SECRET);
});
