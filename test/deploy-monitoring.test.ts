import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { findPromtool } from "./support/promtool.ts";
import { openSite } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PROMETHEUS = join(ROOT, "deploy/prometheus");
const promtool = findPromtool();
if (promtool === undefined) {
  console.log("promtool is skipped: it is neither on PATH nor to be had with apt-get");
}

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

const read = (file: string): Promise<string> => readFile(join(ROOT, file), "utf8");

async function alerts(): Promise<readonly Alert[]> {
  const { groups } = parse(await read("deploy/prometheus/alerts.yml")) as { groups: { rules: Alert[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

async function panels(): Promise<readonly Panel[]> {
  const dashboard = JSON.parse(await read("deploy/grafana/dashboard.json")) as { panels: Panel[] };
  return dashboard.panels.filter(({ type }) => type !== "row");
}

function run(args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(promtool ?? "", args, { cwd: PROMETHEUS, encoding: "utf8" });
  return { status, output: `${stdout}${stderr}` };
}

test.runIf(promtool)("the alerts are good rules, and fire when they should and only then", async () => {
  for (const args of [
    ["check", "config", "prometheus.yml"],
    ["test", "rules", "alerts.test.yml"],
  ]) {
    expect(run(args)).toMatchObject({ status: 0 });
  }
  const { tests } = parse(await read("deploy/prometheus/alerts.test.yml")) as {
    tests: { alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
  };
  const fired = tests
    .flatMap(({ alert_rule_test }) => alert_rule_test)
    .filter((one) => one.exp_alerts.length > 0);
  expect(new Set(fired.map(({ alertname }) => alertname)).size).toBeGreaterThanOrEqual(5);
});

test.runIf(promtool)("each panel of the dashboard asks what Prometheus can read", async () => {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-panels-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  const asked = (await panels()).flatMap(({ targets = [] }) => targets);
  expect(asked.length).toBeGreaterThan(10);
  const rules = asked.map(({ expr }, i) => ({ record: `panel:question:${i}`, expr }));
  await writeFile(join(folder, "panels.yml"), stringify({ groups: [{ name: "panels", rules }] }));
  expect(run(["check", "rules", join(folder, "panels.yml")])).toMatchObject({ status: 0 });
});

test("alerts and dashboard name only metrics that a relay tells", async () => {
  const site = await openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
    },
    env: { POLL_INTERVAL: "1h" },
  });
  const relay = await site.start();
  const text = await (await fetch(`${relay.url}/metrics`)).text();
  const told = new Set<string>();
  for (const [, name = "", type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    told.add(name);
    if (type === "histogram") for (const end of ["bucket", "sum", "count"]) told.add(`${name}_${end}`);
  }
  const expressions = [
    ...(await alerts()).map(({ expr }) => expr),
    ...(await panels()).flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ];
  const named = new Set(expressions.flatMap((expr) => expr.match(/\bpublish_relay_\w+/g) ?? []));
  expect(named.size).toBeGreaterThan(15);
  expect([...named].filter((name) => !told.has(name))).toEqual([]);
});

test("each alert has a severity, says what is wrong, and has its section in the docs", async () => {
  const page = await read("docs/alerts.md");
  const sections = [...page.matchAll(/^## (\S+)$/gm)].map(([, name]) => name);
  const all = await alerts();
  expect(sections).toEqual(all.map(({ alert }) => alert));
  for (const { alert, labels, annotations } of all) {
    expect(["critical", "warning"]).toContain(labels["severity"]);
    expect(annotations["summary"]).toBeTruthy();
    expect(annotations["description"]).toBeTruthy();
    expect(annotations["runbook_url"]).toBe(`docs/alerts.md#${alert.toLowerCase()}`);
  }
});
