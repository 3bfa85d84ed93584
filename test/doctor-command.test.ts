import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { examine } from "./support/examine.ts";
import { startScript } from "./support/processes.ts";
import { newNamespace, openRedis, startPrivateRedis } from "./support/redis.ts";
import { openSite, type SiteOptions } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";
import { closedPort, httpAnswer, startWireServer, STRANGER } from "./support/wire-server.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);
const RULES = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
};

const openTenant = (more: Partial<SiteOptions> = {}) => openSite({ rules: RULES, ...more });

test("a good world: all that was tested is ok, and what was not is told as such; nothing is changed on the platform", async () => {
  const site = await openTenant({ env: { BOARD_OPERATORS: "ann:a-password" } });
  const relay = await site.start();
  const { verdicts, ok } = await examine(site, { PUBLIC_URL: relay.url });
  expect(verdicts).toEqual({
    "settings set": "ok",
    "redis answers": "ok",
    "redis takes writes": "ok",
    "redis version": "ok",
    "redis eviction": "ok",
    "redis append-only file": "ok",
    "redis memory": "not tested",
    "redis clock": "ok",
    "redis namespace": "ok",
    "platform transport": "ok",
    "platform address": "ok",
    "platform token": "ok",
    "platform may list job groups": "ok",
    "platform may publish": "not tested",
    "platform publish route": "ok",
    "platform clock": "ok",
    "platform sales: exists": "ok",
    "platform sales: redshift": "ok",
    "platform sales: answers": "ok",
    "platform sales: may write": "not tested",
    "rules file": "ok",
    "webhook reached": "ok",
  });
  expect(ok).toBe(true);
  expect(site.simulator.requests().filter(({ method }) => method !== "GET")).toEqual([]);
  expect(await site.queue("completions").getJobCounts()).toMatchObject({ waiting: 0, completed: 0 });

  const command = startScript(MAIN, { args: ["doctor"], env: site.env });
  expect(await command.exited).toMatchObject({ code: 0 });
  expect(command.output()).toMatch(/^ {2}not tested +webhook +reached +PUBLIC_URL is not set/m);
  expect(command.output()).toMatch(/^\d+ ok, 0 warnings, 0 errors, 4 not tested$/m);
  expect(command.output()).not.toContain("\u001b[");
});

test("a token that is refused is an error, and what hangs on it is not tested", async () => {
  const site = await openTenant();
  const found = await examine(site, { DESIGNER_CLOUD_TOKEN: "a-wrong-token" });
  expect(found.of("platform token")).toMatchObject({
    verdict: "error",
    words: expect.stringContaining("401"),
  });
  for (const check of ["may list job groups", "may publish", "publish route", "clock", "connections"])
    expect(found.of(`platform ${check}`).verdict).toBe("not tested");
  expect(found.ok).toBe(false);
  expect(JSON.stringify(found.findings)).not.toContain("a-wrong-token");
  const command = startScript(MAIN, {
    args: ["doctor"],
    env: { ...site.env, DESIGNER_CLOUD_TOKEN: "a-wrong-token" },
  });
  expect(await command.exited).toMatchObject({ code: 1 });
  expect(command.output()).toMatch(/^ {2}ERROR +platform +token/m);
});

test("plain http to another machine is warned of, and https is ok only where the platform answered by it", async () => {
  const site = await openTenant();
  const url = "http://platform.invalid:3005";
  const found = await examine(site, { DESIGNER_CLOUD_URL: url });
  expect(found.of("platform transport")).toMatchObject({
    verdict: "warning",
    words: expect.stringContaining("whoever is on the way reads the token"),
  });
  expect(found.of("platform address")).toMatchObject({
    verdict: "error",
    words: expect.stringContaining("there is no such host"),
  });
  const noToken = await examine(site, { DESIGNER_CLOUD_URL: url, DESIGNER_CLOUD_TOKEN: "" });
  expect(noToken.verdicts).toMatchObject({
    "platform transport": "warning",
    "platform address": "not tested",
    "platform token": "not tested",
    "settings DESIGNER_CLOUD_TOKEN": "warning",
  });
  const tls = site.simulator.url.replace("http:", "https:");
  const { verdicts } = await examine(site, { DESIGNER_CLOUD_URL: tls });
  expect(verdicts).toMatchObject({ "platform transport": "not tested", "platform address": "error" });
});

