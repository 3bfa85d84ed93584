import { expect, test } from "vitest";
import { executionIdOf } from "../src/producers/execution-id.ts";
import { keysOf } from "../src/queues/names.ts";
import { runCommand } from "./support/command-line.ts";
import { eventually } from "./support/eventually.ts";
import { startScript } from "./support/processes.ts";
import { startRedisProxy } from "./support/redis-proxy.ts";
import { openRedis } from "./support/redis.ts";
import { nextRequest, openSite, type Site } from "./support/relay.ts";
import { type Answer, openTenant, post, RULES, run, started } from "./support/runs.ts";

test("the command waits until all is published, and says so; what is not published, or not started, ends with 1", async () => {
  const site = await openTenant();
  await site.start();
  const heard: string[] = [];
  const said = await run(site, { wait: true, json: true, key: "k" }, (words) => heard.push(words));
  const [id] = await started(site);
  // The shape of POST /v1/runs, and how it ended.
  expect(JSON.parse(said.text)).toEqual({
    jobGroupId: id,
    repeated: false,
    idempotencyKey: "k",
    detail: `Job group ${id} is started.`,
    ended: { outcome: "dispatched", summary: "published 1 of 1", words: expect.any(String), good: true },
  });
  expect(said.ok).toBe(true);
  expect(heard.join("\n")).not.toContain("No process of the relay lives");
  const again = await run(site, { key: "k", wait: true });
  expect(again.text).toMatch(/^REPEATED: Job group \d+ was started already.*\nPUBLISHED: published 1 of 1$/);
  expect(await started(site)).toHaveLength(1);

  const refused = await run(site, { recipeId: 99 });
  expect(refused).toMatchObject({ ok: false, text: expect.stringMatching(/^NOT STARTED: .*404/) });
});

test("what does not run is told by the command as the problem that the route answers", async () => {
  const site = await openTenant();
  const relay = await site.start();
  const said = await run(site, { recipeId: 99, key: "k", json: true, wait: true });
  const { requestId: _, ...problem } = (await post(relay, { recipeId: 99 }, "k")).body as Answer & {
    requestId: string;
  };
  expect(JSON.parse(said.text)).toEqual({ ...problem, detail: expect.stringContaining("404"), ended: null });
  expect(problem).toMatchObject({ status: 404, title: "Not Found", idempotencyKey: "k", mayRun: false });
});

test("a wait is not ended by a platform that is away meanwhile", async () => {
  const site = await openTenant({ runMs: 1_500 });
  await site.start();
  const heard: string[] = [];
  const said = run(site, { wait: true }, (words) => heard.push(words));
  await eventually(() => heard.some((words) => words.includes("InProgress")));
  const away = site.simulator.addFault({ kind: "status", status: 502, on: "any" });
  await eventually(() => heard.some((words) => words.includes("502")));
  site.simulator.clearFaults(away);
  expect(await said).toMatchObject({ ok: true });
}, 40_000);

test("a wait that is over before the job says what goes on and how to look, in JSON by ended: null", async () => {
  const site = await openTenant({ runMs: 60_000 });
  await site.start();
  const timed = await run(site, { wait: true, timeoutMs: 1_000, key: "k" });
  const [id] = await started(site);
  expect(timed).toMatchObject({ ok: false, cut: "timed out" });
  expect(timed.text).toContain(
    `GOES ON: not ended within 1s; the job goes on, and is published by the rules. How it stands: publish-relay status ${id}`,
  );
  const json = await run(site, { wait: true, timeoutMs: 1_000, key: "k", json: true });
  expect(JSON.parse(json.text)).toMatchObject({ jobGroupId: id, repeated: true, ended: null });
});

const MAIN = new URL("../src/main.ts", import.meta.url);

test("Ctrl-C while it waits says what goes on and how to look, and ends with 130", async () => {
  const site = await openTenant({ runMs: 60_000 });
  const command = startScript(MAIN, { args: ["run", "27", "--wait"], env: site.env });
  await command.line(/is InProgress on the platform/);
  command.signal("SIGINT");
  const [, id] = await command.line(/GOES ON: you stopped waiting; .*publish-relay status (\d+)$/);
  expect(await command.exited).toMatchObject({ code: 130 });
  expect(await started(site)).toEqual([Number(id)]);
});

test("Ctrl-C before the platform has answered names the key to ask again with", async () => {
  const site = await openTenant();
  site.simulator.addFault({ kind: "slow", on: "run", ms: 60_000 });
  const stopped = new AbortController();
  const sent = nextRequest(site.simulator, ({ kind }) => kind === "run");
  const said = run(site, { wait: true }, () => {}, stopped.signal);
  await sent;
  stopped.abort();
  expect(await said).toMatchObject({
    ok: false,
    cut: "interrupted",
    text: expect.stringMatching(/^NOT KNOWN: .*It may have been started: say --key \S+ when you ask again/),
  });
});

