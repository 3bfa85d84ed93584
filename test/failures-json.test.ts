import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { explainError } from "../src/command-line.ts";
import { ConfigError } from "../src/config.ts";
import { releaseLater } from "./support/release.ts";
import { openSite } from "./support/relay.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));

async function run(args: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, ["--import", "tsx", MAIN, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { stdout, stderr, code };
}

test("with --json whatever fails is one JSON object on stdout, the same words on stderr, the same exit code", async () => {
  const site = await openSite({ rules: { targets: {}, rules: [] } });
  site.simulator.set({ tokens: [{ token: "another" }] });
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-nowhere-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  const nowhere = { ...site.env, REDIS_URL: "", DATA_DIR: folder };
  const cases = [
    { args: ["status", "--json"], env: nowhere, code: 1, words: "There is no Redis of the relay" },
    { args: ["connections", "--json"], env: site.env, code: 1, words: "401" },
    { args: ["status", "x", "--json"], env: site.env, code: 2, words: "whole number" },
  ];
  await Promise.all(
    cases.map(async ({ args, env, code, words }) => {
      const said = await run(args, env);
      const failure = JSON.parse(said.stdout) as { ok: boolean; error: string };
      expect(failure).toEqual({ ok: false, error: expect.stringContaining(words) });
      expect(said.stderr).toContain(failure.error);
      expect(said.code).toBe(code);
    }),
  );
});

test("a wrong setting is told so too; without --json stdout stays empty", () => {
  const error = new ConfigError(["PORT is not a number"]);
  expect(explainError(error, ["explain", "31", "--json"])).toEqual({
    code: 2,
    words: "PORT is not a number",
    json: '{"ok":false,"error":"PORT is not a number"}',
  });
  expect(explainError(error, ["explain", "31"])).toEqual({ code: 2, words: "PORT is not a number" });
});