test("an address that is not Designer Cloud's is one error, and nothing of the platform is ok", async () => {
  const site = await openTenant();
  const server = await startWireServer((socket) => void socket.end(httpAnswer(404, "Not found", STRANGER)));
  const found = await examine(site, { DESIGNER_CLOUD_URL: server.url });
  const ofPlatform = found.findings.filter(({ part }) => part === "platform");
  expect(ofPlatform.map(({ check, verdict }) => `${check}: ${verdict}`)).toEqual([
    "transport: ok",
    "address: error",
    "token: not tested",
    "may list job groups: not tested",
    "may publish: not tested",
    "publish route: not tested",
    "clock: not tested",
    "connections: not tested",
  ]);
  expect(found.of("platform address").words).toContain("correct DESIGNER_CLOUD_URL");
  expect(server.requests).toHaveLength(1);
});

test("a token without rights is told from a wrong one: the address is good, what was refused is not ok", async () => {
  const site = await openTenant();
  site.simulator.addFault({ kind: "status", status: 403, on: "any", times: 20 });
  const { verdicts, of, ok } = await examine(site);
  expect(verdicts).toMatchObject({
    "platform address": "ok",
    "platform token": "warning",
    "platform may list job groups": "warning",
    "platform sales: exists": "error",
  });
  expect(of("platform sales: exists").words).toMatch(/^the token's user may not see connection 2: share it/);
  expect(ok).toBe(false);
});

test("the file with the token: absent, empty, with blanks, a folder, and open to all are each told with what to do", async () => {
  const site = await openTenant();
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-doctor-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "token");
  const examineFile = (file = path) =>
    examine(site, { DESIGNER_CLOUD_TOKEN: "", DESIGNER_CLOUD_TOKEN_FILE: file });
  for (const [text, words] of [
    [undefined, "is not there"],
    ["\n", "is empty"],
    ["two words", "more than a token"],
  ] as const) {
    if (text !== undefined) await writeFile(path, text);
    const found = await examineFile();
    expect(found.of("settings DESIGNER_CLOUD_TOKEN_FILE")).toMatchObject({
      verdict: "error",
      words: expect.stringContaining(words),
      advice: expect.any(String),
    });
    expect(found.verdicts).toMatchObject({ "platform token": "error", "platform address": "not tested" });
  }
  expect((await examineFile(folder)).of("settings DESIGNER_CLOUD_TOKEN_FILE").words).toContain(
    "cannot be read",
  );
  await writeFile(path, "simulator-token\n");
  for (const [mode, verdict] of [
    [0o644, "warning"],
    [0o600, "ok"],
  ] as const) {
    await chmod(path, mode);
    const { verdicts } = await examineFile();
    expect(verdicts).toMatchObject({
      "settings DESIGNER_CLOUD_TOKEN_FILE": verdict,
      "platform token": "ok",
    });
  }
});

test("every warning and every error says what to do", async () => {
  const site = await openTenant({
    rules: { ...RULES, rules: [] },
    env: { API_TOKENS: "", WEBHOOK_SECRETS: "" },
  });
  const { findings, of } = await examine(site, { REDIS_URL: `redis://127.0.0.1:${await closedPort()}` });
  const bad = findings.filter(({ verdict }) => verdict === "warning" || verdict === "error");
  expect(bad.map(({ check }) => check)).toEqual(["WEBHOOK_SECRETS", "API_TOKENS", "answers", "published"]);
  expect(bad.filter(({ advice }) => advice === undefined)).toEqual([]);
  expect(of("rules published").words).toContain("nothing is published");
});

test("a Redis that evicts, keeps no file and is full is told point by point", async () => {
  const redis = await startPrivateRedis();
  const site = await openTenant({ redisUrl: redis.url });
  const client = openRedis(redis.url);
  await client.config("SET", "maxmemory-policy", "allkeys-lru");
  await client.config("SET", "appendonly", "no");
  const used = Number(/^used_memory:(\d+)/m.exec(await client.info("memory"))?.[1]);
  await client.config("SET", "maxmemory", String(Math.ceil(used * 1.15)));
  const found = await examine(site);
  expect(found.of("redis eviction")).toMatchObject({
    verdict: "error",
    words: expect.stringContaining("maxmemory-policy is allkeys-lru"),
    advice: "Set maxmemory-policy noeviction.",
  });
  expect(found.of("redis append-only file").verdict).toBe("warning");
  expect(["warning", "error"]).toContain(found.of("redis memory").verdict);
  expect(found.ok).toBe(false);
  await client.config("SET", "maxmemory", "0");
});

test("a Redis that is away: an error, and nothing of it is tested", async () => {
  const site = await openTenant();
  const found = await examine(site, { REDIS_URL: `redis://:a-secret@127.0.0.1:${await closedPort()}` });
  expect(found.of("redis answers")).toMatchObject({ verdict: "error" });
  const rest = found.findings.filter(({ part, check }) => part === "redis" && check !== "answers");
  expect(new Set(rest.map(({ verdict }) => verdict))).toEqual(new Set(["not tested"]));
  expect(rest).toHaveLength(7);
  expect(JSON.stringify(found.findings)).not.toContain("a-secret");
});

