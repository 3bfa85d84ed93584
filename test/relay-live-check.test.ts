import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { expect, test } from "vitest";
import { type Config, readConfig } from "../src/config.ts";
import { createRelay } from "../src/relay.ts";
import { keysOf } from "../src/queues/names.ts";
import { eventually } from "./support/eventually.ts";
import { openRedis } from "./support/redis.ts";
import { openSite, type Site } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";
import { startWireServer } from "./support/wire-server.ts";

const RULES = {
  targets: {
    sales: { connection: 2, schema: "public" },
    gone: { connection: 77, schema: "public" },
    files: { connection: 1, schema: "public" },
  },
  rules: [
    {
      name: "all",
      when: "all",
      publish: ["sales", "gone", "files"].map((target) => ({ target, table: `t_${target}`, action: "load" })),
    },
  ],
};

const WARN = 40;

/** A relay in this process, and the lines of its log that speak of the check. */
async function startWithLog(site: Site, env: Record<string, string> = {}, more: Partial<Config> = {}) {
  const lines: { level: number; msg: string }[] = [];
  const write = (text: string) => void lines.push(JSON.parse(text));
  const config = { ...readConfig({ ...site.env, ...env }), ...more };
  const relay = createRelay(config, pino({ level: "debug" }, { write }));
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= relay.stop());
  releaseLater(stop);
  await relay.start();
  const warned = () =>
    lines.filter(({ level, msg }) => level === WARN && /check/.test(msg)).map(({ msg }) => msg);
  const rulesAre = () => lines.filter(({ msg }) => msg === "new rules are in force");
  return { stop, warned, rulesAre };
}

test("a start warns of connections that cannot be published to, starts all the same and shuts no gate", async () => {
  const site = await openSite({ rules: RULES });
  const { warned } = await startWithLog(site);
  await eventually(() => warned().length === 2);
  expect(warned()).toEqual([
    expect.stringContaining("the platform knows no connection 77"),
    expect.stringContaining('connection 1 is of kind "s3", not Redshift'),
  ]);
  expect(await openRedis().exists(keysOf(site.namespace).gate)).toBe(0);
});

test("a refused token is warned of once, and the check does not shut the gate", async () => {
  const site = await openSite({ rules: RULES });
  const { warned } = await startWithLog(site, { DESIGNER_CLOUD_TOKEN: "another" });
  await eventually(() => warned().length === 1);
  expect(warned()).toEqual([expect.stringContaining("the platform refuses the token")]);
  expect(await openRedis().exists(keysOf(site.namespace).gate)).toBe(0);
  expect(site.simulator.requests()).toHaveLength(1);
});

test("a platform that never answers delays neither the start nor the stop, and a stop says nothing of it", async () => {
  const site = await openSite({ rules: RULES });
  const silent = await startWireServer(() => {});
  const { stop, warned } = await startWithLog(site, { DESIGNER_CLOUD_URL: silent.url });
  await eventually(() => silent.requests.some((request) => request.startsWith("GET /v4/people/current")));
  const begun = performance.now();
  await stop();
  expect(performance.now() - begun).toBeLessThan(5_000);
  expect(warned()).toEqual([]);
});

test.each(["web", "poll"])("a process with the role %s alone asks too", async (ROLES) => {
  const site = await openSite({ rules: RULES });
  const { warned } = await startWithLog(site, { ROLES });
  await eventually(() => warned().length === 2);
  expect(site.simulator.requests({ kind: "person" })).toHaveLength(1);
});

test("a start without a rules file asks once the file has come, and no more when it changes", async () => {
  const site = await openSite({ rules: RULES });
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-live-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "rules.yaml");
  const { warned, rulesAre } = await startWithLog(site, { RULES_FILE: path }, { rulesFileNamed: false });
  expect(site.simulator.requests()).toHaveLength(0);
  await writeFile(path, JSON.stringify({ version: 1, ...RULES }));
  await eventually(() => warned().length === 2);
  await writeFile(path, JSON.stringify({ version: 1, ...RULES, rules: [] }));
  await eventually(() => rulesAre().length === 2, { what: "the changed file" });
  await writeFile(path, JSON.stringify({ version: 1, ...RULES }));
  await eventually(() => rulesAre().length === 3, { what: "the file as it was" });
  expect(site.simulator.requests({ kind: "person" })).toHaveLength(1);
});
