import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { startProgram } from "./support/processes.ts";
import { redisUrl } from "./support/redis.ts";
import { releaseLater } from "./support/release.ts";
import { openSite, statesOf } from "./support/relay.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const MODULES = join(ROOT, "node_modules");
/** All that the client may need: whatever else it imported would not be found. */
const NEEDED = ["bullmq", "ioredis", "zod"];

let packed: string[];
/** A folder of somebody else's, with the package in its node_modules. */
let consumer: string;
/** Another one, who installed the relay itself. */
let operator: string;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-pack-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  // Packed from a copy: the build must not show in the sources' folder while other tests run.
  const source = join(folder, "source");
  for (const part of [
    "src",
    "examples",
    "docs",
    "README.md",
    "package.json",
    "tsconfig.json",
    "tsconfig.build.json",
  ]) {
    await cp(join(ROOT, part), join(source, part), { recursive: true });
  }
  await symlink(MODULES, join(source, "node_modules"));
  const { stdout } = await run("npm", ["pack", "--json", "--offline", "--pack-destination", folder], {
    cwd: source,
  });
  const [{ filename, files }] = JSON.parse(stdout.slice(stdout.indexOf("["))) as [
    { filename: string; files: Array<{ path: string }> },
  ];
  packed = files.map(({ path }) => path);

  consumer = join(folder, "consumer");
  const installed = join(consumer, "node_modules/publish-relay");
  await mkdir(installed, { recursive: true });
  await run("tar", ["-xzf", join(folder, filename), "-C", installed, "--strip-components=1"]);
  for (const name of NEEDED) await symlink(join(MODULES, name), join(consumer, "node_modules", name));
  await writeFile(join(consumer, "package.json"), '{"name":"consumer","type":"module"}\n');

  // As `npm install <tarball>` leaves an empty folder: the package, what it depends on, and its command.
  operator = join(folder, "operator");
  const { bin, dependencies } = JSON.parse(await readFile(join(installed, "package.json"), "utf8")) as {
    bin: Record<string, string>;
    dependencies: Record<string, string>;
  };
  const relay = join(operator, "node_modules/publish-relay");
  await mkdir(join(operator, "node_modules/.bin"), { recursive: true });
  await cp(installed, relay, { recursive: true });
  for (const name of Object.keys(dependencies)) {
    await mkdir(dirname(join(operator, "node_modules", name)), { recursive: true });
    await symlink(join(MODULES, name), join(operator, "node_modules", name));
  }
  const [[command, file] = ["", ""]] = Object.entries(bin);
  await chmod(join(relay, file), 0o755);
  await symlink(join("../publish-relay", file), join(operator, "node_modules/.bin", command));
}, 120_000);

/** Runs a program in the consumer's folder, to its own end. */
async function runThere(code: string, env: Record<string, string> = {}): Promise<string> {
  const path = join(consumer, `program-${Math.random().toString(36).slice(2)}.js`);
  await writeFile(path, code);
  const child = startProgram(process.execPath, [path], { cwd: consumer, env });
  const { code: exitCode, signal } = await child.exited;
  if (exitCode !== 0) throw new Error(`The program ended with ${exitCode ?? signal}: ${child.output()}`);
  return child.output();
}

test("the package holds the build, the examples, the README and the pages that it names, and nothing of the workshop", async () => {
  expect(packed).toEqual(
    expect.arrayContaining([
      "README.md",
      "package.json",
      "dist/main.js",
      "dist/producer.js",
      "dist/producer.d.ts",
    ]),
  );
  const strange = packed.filter(
    (path) =>
      !/^(dist\/.*\.(js|d\.ts)|examples\/.*|docs\/.*\.(md|json)|README\.md|package\.json)$/.test(path),
  );
  expect(strange).toEqual([]);
  const named = (await readFile(join(ROOT, "README.md"), "utf8")).match(/docs\/[\w/-]+\.md/g) ?? [];
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((path) => !packed.includes(path))).toEqual([]);
});

test("a service reports completions with it to a relay, and loads nothing else of the relay", async () => {
  const site = await openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" }, finance: { connection: 3, schema: "reports" } },
      rules: [
        { name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] },
        {
          name: "prod",
          when: { labels: { env: "prod" } },
          publish: [{ target: "finance", table: "orders", action: "load" }],
        },
      ],
    },
  });
  const relay = await site.start();
  const id = site.simulator.createJobGroup({ webhook: false });
  const output = await runThere(
    `
    import { appendFileSync } from "node:fs";
    import { createRequire, register } from "node:module";
    register("data:text/javascript," + encodeURIComponent(\`
      import { writeSync } from "node:fs";
      export async function load(url, context, next) {
        writeSync(1, "loaded " + url + "\\\\n");
        return next(url, context);
      }
    \`));
    const { createCompletionProducer } = await import("publish-relay/producer");
    const producer = createCompletionProducer({ redisUrl: process.env.URL, namespace: process.env.SPACE });
    const id = Number(process.env.ID);
    const told = await Promise.all([
      producer.completed(id),
      producer.completed(id),
      producer.completed(id, { status: "Complete", labels: { env: "prod" } }),
    ]);
    await producer.close();
    await producer.close();
    console.log("told " + JSON.stringify(told));
    for (const path of Object.keys(createRequire(import.meta.url).cache)) console.log("loaded " + path);
    `,
    { URL: redisUrl(), SPACE: site.namespace, ID: String(id) },
  );
  const told = JSON.parse(/^told (.*)$/m.exec(output)?.[1] ?? "[]") as Array<{
    completion: string;
    messageId: string;
  }>;
  expect(told.map(({ completion }) => completion)).toEqual(Array(3).fill(`jobgroup-${id}`));
  // What says just the same is one message; each other one is of its own.
  expect(new Set(told.map(({ messageId }) => messageId)).size).toBe(2);
  expect(statesOf(await site.ended(id, 2))).toEqual(["finance published", "sales published"]);
  expect(site.puts(id)).toHaveLength(2);
  expect(await relay.story(id)).toMatchObject({
    completion: { source: "message", labels: { env: "prod" }, reportCount: 2 },
  });

  const loaded = [...output.matchAll(/^loaded (.*)$/gm)].map(([, where = ""]) => where);
  const ours = loaded.flatMap((where) => /publish-relay\/(dist\/.*)$/.exec(where)?.[1] ?? []);
  expect(new Set(ours)).toEqual(
    new Set(
      [
        "producer",
        "producers/report",
        "producers/report-schema",
        "queues/connection-watch",
        "queues/connections",
        "queues/in-time",
        "queues/names",
        "queues/options",
        "queues/write-together",
        "rules/identifier",
        "rules/task-identity",
      ].map((name) => `dist/${name}.js`),
    ),
  );
  expect(
    loaded.filter((where) => /express|undici|bull-board|pino|prom-client|zod-openapi/.test(where)),
  ).toEqual([]);
  expect(loaded.some((where) => where.includes("/bullmq/"))).toBe(true);
});