test("a clock that is off is told, against Redis and against the platform", async () => {
  const site = await openTenant();
  const ahead = (ms: number) => () => Date.now() + ms;
  const tenMinutes = await examine(site, {}, ahead(600_000));
  expect(tenMinutes.of("redis clock")).toMatchObject({
    verdict: "error",
    words: expect.stringMatching(/behind ours by (600|599)\.\d s/),
  });
  expect(tenMinutes.of("platform clock").verdict).toBe("error");
  const { verdicts } = await examine(site, {}, ahead(-5_000));
  expect(verdicts["redis clock"]).toBe("warning");
  expect(verdicts["platform clock"]).toBe("ok");
});

test("a tenant whose API document does not name the publish route: not tested, for nothing harmless tells it", async () => {
  const site = await openTenant({ simulator: { settings: { publishRoute: false } } });
  const { of } = await examine(site);
  expect(of("platform publish route")).toMatchObject({
    verdict: "not tested",
    words: expect.stringContaining("nothing was sent to it"),
  });
  site.simulator.addFault({ kind: "status", status: 403, on: "spec" });
  expect((await examine(site)).of("platform publish route").verdict).toBe("not tested");
});

test("rules: a mistake is an error with its line, no file a warning or, when it is named, an error", async () => {
  const site = await openTenant({
    rules: {
      ...RULES,
      targets: { sales: { connection: 99, schema: "public" }, spare: { connection: 1, schema: "x" } },
    },
  });
  const found = await examine(site);
  expect(found.of("platform sales: exists").verdict).toBe("error");
  expect(found.of("platform spare: redshift").verdict).toBe("error");
  expect(found.findings.filter(({ part }) => part === "rules").map(({ verdict }) => verdict)).toEqual([
    "ok",
    "warning",
  ]);
  const bad = await openTenant({ rules: { targets: {}, rules: [{}] } });
  const errors = (await examine(bad)).findings.filter(({ part }) => part === "rules");
  expect(errors[0]).toMatchObject({
    verdict: "error",
    words: expect.stringMatching(/rules\.yaml:\d+:\d+: /),
  });
  const named = await examine(site, { RULES_FILE: "/nowhere/rules.yaml" });
  expect(named.of("rules file")).toMatchObject({ verdict: "error", advice: "Write one: publish-relay init" });
  expect(named.of("platform connections").verdict).toBe("not tested");
  expect((await examine({ env: { ...site.env, RULES_FILE: "" } })).of("rules file").verdict).toBe("warning");
});

test("the webhook: another secret, no relay behind the address, nobody there, and what is not sent in the open", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const reached = async (more: Record<string, string>) => (await examine(site, more)).of("webhook reached");
  expect(await reached({ PUBLIC_URL: relay.url, WEBHOOK_SECRETS: "another-secret" })).toMatchObject({
    verdict: "error",
    words: expect.stringContaining("refuses the signature"),
  });
  expect(await reached({ PUBLIC_URL: site.simulator.url })).toMatchObject({
    verdict: "error",
    words: expect.stringContaining("as no relay does"),
  });
  expect((await reached({ PUBLIC_URL: `http://127.0.0.1:${await closedPort()}` })).verdict).toBe("error");
  for (const more of [
    { WEBHOOK_SECRETS: "" },
    { PUBLIC_URL: "http://relay.invalid", WEBHOOK_AUTH: "header" },
  ])
    expect((await reached({ PUBLIC_URL: relay.url, ...more })).verdict).toBe("not tested");
});

test("a relay that cannot take webhooks for now is not taken for a stranger", async () => {
  const site = await openTenant();
  const problem = httpAnswer(
    503,
    { title: "Service unavailable", detail: "Redis does not answer" },
    { "content-type": "application/problem+json" },
  );
  const server = await startWireServer((socket) => void socket.end(problem));
  expect((await examine(site, { PUBLIC_URL: server.url })).of("webhook reached")).toMatchObject({
    verdict: "warning",
    words: expect.stringMatching(/is a relay's, and it answers 503: /),
    advice: expect.any(String),
  });
});

test("a namespace that nobody uses beside one that is used is pointed out", async () => {
  const redis = await startPrivateRedis();
  const site = await openTenant({ redisUrl: redis.url });
  await site.start();
  const found = await examine(site, { NAMESPACE: newNamespace() });
  expect(found.of("redis namespace")).toMatchObject({
    verdict: "warning",
    words: expect.stringContaining(`also on this Redis: ${site.namespace}`),
  });
  expect((await examine(site)).of("redis namespace").words).toContain("1 process lives");
});
