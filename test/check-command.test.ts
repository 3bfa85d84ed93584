import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createSimulator, type SimulatorOptions } from "../simulator/simulator.ts";
import { runCommand } from "./support/command-line.ts";
import { releaseLater } from "./support/release.ts";
import { closedPort, httpAnswer, startWireServer, STRANGER } from "./support/wire-server.ts";

const GOOD = `version: 1
targets:
  sales: { connection: 2, schema: public, rateLimit: { max: 30, per: 1m } }
  finance: { connection: 3, schema: reports }
  spare: { connection: 4, schema: x, freshness: 15m }
rules:
  - name: orders
    when: { recipe: "ord*" }
    publish:
      - { target: sales, table: "orders_{date}", action: load }
      - { target: finance, table: orders, action: truncateAndLoad, settleAfter: 5s }
  - name: prod-only
    when: { flow: 11, labels: { env: prod } }
    publish:
      - { target: finance, schema: prod, table: all_jobs, action: createAndLoad }
`;

async function fileOf(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-check-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "rules.yaml");
  await writeFile(path, text);
  return path;
}

async function openTenant(options?: SimulatorOptions) {
  const simulator = createSimulator(options);
  await simulator.start();
  releaseLater(() => simulator.stop());
  const env = { DESIGNER_CLOUD_URL: simulator.url, DESIGNER_CLOUD_TOKEN: "simulator-token" };
  return { simulator, env };
}

test("a good file ends with 0 also with warnings, and shows targets, publications and what is not repeatable", async () => {
  const path = await fileOf(GOOD);
  const { code, output } = await runCommand(["check", path]);
  expect(code).toBe(0);
  const lines = output.split("\n").map((line) => line.replace(`${path}:`, "FILE:"));
  expect(lines[0]).toMatch(/^FILE:5:3: warning: targets.spare: no rule publishes to the target "spare"/);
  expect(lines[1]).toBe("  5 |   spare: { connection: 4, schema: x, freshness: 15m }");
  expect(lines[2]).toBe("    |   ^^^^^");
  expect(lines[3]).toMatch(/^FILE:11:\d+: warning: .*settleAfter is under 30s/);
  expect(lines[6]).toMatch(/^FILE: good, version [0-9a-f]{12}, 3 targets, 2 rules, 2 warnings$/);
  expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual(
    expect.arrayContaining([
      ["sales", "2", "public", "30 per 1m", "4"],
      ["finance", "3", "reports", "no limit", "4"],
      ["spare", "4", "x", "no limit", "4", "15m"],
      ["orders", "sales", "public.orders_{date}", "load *", "avro"],
      ["orders", "finance", "reports.orders", "truncateAndLoad", "avro", "settleAfter 5s"],
      ["prod-only", "finance", "prod.all_jobs", "createAndLoad *", "avro"],
    ]),
  );
  expect(output).toContain("* not repeatable");
});

test("the settings that hold are told, wherever in the file they are said: in the text what is not as built in, as JSON all", async () => {
  const path = await fileOf(
    GOOD.replace("targets:", "defaults: { deadline: 2h, attempts: 8 }\ntargets:").replace(
      "schema: reports",
      "schema: reports, defaults: { backoff: 1s, priority: 5, stale: publish, settleAfter: never }",
    ),
  );
  const { output } = await runCommand(["check", path]);
  expect(output).toMatch(/^ {2}orders +sales .* avro +deadline 2h$/m);
  expect(output).toMatch(
    /^ {2}prod-only .* avro +backoff 1s to 10m, deadline 2h, priority 5, stale publish, settleAfter never$/m,
  );
  expect(output).toContain("built-in ones: attempts 8, backoff 5s to 10m, deadline 6h, priority 1000");
  const json = await runCommand(["check", path, "--json"]);
  expect(JSON.parse(json.output)).toMatchObject({
    ok: true,
    publications: [
      { settings: { attempts: 8, deadlineMs: 7_200_000, settleAfterMs: 120_000, stale: "supersede" } },
      { settings: { backoff: { floorMs: 1_000, capMs: 600_000 }, settleAfterMs: 5_000 } },
      { settings: { priority: 5, settleAfterMs: "never", stale: "publish" } },
    ],
  });
});