describe("while Redis is away", () => {
  const code = (url: string) => `
    import { createCompletionProducer } from "publish-relay/producer";
    const producer = createCompletionProducer({ redisUrl: ${JSON.stringify(url)} });
    const tellOf = async () => {
      const at = performance.now();
      const error = await producer.completed(31).then(() => undefined, (error) => error);
      console.log(JSON.stringify({ name: error?.name, message: error?.message, ms: performance.now() - at }));
    };
    await tellOf();
    await Promise.all([tellOf(), tellOf()]);
    await producer.close();
  `;

  test("a report is refused within about a second, and the process ends once the producer is closed", async () => {
    const output = await runThere(code("redis://127.0.0.1:1"));
    const told = output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { name: string; message: string; ms: number });
    expect(told).toHaveLength(3);
    for (const { name, message, ms } of told) {
      expect(name).toBe("CompletionNotStoredError");
      expect(message).toMatch(/ECONNREFUSED.*Report it again: that is safe/);
      expect(ms).toBeLessThan(1_500);
    }
  });
});

test("a TypeScript service that uses it compiles, and is told of its mistakes", async () => {
  await mkdir(join(consumer, "node_modules/@types"), { recursive: true });
  await symlink(join(MODULES, "@types/node"), join(consumer, "node_modules/@types/node"));
  await writeFile(
    join(consumer, "service.ts"),
    `
    import {
      CompletionNotStoredError,
      type CompletionProducer,
      createCompletionProducer,
      InvalidCompletionError,
    } from "publish-relay/producer";
    import { Redis } from "ioredis";

    const producer: CompletionProducer = createCompletionProducer({ redisUrl: "redis://127.0.0.1:6379" });
    createCompletionProducer({ connection: { host: "127.0.0.1", port: 6379 }, namespace: "other" });
    createCompletionProducer({ connection: new Redis() });
    try {
      const { completion, messageId } = await producer.completed(31, { labels: { env: "prod" } });
      const words: string = completion + messageId;
      console.log(words);
    } catch (error) {
      if (error instanceof InvalidCompletionError || error instanceof CompletionNotStoredError) console.log(error.cause);
    }
    // @ts-expect-error: it must know where Redis is
    createCompletionProducer({});
    // @ts-expect-error: one or the other
    createCompletionProducer({ redisUrl: "redis://127.0.0.1", connection: {} });
    // @ts-expect-error: an id is a number
    await producer.completed("31");
    // @ts-expect-error: values are text
    await producer.completed(31, { labels: { n: 1 } });
    await producer.close();
    `,
  );
  const options = {
    module: "nodenext",
    target: "es2023",
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: ["node"],
  };
  await writeFile(
    join(consumer, "tsconfig.json"),
    JSON.stringify({ compilerOptions: options, files: ["service.ts"] }),
  );
  const { stdout } = await run(join(MODULES, ".bin/tsc"), ["-p", consumer]).catch(
    (error: { stdout: string }) => error,
  );
  expect(stdout).toBe("");
  const declarations = await readFile(
    join(consumer, "node_modules/publish-relay/dist/producer.d.ts"),
    "utf8",
  );
  expect(declarations).toContain("Repeating it is safe");
});

test("whoever installs the package runs its command with npx: help, check, connections and start", async () => {
  const site = await openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
    },
  });
  const { RULES_FILE: rulesFile = "", ...env } = site.env;
  await cp(rulesFile, join(operator, "rules.yaml"));
  const npx = (...args: string[]) =>
    startProgram("npx", ["--no-install", "publish-relay", ...args], { cwd: operator, env });
  const asked = [npx("--help"), npx("check"), npx("connections")];
  const ended = await Promise.all(asked.map(({ exited }) => exited));
  expect(ended.map(({ code }) => code)).toEqual([0, 0, 0]);
  const [help, check, connections] = asked.map((command) => command.output());
  expect(help).toMatch(/^Usage: publish-relay/m);
  expect(check).toMatch(/^rules\.yaml: good, version/m);
  expect(connections).toMatch(/^ {2}2 +redshift-sales/m);

  // Not by npx, which stands between a signal and the relay.
  const command = join(operator, "node_modules/.bin/publish-relay");
  const relay = startProgram(process.execPath, [command, "start"], { cwd: operator, env });
  const [, port] = await relay.line(/"port":(\d+).*"msg":"ready"/);
  expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  relay.signal("SIGTERM");
  expect(await relay.exited).toEqual({ code: 0, signal: null });
});
