import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, expect, test, vi } from "vitest";
import { runCheck } from "../src/check-command.ts";
import { readConfig } from "../src/config.ts";
import { runDoctor } from "../src/doctor-command.ts";
import { createRelay } from "../src/relay.ts";
import { examine } from "./support/examine.ts";
import { createKeptLog } from "./support/logged.ts";
import { startScript } from "./support/processes.ts";
import { openSite, type SiteOptions } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";
import { httpAnswer, startWireServer } from "./support/wire-server.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);
const RULES = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
};

const openTenant = (more: Partial<SiteOptions> = {}) => openSite({ rules: RULES, ...more });
const CLEAR = "http://platform.invalid:3005";

afterEach(() => vi.unstubAllEnvs());

/** An HTTPS server with a certificate that nobody trusts; it answers a test as a relay does, then refuses one. */
async function startUntrusted(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "publish-relay-tls-"));
  releaseLater(async () => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const request = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  execFileSync("openssl", [...request, "-subj", "/CN=localhost", "-keyout", key, "-out", cert], {
    stdio: "ignore",
  });
  let n = 0;
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_req, res) => {
    res.writeHead(n++ === 0 ? 200 : 401).end('{"check":true}');
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  releaseLater(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a certificate that nobody checked is never ok: the platform's, and the webhook's", async () => {
  const site = await openTenant();
  const env = {
    DESIGNER_CLOUD_URL: site.simulator.url.replace("http:", "https:"),
    NODE_TLS_REJECT_UNAUTHORIZED: "0",
  };
  expect((await examine(site, env)).of("platform transport")).toMatchObject({
    verdict: "warning",
    words: expect.stringMatching(/certificates are not checked.*whoever is on the way can read the token/),
    advice: expect.stringContaining("NODE_EXTRA_CA_CERTS"),
  });
  const url = await startUntrusted();
  const trusted = await examine(site, { PUBLIC_URL: url });
  expect(trusted.of("webhook reached")).toMatchObject({
    verdict: "error",
    words: expect.stringContaining("self-signed certificate"),
  });
  vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  expect((await examine(site, { ...env, PUBLIC_URL: url })).of("webhook reached")).toMatchObject({
    verdict: "warning",
    words: expect.stringContaining("its certificate was not checked"),
  });
});

test("a relay that takes what is signed wrongly is told, also when this command signs nothing itself", async () => {
  const site = await openTenant();
  const open = await site.start({ WEBHOOK_AUTH: "none" });
  for (const more of [{}, { WEBHOOK_AUTH: "none" }, { WEBHOOK_AUTH: "github" }])
    expect((await examine(site, { PUBLIC_URL: open.url, ...more })).of("webhook reached")).toMatchObject({
      verdict: "warning",
      words: expect.stringContaining("takes an unsigned test: whoever reaches it can report completions"),
      advice: expect.stringContaining("WEBHOOK_SECRETS"),
    });
  const relay = await site.start();
  const reached = (env: Record<string, string> = {}) => examine(site, { PUBLIC_URL: relay.url, ...env });
  expect((await reached({ WEBHOOK_AUTH: "none" })).of("webhook reached")).toMatchObject({
    verdict: "error",
    words: expect.stringContaining("refuses an unsigned test"),
  });
  expect((await reached()).of("webhook reached")).toMatchObject({
    verdict: "ok",
    words: expect.stringContaining("and refuses one that is signed wrongly"),
  });
});

test.each(["standard-webhooks", "github", "header"])(
  "a wrong signature can be made as %s has it",
  async (scheme) => {
    const env = {
      WEBHOOK_AUTH: scheme,
      WEBHOOK_SECRETS: `whsec_${Buffer.from("a secret of 24 bytes or more").toString("base64")}`,
    };
    const site = await openTenant({ env });
    const { url } = await site.start();
    expect((await examine(site, { PUBLIC_URL: url })).verdicts["webhook reached"]).toBe("ok");
  },
);

test("a relay that is too busy for the second test is not called one that looks at signatures", async () => {
  const site = await openTenant();
  const busy = { "content-type": "application/problem+json" };
  const server = await startWireServer((socket, _, n) => {
    socket.end(n === 1 ? httpAnswer(200, { check: true }) : httpAnswer(429, { title: "busy" }, busy));
  });
  expect((await examine(site, { PUBLIC_URL: server.url })).verdicts["webhook reached"]).toBe("not tested");
});

test.each([
  [{ DESIGNER_CLOUD_URL: CLEAR }, /^DESIGNER_CLOUD_URL is plain http, and platform\.invalid:3005 is another/],
  [
    { DESIGNER_CLOUD_URL: "https://platform.invalid", NODE_TLS_REJECT_UNAUTHORIZED: "0" },
    /^certificates are not checked/,
  ],
])("start warns once of a token that others can read on its way: %j", async (env, words) => {
  const site = await openTenant();
  const warned = async (more: Record<string, string>) => {
    const { log, lines } = createKeptLog();
    const relay = createRelay(readConfig({ ...site.env, BOARD_OPERATORS: "ann:a-password", ...more }), log);
    await relay.start();
    await relay.stop();
    return lines
      .filter(({ msg }) => /on the way/.test(String(msg)))
      .map(({ level, msg }) => ({ level, msg }));
  };
  expect(await warned(env)).toEqual([{ level: 40, msg: expect.stringMatching(words) }]);
  expect(await warned({})).toEqual([]);
});

