import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { beforeAll, expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { keysOf } from "../src/queues/names.ts";
import { createRelay } from "../src/relay.ts";
import { eventually } from "./support/eventually.ts";
import { openSite, type Site, statesOf } from "./support/relay.ts";
import { openRedis, redisUrl } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";

const TAKEN_OVER = { timeoutMs: 2_500, what: "the new rules" };

type TargetRules = Readonly<Record<string, object>>;

/** All job groups go to each of the targets. */
const rulesFor = (targets: TargetRules): object => ({
  version: 1,
  targets: Object.fromEntries(
    Object.entries(targets).map(([name, more], i) => [
      name,
      { connection: 2 + i, schema: "public", ...more },
    ]),
  ),
  rules: [
    {
      name: "all",
      when: "all",
      publish: Object.keys(targets).map((target) => ({ target, table: "orders", action: "load" })),
    },
  ],
});

let path: string;
let site: Site;
let url: string;
let lines: string[];

const write = (rules: object): Promise<void> => replace(JSON.stringify(rules));

/** As an editor does it. */
async function replace(text: string): Promise<void> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

const newJobGroup = (): number => site.simulator.createJobGroup({ recipeId: 27, webhook: false });

async function report(): Promise<number> {
  const id = newJobGroup();
  const answer = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer token" },
    body: JSON.stringify({ jobGroupId: id, status: "Complete" }),
  });
  expect(answer.status).toBe(202);
  return id;
}

interface Ready {
  readonly status: string;
  readonly checks: readonly { readonly name: string; readonly detail?: string }[];
}

async function readyz(): Promise<{ status: string; rules: string }> {
  const { status, checks } = (await (await fetch(`${url}/readyz`)).json()) as Ready;
  return { status, rules: checks.find(({ name }) => name === "rules")?.detail ?? "" };
}

const metrics = async (): Promise<string> => (await fetch(`${url}/metrics`)).text();

/** A relay whose rules file is not there yet. */
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-reload-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  path = join(folder, "rules.yaml");
  site = await openSite({
    rules: rulesFor({ sales: {} }),
    simulator: { settings: { sameTarget: "append", concurrent: "append" } },
  });
  lines = [];
  const config = readConfig({
    DESIGNER_CLOUD_URL: site.simulator.url,
    DESIGNER_CLOUD_TOKEN: "simulator-token",
    REDIS_URL: redisUrl(),
    NAMESPACE: site.namespace,
    RULES_FILE: path,
    PORT: "0",
    API_TOKENS: "token",
    POLL_INTERVAL: "off",
  });
  const log = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
  const relay = createRelay({ ...config, rulesFileNamed: false }, log);
  releaseLater(() => relay.stop());
  url = `http://127.0.0.1:${(await relay.start()).port}`;
});

test("completions wait while there is no rules file, and go on when it comes", async () => {
  const id = await report();
  expect(await readyz()).toMatchObject({ status: "not ready", rules: expect.stringContaining("RULES_FILE") });
  await write(rulesFor({ sales: {} }));
  await eventually(async () => (await readyz()).status === "ready", TAKEN_OVER);
  expect(statesOf(await site.ended(id))).toEqual(["sales published"]);
});

test("a target that is new in the rules gets published to, without a restart", async () => {
  await write(rulesFor({ sales: {}, finance: { description: "the new one" } }));
  const finance = await eventually(async () => {
    const { queues } = (await (await fetch(`${url}/board/api/queues`)).json()) as {
      queues: { name: string; description: string }[];
    };
    return queues.find(({ name }) => name === "publish.finance");
  }, TAKEN_OVER);
  expect(finance.description).toContain("the new one");
  const id = await report();
  expect(statesOf(await site.ended(id, 2))).toEqual(["finance published", "sales published"]);
});