test("a publication of a rule that is switched off is marked", async () => {
  const path = await fileOf(GOOD.replace("when: { flow: 11", "enabled: false\n    when: { flow: 11"));
  const { output } = await runCommand(["check", path]);
  expect(output).toMatch(/^ {2}orders +sales +public/m);
  expect(output).toMatch(/^ {2}prod-only \(off\) +finance +prod\.all_jobs/m);
  const json = await runCommand(["check", path, "--json"]);
  expect(JSON.parse(json.output)).toMatchObject({
    publications: [{ enabled: true }, { enabled: true }, { rule: "prod-only", enabled: false }],
  });
});

test("every error is told with file, line and column, and ends with 1", async () => {
  const path = await fileOf(
    GOOD.replace("settleAfter:", "settelAfter:").replace("target: sales", "target: sale"),
  );
  const { code, output } = await runCommand(["check", path]);
  expect(code).toBe(1);
  expect(output).toMatch(
    /rules\.yaml:11:\d+: error: .*unknown key "settelAfter".*Did you mean "settleAfter"\?/,
  );
  expect(output).toMatch(/rules\.yaml:10:\d+: error: .*there is no target "sale". Did you mean "sales"\?/);
  expect(output).toContain("2 errors");

  const json = await runCommand(["check", path, "--json"]);
  expect(json.code).toBe(1);
  expect(JSON.parse(json.output)).toMatchObject({
    file: path,
    ok: false,
    version: null,
    errors: [
      {
        value: "sale",
        line: 10,
        column: 19,
        path: "rules[0].publish[0].target",
        message: 'there is no target "sale". Did you mean "sales"?',
        suggestion: "sales",
        excerpt: expect.stringMatching(/^ {2}10 \| .*\n {5}\| {19}\^{4}$/),
      },
      { line: 11, suggestion: "settleAfter" },
    ],
    publications: [],
  });
});

test("without an argument RULES_FILE is read; a file that is not there, or a wrong setting, ends with 2", async () => {
  const path = await fileOf(GOOD);
  const { code, output } = await runCommand(["check", "--json"], { RULES_FILE: path });
  expect(code).toBe(0);
  expect(JSON.parse(output)).toMatchObject({
    errors: [],
    warnings: [{ line: 5, column: 3 }, { line: 11 }],
    targets: [{ name: "sales" }, { name: "finance" }, { name: "spare" }],
    publications: [
      { action: "load", repeatable: false },
      { action: "truncateAndLoad", repeatable: true },
      { action: "createAndLoad", repeatable: false },
    ],
  });
  expect(JSON.parse(output)).not.toHaveProperty("live");
  const absent = await runCommand(["check", `${path}.no`]);
  expect(absent).toMatchObject({ code: 2, output: expect.stringContaining("write one: publish-relay init") });
  const missing = await runCommand(["check", join(path, "no.yaml")]);
  expect(missing).toMatchObject({ code: 2, output: expect.stringContaining("cannot be read") });
  const asJson = await runCommand(["check", join(path, "no.yaml"), "--json"]);
  expect(asJson.code).toBe(2);
  expect(JSON.parse(asJson.output)).toEqual({
    ok: false,
    file: join(path, "no.yaml"),
    errors: [{ message: expect.stringContaining("cannot be read") }],
  });
  const noPlatform = await runCommand(["check", path, "--live"]);
  expect(noPlatform).toMatchObject({
    code: 2,
    output: expect.stringContaining("DESIGNER_CLOUD_URL is not set"),
  });
});