test.each([["connections"], ["check", "--live"], ["run", "27"]])(
  "%s says in one line on stderr that others can read the token on its way",
  async (...args) => {
    const site = await openTenant();
    const command = startScript(MAIN, { args, env: { ...site.env, DESIGNER_CLOUD_URL: CLEAR } });
    await command.exited;
    expect(command.output().match(/^warning: .*$/gm)).toEqual([
      expect.stringContaining("whoever is on the way can read the token"),
    ]);
  },
);

test("a connection that the token's user may not see is wrong, a quota that is used up is not tested", async () => {
  const site = await openTenant();
  const config = readConfig(site.env);
  site.simulator.addFault({ kind: "status", status: 403, on: "connection" });
  const checked = await runCheck({ live: true, json: false }, config);
  expect(checked.text).toMatch(
    /WRONG +exists +sales +the token's user may not see connection 2: share it with that user\. .*403/,
  );
  expect(checked.ok).toBe(false);
  site.simulator.clearFaults();
  site.simulator.addFault({ kind: "status", status: 429, on: "connection" });
  expect((await examine(site)).verdicts).toMatchObject({ "platform sales: exists": "not tested" });
  site.simulator.clearFaults();
  site.simulator.addFault({ kind: "status", status: 403, on: "person" });
  const person = await runCheck({ live: true, json: false }, config);
  expect(person).toMatchObject({
    ok: true,
    text: expect.stringMatching(/doubtful +token +whether it is good/),
  });
});

test("a token that is refused, or missing, is told once, with the setting that is in use", async () => {
  const site = await openTenant();
  const folder = mkdtempSync(join(tmpdir(), "publish-relay-token-"));
  releaseLater(async () => rmSync(folder, { recursive: true }));
  const file = join(folder, "token");
  const tokenOf = async (env: Record<string, string>) =>
    (await examine(site, env)).of("platform token").words;
  const ofFile = async (text: string) => {
    writeFileSync(file, text);
    return tokenOf({ DESIGNER_CLOUD_TOKEN: "", DESIGNER_CLOUD_TOKEN_FILE: file });
  };
  const settings = (words: string) => words.match(/DESIGNER_CLOUD_TOKEN\w*/g);
  const refused = await ofFile("another");
  expect(refused).toContain(`put a good one into ${file} (DESIGNER_CLOUD_TOKEN_FILE)`);
  expect(settings(refused)).toEqual(["DESIGNER_CLOUD_TOKEN_FILE"]);
  expect(settings(await tokenOf({ DESIGNER_CLOUD_TOKEN: "another" }))).toEqual(["DESIGNER_CLOUD_TOKEN"]);
  const empty = await ofFile("\n");
  expect(empty).toContain(`${file} (DESIGNER_CLOUD_TOKEN_FILE) holds no access token: put it there`);
  expect(settings(empty)).toEqual(["DESIGNER_CLOUD_TOKEN_FILE"]);
  expect(await ofFile("two words")).toContain(
    `${file} (DESIGNER_CLOUD_TOKEN_FILE) is empty, or holds spaces`,
  );
  expect(await tokenOf({ DESIGNER_CLOUD_TOKEN: "two words" })).toContain("DESIGNER_CLOUD_TOKEN is empty, or");
});

test("a TLS connection that cannot be made is told in readable words, with what to do once", async () => {
  const site = await openTenant();
  const { words } = (
    await examine(site, { DESIGNER_CLOUD_URL: site.simulator.url.replace("http:", "https:") })
  ).of("platform address");
  expect(words).toContain("(ERR_SSL_WRONG_VERSION_NUMBER, wrong version number)");
  expect(words).not.toMatch(/error:0|routines|\.c:/);
  expect(words.match(/DESIGNER_CLOUD_URL/g)).toHaveLength(1);
  expect(words.match(/certificate/g)).toHaveLength(1);
});

test("advice after a question begins a sentence of its own", async () => {
  const { targets, rules } = RULES;
  const site = await openTenant({ rules: { targets, rules: rules.map((rule) => ({ ...rule, whenn: 1 })) } });
  const { text } = await runDoctor({ json: false }, readConfig(site.env), pino({ level: "silent" }));
  expect(text).toMatch(/Did you mean "when"\? Correct it; publish-relay check/);
});

test("a publish route that the tenant's document names without PUT is not ok", async () => {
  const document = (methods: object) => ({ paths: { "/v4/jobGroups/{id}/publish": methods } });
  const routeOf = async (methods: object) => {
    const server = await startWireServer((socket, request) => {
      const isSpec = request.includes("open-api-spec");
      socket.end(httpAnswer(200, isSpec ? document(methods) : { id: 1, data: [] }));
    });
    const site = await openTenant({ env: { DESIGNER_CLOUD_URL: server.url } });
    return (await examine(site)).verdicts["platform publish route"];
  };
  expect(await routeOf({ get: {} })).toBe("not tested");
  expect(await routeOf({ put: {}, get: {} })).toBe("ok");
});
