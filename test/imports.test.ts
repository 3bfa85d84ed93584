import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { startProgram } from "./support/processes.ts";
import { releaseLater } from "./support/release.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const IMPORTER = join(ROOT, "test/fixtures/import-modules.mjs");

async function modules(): Promise<string[]> {
  const entries = await readdir(join(ROOT, "src"), { recursive: true, withFileTypes: true });
  return (
    entries
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map((entry) => join(entry.parentPath, entry.name))
      // It is the process: to import it is to run it.
      .filter((path) => relative(ROOT, path) !== "src/main.ts")
  );
}

test("every module imports without opening anything, saying anything, or keeping the process alive", async () => {
  const paths = await modules();
  expect(paths.length).toBeGreaterThan(3);
  const child = startProgram(process.execPath, ["--import", "tsx", IMPORTER, ...paths], {
    // Nobody answers there: whoever connects while being imported gets an error to show.
    env: { REDIS_URL: "redis://127.0.0.1:1", DESIGNER_CLOUD_URL: "http://127.0.0.1:1" },
  });
  const timer = setTimeout(() => child.signal("SIGKILL"), 25_000);
  const end = await child.exited;
  clearTimeout(timer);
  expect(child.output()).toBe("");
  expect(end, "a process that imported every module should end by itself").toEqual({ code: 0, signal: null });
});

/** What may stand in an import, and what may not, per folder: the table of who may import whom. */
const TABLE: Record<string, { may: string[]; mustNot: string[] }> = {
  "src/rules": {
    may: ["zod", "yaml", "node:crypto", "./model.ts"],
    mustNot: [
      "node:fs",
      "node:fs/promises",
      "undici",
      "bullmq",
      "ioredis",
      "express",
      "../queues/a.ts",
      "../config.ts",
    ],
  },
  "src/designer-cloud": {
    may: ["undici", "zod", "../errors.ts", "node:crypto", "node:timers/promises", "./a.ts"],
    mustNot: [
      "bullmq",
      "ioredis",
      "express",
      "../queues/a.ts",
      "../rules/a.ts",
      "../processors/a.ts",
      "../relay.ts",
    ],
  },
  "src/queues": {
    may: ["bullmq", "ioredis", "zod", "../rules/model.ts", "../errors.ts", "./scripts/a.ts"],
    mustNot: [
      "express",
      "undici",
      "../producers/a.ts",
      "../processors/a.ts",
      "../designer-cloud/a.ts",
      "../http/a.ts",
    ],
  },
  "src/producers": {
    may: ["zod", "node:http", "type bullmq", "type ioredis", "../queues/a.ts", "../rules/model.ts", "./a.ts"],
    mustNot: [
      "express",
      "undici",
      "bullmq",
      "ioredis",
      "../processors/a.ts",
      "../designer-cloud/a.ts",
      "../http/a.ts",
    ],
  },
  "src/processors": {
    may: ["type ../queues/a.ts", "../rules/model.ts", "../errors.ts", "./a.ts"],
    mustNot: [
      "../queues/a.ts",
      "bullmq",
      "type bullmq",
      "ioredis",
      "undici",
      "express",
      "node:fs",
      "node:process",
      "../designer-cloud/a.ts",
      "../config.ts",
    ],
  },
  "src/notifications": {
    may: [
      "undici",
      "zod",
      "type bullmq",
      "../queues/a.ts",
      "../rules/model.ts",
      "../producers/signatures.ts",
    ],
    mustNot: ["bullmq", "express", "../producers/a.ts", "../processors/a.ts", "../http/a.ts", "../config.ts"],
  },
  "src/http": {
    may: [
      "express",
      "@bull-board/api",
      "@bull-board/api/bullMQAdapter",
      "helmet",
      "zod-openapi",
      "../producers/a.ts",
      "../queues/a.ts",
      "node:http",
    ],
    mustNot: ["undici", "ioredis", "../processors/a.ts", "../designer-cloud/a.ts", "../relay.ts"],
  },
  src: {
    may: ["./queues/a.ts", "bullmq", "undici"],
    mustNot: ["../simulator/main.ts", "../test/support/a.ts", "./main.ts"],
  },
  simulator: {
    may: ["zod", "./a.ts", "node:http"],
    mustNot: ["../src/errors.ts", "bullmq", "ioredis"],
  },
};

describe("the linter", () => {
  const source = (imports: readonly string[]) =>
    imports
      .map((name, i) =>
        name.startsWith("type ")
          ? `export type * as i${i} from "${name.slice(5)}";`
          : `export * as i${i} from "${name}";`,
      )
      .join("\n");

  test("refuses each import that the folder must not have, and no other", async () => {
    const folder = await newFolder();
    for (const [path, { may, mustNot }] of Object.entries(TABLE)) {
      await put(folder, `${path}/good.ts`, source(may));
      await put(folder, `${path}/bad.ts`, source(mustNot));
    }
    const found = await lint(folder, "no-restricted-imports");
    const expected = Object.entries(TABLE).flatMap(([path, { mustNot }]) =>
      mustNot.map((_, i) => `${path}/bad.ts:${i + 1}`),
    );
    expect(found.toSorted()).toEqual(expected.toSorted());
  });

  test("lets only the process itself read the environment", async () => {
    const folder = await newFolder();
    const text = 'export const path = process.env["PATH"];';
    for (const path of ["src/main.ts", "src/config.ts", "src/processors/a.ts"]) await put(folder, path, text);
    expect((await lint(folder, "no-process-env")).toSorted()).toEqual([
      "src/config.ts:1",
      "src/processors/a.ts:1",
    ]);
  });
});

/** A folder with our rules and nothing else. */
async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-lint-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function put(folder: string, path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), `${text}\n`);
}

/** `path:line` of everything that this rule of ours refuses in the folder. */
async function lint(folder: string, rule: string): Promise<string[]> {
  const oxlint = join(ROOT, "node_modules/.bin/oxlint");
  await copyFile(join(ROOT, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  const output = await new Promise<string>((resolve) => {
    execFile(oxlint, ["--format", "unix"], { cwd: folder }, (_, stdout) => resolve(stdout));
  });
  return output
    .split("\n")
    .filter((line) => line.includes(`(${rule})`))
    .map((line) => line.split(":").slice(0, 2).join(":"));
}
