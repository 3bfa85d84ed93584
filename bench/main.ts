import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { killAll } from "./child.ts";
import { type Section, table } from "./figures.ts";
import { measureIdleLatency } from "./idle-latency.ts";
import { measurePages } from "./pages.ts";
import { measurePaceUse } from "./pace-use.ts";
import { measurePublishes } from "./publishes.ts";
import { measureRuleLookups } from "./rule-lookups.ts";
import { openSite, type Site } from "./site.ts";
import { measureWebhookAcks } from "./webhook-acks.ts";

const USAGE = `npm run bench -- [--quick] [--only acks,publishes,idle,pace,rules,pages]
Measures the relay beside a pipeline without any safety, both in one run by turns; read the ratios.`;
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const RESULTS = fileURLToPath(new URL("./results/", import.meta.url));

const PARTS: Record<string, (site: Site, quick: boolean) => Promise<Section>> = {
  acks: (site, quick) => (quick ? measureWebhookAcks(site, 2, 5_000) : measureWebhookAcks(site, 5, 20_000)),
  publishes: (site, quick) => (quick ? measurePublishes(site, 1, 300) : measurePublishes(site, 5, 1_500)),
  idle: (site, quick) => measureIdleLatency(site, quick ? 30 : 300),
  pace: (site, quick) =>
    measurePaceUse(
      site,
      [
        { max: 20, perMs: 1_000 },
        { max: 10, perMs: 5_000 },
      ],
      quick ? 6_000 : 20_000,
    ),
  rules: async (_, quick) => measureRuleLookups(quick ? 50 : 300),
  pages: (site, quick) => (quick ? measurePages(site, 5_000, 10) : measurePages(site, 100_000, 30)),
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      help: { type: "boolean" },
    },
  });
  const wanted = values.only?.split(",") ?? Object.keys(PARTS);
  const unknown = wanted.filter((name) => !(name in PARTS));
  if (values.help || unknown.length > 0) {
    process.stdout.write(`${unknown.map((name) => `There is no part "${name}".\n`).join("")}${USAGE}\n`);
    process.exitCode = unknown.length > 0 ? 2 : 0;
    return;
  }
  build();
  const machine = describeMachine();
  process.stdout.write(`${Object.values(machine).join(" · ")}\n`);
  const site = await openSite();
  const sections: Section[] = [];
  try {
    for (const name of wanted) {
      const section = await PARTS[name]?.(site, values.quick);
      if (!section) continue;
      sections.push(section);
      process.stdout.write(`\n${table(section)}\n`);
    }
  } finally {
    killAll();
    await site.close();
  }
  mkdirSync(RESULTS, { recursive: true });
  const file = `${RESULTS}results.json`;
  writeFileSync(file, `${JSON.stringify({ machine, quick: values.quick, sections }, undefined, 2)}\n`);
  process.stdout.write(`\nAll figures: ${file}\n`);
}

/** The relay and the bench's children as JavaScript, so that both sides run as they would be shipped. */
function build(): void {
  const tsc = `${ROOT}node_modules/typescript/bin/tsc`;
  execFileSync(process.execPath, [tsc, "-p", `${ROOT}bench/tsconfig.json`, "--noCheck"], {
    stdio: "inherit",
  });
  // The relay reads its version there.
  copyFileSync(`${ROOT}package.json`, `${ROOT}bench/dist/package.json`);
}

function describeMachine(): Record<string, string> {
  const cores = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    processor: `${cores.length} x ${cores[0]?.model.trim() ?? "unknown"}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    node: `Node ${process.version}`,
    load: `load ${loadavg()[0]?.toFixed(1) ?? "?"} before`,
  };
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    killAll();
    process.exit(1);
  });
}
await main();