test("a file with a mistake is refused with line and column, and the last good one stays", async () => {
  const before = await readyz();
  await replace("version: 1\ntargets:\n  sales: { connection: two, schema: public }\n");
  const line = await eventually(() => lines.find((one) => one.includes("was refused")), TAKEN_OVER);
  expect(JSON.parse(line)).toMatchObject({
    level: 50,
    msg: expect.stringMatching(/^rules\.yaml:3:24: error: .*\n {2}3 \|.*\n.*\^/m),
  });
  const after = await readyz();
  expect(after.status).toBe("ready");
  expect(after.rules).toContain(before.rules);
  expect(after.rules).toMatch(/REFUSED.*rules\.yaml:3:24 /);
  expect(await metrics()).toMatch(/^publish_relay_rules_refused 1$/m);
  const id = await report();
  expect(statesOf(await site.ended(id, 2))).toEqual(["finance published", "sales published"]);

  await write(rulesFor({ sales: {}, finance: { description: "the new one" } }));
  await eventually(async () => (await metrics()).includes("publish_relay_rules_refused 0"), TAKEN_OVER);
  expect(await readyz()).toEqual(before);
});

test("a higher concurrency holds at once, for tasks that wait already", async () => {
  await write(rulesFor({ sales: { concurrency: 1 } }));
  const queue = site.queue("publish.sales");
  await eventually(async () => (await queue.getGlobalConcurrency()) === 1, TAKEN_OVER);
  site.simulator.set({ publishMs: 20_000 });
  const ids = [await report(), await report(), await report()];
  const running = () => ids.filter((id) => site.puts(id).length > 0).length;
  await eventually(
    async () =>
      running() === 1 && (await queue.getWaitingCount()) + (await queue.getPrioritizedCount()) === 2,
    { what: "two tasks that wait for the one that runs" },
  );
  await write(rulesFor({ sales: { concurrency: 3 } }));
  await eventually(() => running() === 3, { timeoutMs: 3_500, what: "three publishes at once" });
  site.simulator.set({ publishMs: 10 });
});

test("a new pace holds for tasks that wait for the old one", async () => {
  await write(rulesFor({ slow: { rateLimit: { max: 1, per: "1h" } } }));
  await eventually(async () => site.queue("publish.slow").getGlobalConcurrency(), TAKEN_OVER);
  const first = await report();
  await site.ended(first);
  const second = await report();
  await site.dispatched(second);
  await write(rulesFor({ slow: { rateLimit: { max: 100, per: "1s" } } }));
  expect(statesOf(await site.ended(second, 1, 5_000))).toEqual(["slow published"]);
});

test("a process that starts with an older file is shown, follows the newer limits, and changes none", async () => {
  await write(rulesFor({ sales: { concurrency: 7 } }));
  const queue = site.queue("publish.sales");
  await eventually(async () => (await queue.getGlobalConcurrency()) === 7, TAKEN_OVER);
  expect(await metrics()).toMatch(/^publish_relay_rules_versions 1$/m);
  // It has the file with which this relay began.
  const other = await site.start();
  await eventually(async () => (await metrics()).includes("publish_relay_rules_versions 2"), TAKEN_OVER);
  expect(await readyz()).toMatchObject({
    status: "ready",
    rules: expect.stringMatching(
      /^rules version (\w+) · THE FLEET RUNS 2 VERSIONS: .*; the limits are those of \1$/,
    ),
  });
  expect(await queue.getGlobalConcurrency()).toBe(7);
  await other.stop();
  await eventually(async () => (await metrics()).includes("publish_relay_rules_versions 1"), TAKEN_OVER);
});

test("limits of rules that nobody runs are shown, and end with the next change of the file", async () => {
  const redis = openRedis();
  const keys = keysOf(site.namespace);
  // As it is when the process with the newer file has just died.
  await redis.zadd(keys.rulesSeen, 1_000, "gone");
  await redis.hset(keys.rules, "newest", "gone", "aliveAt", Date.now() + 5_000);
  const whose = "limits are those of gone, which nobody runs";
  await eventually(async () => (await readyz()).rules.endsWith(whose), TAKEN_OVER);
  expect(await (await fetch(`${url}/`)).text()).toContain(whose);
  await write(rulesFor({ sales: { concurrency: 8 } }));
  await eventually(async () => /^rules version \w+$/.test((await readyz()).rules), TAKEN_OVER);
  expect(await site.queue("publish.sales").getGlobalConcurrency()).toBe(8);
});
