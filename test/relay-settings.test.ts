import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Running, startProgram } from "./support/processes.ts";
import { releaseLater } from "./support/release.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const TSX = createRequire(import.meta.url).resolve("tsx");

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-start-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A relay on a machine where nothing is set up. */
async function start(env: Record<string, string>, files: Record<string, string> = {}): Promise<Running> {
  const cwd = await emptyFolder();
  for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text);
  return startProgram(process.execPath, ["--import", TSX, MAIN, "start"], { cwd, env });
}

test("wrong settings end the start with code 2 and all problems at once", async () => {
  const relay = await start({
    PORT: "eighty",
    DESIGNER_CLOUD_URL: "us1.alteryxcloud.com",
    WEBHOOK_AUTH: "basic",
    ROLES: "web,cook",
    BOARD_OPERATORS: "anna",
    LEDGER_RETENTION: "long",
  });
  expect(await relay.exited).toEqual({ code: 2, signal: null });
  const lines = relay.output().trim().split("\n");
  const names = lines.map((line) => line.split(" ")[0]);
  expect(names).toHaveLength(6);
  expect(new Set(names)).toEqual(
    new Set(["BOARD_OPERATORS", "DESIGNER_CLOUD_URL", "LEDGER_RETENTION", "PORT", "ROLES", "WEBHOOK_AUTH"]),
  );
  expect(lines).toContain("PORT must be a port, 0 to 65535");
});

test("a mistake in the rules file ends the start with code 2, its line and its column", async () => {
  const rules = [
    "version: 1",
    "targets:",
    "  sales: { connection: 2, schema: public }",
    "rules:",
    "  - name: orders",
    "    when: all",
    "    publish:",
    "      - { target: seles, table: orders, action: load }",
    "      - { target: sales, table: orders, action: append }",
  ];
  const relay = await start({ RULES_FILE: "my-rules.yaml" }, { "my-rules.yaml": rules.join("\n") });
  expect(await relay.exited).toEqual({ code: 2, signal: null });
  expect(relay.output()).toMatch(
    /^my-rules\.yaml:8:19: error: .*"seles".*sales.*\n {2}8 \|.*\n {4}\| {19}\^{5}$/m,
  );
  expect(relay.output()).toMatch(/^my-rules\.yaml:9:49.*append/m);
});

test("a rules file that was named and is not there ends the start with code 2", async () => {
  const relay = await start({ RULES_FILE: "gone.yaml" });
  expect(await relay.exited).toEqual({ code: 2, signal: null });
  expect(relay.output()).toMatch(/^RULES_FILE gone\.yaml cannot be read.*write one: publish-relay init$/m);
});

test("with nothing set up it starts on loopback with a Redis of its own, and says what is missing", async () => {
  const relay = await start({ PORT: "0" });
  const [, port] = await relay.line(
    /"port":(\d+).*"board":"http:\/\/127\.0\.0\.1:\d+\/board".*"msg":"ready"/,
  );
  const lines = relay
    .output()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { level: number; msg: string });
  const warnings = lines.filter(({ level }) => level === 40).map(({ msg }) => msg);
  for (const name of ["DESIGNER_CLOUD_URL", "WEBHOOK_SECRETS", "API_TOKENS", "RULES_FILE"]) {
    expect(warnings.filter((warning) => warning.includes(name))).toHaveLength(1);
  }
  expect(lines.find(({ msg }) => msg === "settings")).toMatchObject({ redis: "its own, under data" });

  const url = `http://127.0.0.1:${port}`;
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const ready = await fetch(`${url}/readyz`);
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({
    checks: expect.arrayContaining([
      expect.objectContaining({ name: "redis", ok: true }),
      expect.objectContaining({ name: "rules", ok: false, detail: expect.stringContaining("RULES_FILE") }),
    ]),
  });
  const webhook = await fetch(`${url}/webhooks/designer-cloud`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"jobId":"2"}',
  });
  expect(webhook.status).toBe(401);

  relay.signal("SIGTERM");
  expect(await relay.exited).toEqual({ code: 0, signal: null });
});

test("WEBHOOK_AUTH=none is said out loud at every start, and takes an unsigned webhook", async () => {
  const settings = { PORT: "0", WEBHOOK_AUTH: "none" };
  const first = await start(settings);
  const [, port] = await first.line(/"port":(\d+).*"msg":"ready"/);
  const webhook = await fetch(`http://127.0.0.1:${port}/webhooks/designer-cloud`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"jobId":"$jobId"}',
  });
  expect(webhook.status).toBe(200);
  expect(await webhook.json()).toMatchObject({
    understood: { sender: "nothing was asked of it, WEBHOOK_AUTH is none" },
  });
  const second = await start(settings);
  for (const relay of [first, second]) {
    await relay.line(/"level":40.*WEBHOOK_AUTH is none: whoever reaches this port can report completions/);
    relay.signal("SIGTERM");
    expect((await relay.exited).code).toBe(0);
  }
});
