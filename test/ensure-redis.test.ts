import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type Running, startProgram } from "./support/processes.ts";
import { releaseLater } from "./support/release.ts";

const SCRIPT = new URL("../scripts/ensure-redis.mjs", import.meta.url).pathname;

/** A PATH with nothing but these programs on it; each writes its arguments down. */
async function newPath(
  programs: Readonly<Record<string, string>>,
): Promise<{ folder: string; calls(): Promise<string[]> }> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-path-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  for (const [name, body] of Object.entries(programs)) {
    const file = join(folder, name);
    await writeFile(file, `#!/bin/sh\ncd ${folder}\necho "${name} $*" >> calls\n${body}\n`);
    await chmod(file, 0o755);
  }
  const calls = () =>
    readFile(join(folder, "calls"), "utf8").then(
      (text) => text.trim().split("\n"),
      () => [],
    );
  return { folder, calls };
}

function ensureRedis(folder: string): Running {
  return startProgram(process.execPath, [SCRIPT], { env: { PATH: folder } });
}

// As if the package lists were missing: the first install fails, the one after an update brings the program.
const APT = `
case "$1" in
  update) : > lists ;;
  install) [ -e lists ] || exit 100; printf '#!/bin/sh\\n' > redis-server; /bin/chmod +x redis-server ;;
esac`;

test.for(["redis-server", "valkey-server"])(
  "is silent and installs nothing when %s is there",
  async (program) => {
    const path = await newPath({ [program]: "", "apt-get": APT });
    const run = ensureRedis(path.folder);
    expect(await run.exited).toMatchObject({ code: 0 });
    expect(run.output()).toBe("");
    expect(await path.calls()).toEqual([]);
  },
);

test.runIf(process.platform === "linux")(
  "on Debian says what it does, and fetches the package lists if it must",
  async () => {
    // Without root the script goes through sudo; this one stands for it.
    const path = await newPath({ "apt-get": APT, sudo: 'shift; [ "$1" = true ] || "$@"' });
    const run = ensureRedis(path.folder);
    expect(await run.exited).toMatchObject({ code: 0 });
    expect(run.output()).toMatch(/installing the redis-server package with apt-get/);
    const apt = (await path.calls()).filter((call) => call.startsWith("apt-get"));
    expect(apt.map((call) => call.split(" ")[1])).toEqual(["install", "update", "install"]);
  },
);

test("says what to do, in one line, where it knows no way, and fails", async () => {
  const run = ensureRedis((await newPath({})).folder);
  expect(await run.exited).toMatchObject({ code: 1 });
  expect(run.output()).toMatch(/^Neither redis-server nor valkey-server is on PATH\. Install .*\n$/);
});

test("fails when the installation does", async () => {
  const path = await newPath({ "apt-get": "exit 1", sudo: 'shift; [ "$1" = true ] || "$@"', brew: "exit 1" });
  const run = ensureRedis(path.folder);
  expect(await run.exited).toMatchObject({ code: 1 });
  expect(run.output()).toMatch(/put that right, then run this again/);
});