test("--live asks of token and connections, and tells what the last job groups would have matched; it changes nothing", async () => {
  const { simulator, env } = await openTenant();
  const ledger = simulator.createJobGroup({ recipeId: 30, webhook: false });
  simulator.createJobGroup({ recipeId: 27, status: "Failed", webhook: false });
  const path = await fileOf(GOOD);
  const { code, output } = await runCommand(["check", path, "--live", "--json"], env);
  expect(code).toBe(0);
  const { live } = JSON.parse(output) as { live: { findings: object[]; recent: object[] } };
  expect(live.findings).toMatchObject([
    { check: "address", verdict: "good" },
    { check: "token", verdict: "good" },
    ...["sales", "finance", "spare"].flatMap((target, index) => [
      { check: "exists", verdict: "good", targets: [target], connection: index + 2 },
      { check: "redshift", verdict: "good" },
      { check: "answers", verdict: "good" },
      { check: "may write", verdict: "not tested" },
    ]),
  ]);
  expect(live.recent).toMatchObject([
    { jobGroupId: ledger, recipe: { id: 30 }, rules: [], withLabels: [], publications: [] },
    {
      jobGroupId: 2,
      rules: ["orders"],
      withLabels: ["prod-only"],
      publications: [
        { target: "sales", action: "load", table: expect.stringMatching(/^public\.orders_\d{8}$/) },
        { target: "finance", table: "reports.orders", action: "truncateAndLoad" },
      ],
    },
  ]);
  expect(simulator.requests().every(({ method }) => method === "GET")).toBe(true);

  const { output: text } = await runCommand(["check", path, "--live"], env);
  expect(text).toMatch(
    /^ {2}2 +27 "orders" +orders, prod-only \(if its labels come\) +sales public\.orders_\d/m,
  );
});

test("--live tells of rules that would match if they were not switched off, also by name", async () => {
  const { env } = await openTenant();
  const path = await fileOf(`version: 1
targets:
  sales: { connection: 2, schema: public }
rules:
  - name: by-id
    enabled: false
    when: { recipe: 27 }
    publish: [{ target: sales, table: orders, action: load }]
  - name: by-flow
    enabled: false
    when: { flow: "No such*" }
    publish: [{ target: sales, table: orders, action: load }]
  - name: by-name
    enabled: false
    when: { recipe: "ord*" }
    publish: [{ target: sales, table: orders, action: load }]
`);
  const { output } = await runCommand(["check", path, "--live"], env);
  expect(output).toMatch(/^ {2}2 +27 "orders" +by-id \(off\), by-name \(off\)$/m);
  const { output: json } = await runCommand(["check", path, "--live", "--json"], env);
  expect(JSON.parse(json)).toMatchObject({
    live: { recent: [{ rules: [], switchedOff: ["by-id", "by-name"], publications: [] }] },
  });
});

test("--live: connections that are not there, of another kind or out of reach are wrong, and end with 1", async () => {
  const { env } = await openTenant({
    settings: { connections: [{ id: 2, name: "redshift-sales", reachable: false }] },
  });
  const path = await fileOf(
    GOOD.replace("connection: 3", "connection: 77").replace("connection: 4", "connection: 1"),
  );
  const { code, output } = await runCommand(["check", path, "--live"], env);
  expect(code).toBe(1);
  expect(output).toMatch(/WRONG +answers +sales +the platform does not reach connection 2/);
  expect(output).toMatch(/WRONG +exists +finance +the platform knows no connection 77/);
  expect(output).toMatch(/WRONG +redshift +spare +connection 1 is of kind "s3", not Redshift/);
});

test("--live: a token that is refused is told once, and the connections are not tested", async () => {
  const { simulator, env } = await openTenant();
  const path = await fileOf(GOOD);
  const { code, output } = await runCommand(["check", path, "--live"], {
    ...env,
    DESIGNER_CLOUD_TOKEN: "another-token",
  });
  expect(code).toBe(1);
  expect(output).toMatch(/the platform refuses the token\. .*; put a good one into DESIGNER_CLOUD_TOKEN[ :]/);
  expect(output.match(/DESIGNER_CLOUD_TOKEN/g)).toHaveLength(1);
  expect(output).not.toContain("another-token");
  expect(output).toMatch(/not tested +exists +sales/);
  expect(simulator.requests()).toHaveLength(1);
});

const HTML = "<!doctype html><title>Shop</title>";