/** As after the minute that a call may take. */
const forgetTurn = (site: Site, key: string) =>
  openRedis().del(keysOf(site.namespace).runTurn(executionIdOf(site.namespace, key)));

test("when Redis goes away after the request was sent, the key is told all the same, and asking again runs nothing twice", async () => {
  const goesAway = async (json: boolean, told: (key: string) => unknown): Promise<void> => {
    const site = await openTenant();
    const proxy = await startRedisProxy();
    const behind = { ...site, env: { ...site.env, REDIS_URL: proxy.url } };
    void nextRequest(site.simulator, ({ kind }) => kind === "run").then(() => proxy.freeze(() => true));
    const heard: string[] = [];
    const { ok, text } = await run(behind, { json, wait: true }, (words) => heard.push(words));
    const [, key = ""] = /^key (\S+): say --key \1 if you have to ask again$/.exec(heard[0] ?? "") ?? [];
    expect(ok).toBe(false);
    expect(json ? (JSON.parse(text) as unknown) : text).toEqual(told(key));
    await forgetTurn(site, key);
    expect(await run(site, { key })).toMatchObject({ ok: true });
    expect(await started(site)).toHaveLength(1);
  };
  await Promise.all([
    goesAway(
      false,
      (key) =>
        `NOT KNOWN: The relay's Redis does not answer. It may have been started: say --key ${key} when you ask again, then it runs once`,
    ),
    goesAway(true, (key) => ({
      type: "about:blank",
      title: "Service Unavailable",
      status: 503,
      detail:
        "The relay's Redis does not answer. It may have been started: ask again with the same idempotencyKey, it runs once.",
      idempotencyKey: key,
      mayRun: true,
      ended: null,
    })),
  ]);
}, 20_000);

test("a key that was made is told before anything is sent, one that was given is not told again", async () => {
  const site = await openTenant();
  site.simulator.addFault({ kind: "slow", on: "run", ms: 60_000 });
  const command = startScript(MAIN, { args: ["run", "27"], env: site.env });
  const sent = nextRequest(site.simulator, ({ kind }) => kind === "run");
  await sent;
  await command.kill();
  const [, key = ""] = /^key (\S+): say --key/.exec(command.output()) ?? [];
  site.simulator.clearFaults();
  await forgetTurn(site, key);
  const heard: string[] = [];
  await run(site, { key }, (words) => heard.push(words));
  expect(heard).toEqual([]);
  expect(await started(site)).toHaveLength(1);
});

test.each([
  ["= in a value", ["--param", "filter=a=b"], { filter: "a=b" }],
  ["an empty value", ["--param", "country="], { country: "" }],
  ["several, spaces kept", ["--param", "a= 1 ", "--param", "b=two words"], { a: " 1 ", b: "two words" }],
])("a parameter is taken as it is given: %s", async (_, args, parameters) => {
  const { code, output } = await runCommand(["run", "27", ...args]);
  expect([code, JSON.parse(output.replace(/^run /, ""))]).toMatchObject([0, { parameters }]);
});

test.each([
  ["the same name twice", ["--param", "a=1", "--param", "a=2"], "a is given twice"],
  ["no value", ["--param", "a"], "It must be like country=Germany"],
  ["no name", ["--param", "=a"], "It must be like country=Germany"],
  ["a value that is too long", ["--param", `a=${"x".repeat(1_001)}`], "error: --param"],
  ["a time without a wait", ["--timeout", "10m"], "--timeout goes with --wait"],
  ["no time", ["--wait", "--timeout", "soon"], "like 90s or 10m"],
])("wrong use of run ends with 2 and says what: %s", async (_, args, words) => {
  const { code, output } = await runCommand(["run", "27", ...args]);
  expect(output).toContain(words);
  expect(code).toBe(2);
});

test("one that no rule matches ends with 1, and that no process lives is told", async () => {
  const site = await openSite({
    rules: { targets: RULES.targets, rules: [] },
    simulator: { settings: { runMs: 0 } },
  });
  const heard: string[] = [];
  const said = run(site, { wait: true }, (words) => heard.push(words));
  await eventually(() => heard.some((words) => words.includes("No process of the relay lives")));
  await site.start();
  expect(await said).toMatchObject({
    ok: false,
    text: expect.stringMatching(/^RUNNING: .*\nNOT PUBLISHED: No rule matches/),
  });
});