test.each([
  ["a bare 404", httpAnswer(404, "Not found", STRANGER)],
  ["a page for everything", httpAnswer(200, HTML, STRANGER)],
  ["a redirect to a login", httpAnswer(302, "", { ...STRANGER, location: "https://login.example.com/?a=b" })],
  ["JSON of another API", httpAnswer(200, { hello: 1 }, STRANGER)],
  ["a firewall's 403", httpAnswer(403, HTML, STRANGER)],
  ["bytes that are no HTTP", "SSH-2.0-OpenSSH_9.6\r\n"],
])(
  "--live: an address that is not Designer Cloud's is told once, and the rest is not tested: %s",
  async (_, answer) => {
    const server = await startWireServer((socket) => void socket.end(answer));
    const path = await fileOf(GOOD);
    const env = { DESIGNER_CLOUD_URL: server.url, DESIGNER_CLOUD_TOKEN: "a-token" };
    const { code, output } = await runCommand(["check", path, "--live", "--json"], env);
    expect(code).toBe(1);
    const { live } = JSON.parse(output) as { live: { findings: { verdict: string }[] } };
    expect(live).toMatchObject({
      findings: [
        {
          check: "address",
          verdict: "wrong",
          words: expect.stringMatching(/^this does not look like Designer Cloud: correct DESIGNER_CLOUD_URL/),
        },
        { check: "token", verdict: "not tested" },
        { check: "exists" },
        { check: "exists" },
        { check: "exists" },
      ],
      recentWords: "see the address",
    });
    expect(live.findings.slice(1).every(({ verdict }) => verdict === "not tested")).toBe(true);
    expect(output).not.toContain("Designer Cloud answered");
    expect(server.requests).toHaveLength(1);
    const listed = await runCommand(["connections"], env);
    expect(listed).toMatchObject({
      code: 1,
      output: expect.stringContaining("this does not look like Designer Cloud"),
    });
  },
);

test("--live: nobody there, no such host, no TLS and a path are told apart", async () => {
  const { env, simulator } = await openTenant();
  const path = await fileOf(GOOD);
  const told = async (url: string) => {
    const { output } = await runCommand(["check", path, "--live"], { ...env, DESIGNER_CLOUD_URL: url });
    return / {2}(\S+) +address +(.*)/.exec(output)?.slice(1).join(" ");
  };
  expect(await told(`http://127.0.0.1:${await closedPort()}`)).toMatch(/^WRONG nobody listens there/);
  expect(await told("http://platform.invalid")).toMatch(/^WRONG there is no such host/);
  expect(await told(simulator.url.replace("http:", "https:"))).toMatch(/^WRONG no secure connection/);
  expect(await told(`${simulator.url}/flows/11`)).toMatch(
    /^WRONG the path of DESIGNER_CLOUD_URL.*\/flows\/11\/v4/,
  );
  expect(await told(`${simulator.url}/v4/`)).toBe("good Designer Cloud answers");
});

test("--live: a proxy's 502 is a platform that is away, and no wrong address or token", async () => {
  const { env, simulator } = await openTenant();
  const path = await fileOf(GOOD);
  simulator.addFault({ kind: "status", status: 502, on: "any" });
  const { code, output } = await runCommand(["check", path, "--live"], env);
  expect(code).toBe(1);
  expect(output).toMatch(/WRONG +address +the platform is away: try again later/);
  expect(output).toMatch(/not tested +token/);
  expect(output).not.toContain("does not look like");
});

test("--live: a 401 without the platform's marks leaves it open whose it is", async () => {
  const server = await startWireServer((socket) => void socket.end(httpAnswer(401, "no", STRANGER)));
  const env = { DESIGNER_CLOUD_URL: server.url, DESIGNER_CLOUD_TOKEN: "a-token" };
  const { output } = await runCommand(["check", await fileOf(GOOD), "--live"], env);
  expect(output).toMatch(/not tested +address/);
  expect(output).toMatch(/WRONG +token .*Is DESIGNER_CLOUD_URL right\?/);
});
