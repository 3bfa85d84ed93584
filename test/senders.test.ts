import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import autocannon from "autocannon";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { sign } from "../src/producers/signatures.ts";
import { startProgram } from "./support/processes.ts";
import { openSite, WEBHOOK_SECRET } from "./support/relay.ts";

const RULES = {
  targets: { sales: { connection: 2, schema: "public" } },
  rules: [
    { name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "truncateAndLoad" }] },
  ],
};
const openDoor = async (settings?: Record<string, string>) => {
  const site = await openSite({ rules: RULES, simulator: { settings: { publishMs: 20 } } });
  return { ...site, door: await site.start(settings) };
};
const route = (url: string) => `${url}/webhooks/designer-cloud`;

async function post(url: string, body: string, headers: Record<string, string>) {
  const response = await fetch(url, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
  return { status: response.status, body: (await response.json()) as unknown };
}

test.each([
  ["designer-cloud", "X-Webhook-Signature", WEBHOOK_SECRET],
  [
    "standard-webhooks",
    "webhook-signature",
    `whsec_${Buffer.from("a key of some bytes").toString("base64")}`,
  ],
])(
  "the %s script of docs/senders.md, as it stands there, brings a job group to be published",
  async (scheme, header, secret) => {
    const page = await readFile(new URL("../docs/senders.md", import.meta.url), "utf8");
    const scripts = [...page.matchAll(/^```sh\n(.*?)^```$/gms)]
      .map(([, script]) => script ?? "")
      .filter((script) => script.includes(`${header}:`));
    expect(scripts).toHaveLength(1);
    const { door, ...site } = await openDoor({ WEBHOOK_AUTH: scheme, WEBHOOK_SECRETS: secret });
    site.simulator.createJobGroup({ id: 31, webhook: false });
    const run = () =>
      startProgram("sh", ["-euc", scripts[0] ?? ""], { env: { RELAY: door.url, SECRET: secret } });
    const first = run();
    expect(await first.exited).toMatchObject({ code: 0 });
    expect(first.output()).toMatch(/^HTTP\/1\.1 202 /m);
    expect(first.output()).toContain('{"completion":"jobgroup-31","duplicate":false}');
    expect(await site.ended(31)).toHaveLength(1);
    const second = run();
    await second.exited;
    expect(second.output()).toContain('{"completion":"jobgroup-31","duplicate":true}');
  },
);

describe("the standardwebhooks package", () => {
  const secret = `whsec_${Buffer.from("a key of more than 24 bytes, for real").toString("base64")}`;
  const old = `whsec_${Buffer.from("the key before that one, also long").toString("base64")}`;
  const headersOf = (body: string, { id = "msg_2a", now = new Date(), key = secret } = {}) => ({
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
    "webhook-signature": new Webhook(key).sign(id, now, body),
  });

  test("is let in with any of the secrets; its webhook-id is remembered, and a replay is a duplicate", async () => {
    const settings = { WEBHOOK_AUTH: "standard-webhooks", WEBHOOK_SECRETS: `${secret},${old}` };
    const { door, ...site } = await openDoor(settings);
    const body = JSON.stringify({ jobId: "2", jobStatus: "Complete", name: "Zoë" });
    const headers = headersOf(body);
    const accepted = { completion: "jobgroup-2", duplicate: false };
    expect(await post(route(door.url), body, headers)).toEqual({ status: 202, body: accepted });
    await site.ended(2);
    // The very same bytes and signature.
    const replay = { status: 202, body: { ...accepted, duplicate: true } };
    expect(await post(route(door.url), body, headers)).toEqual(replay);
    expect(await post(route(door.url), body, headersOf(body, { key: old, id: "msg_2b" }))).toEqual(replay);
    expect(await door.story(2)).toMatchObject({
      completion: {
        reportCount: 3,
        reports: [{ delivery: "msg_2a" }, { delivery: "msg_2a" }, { delivery: "msg_2b" }],
      },
    });
    expect(site.puts(2)).toHaveLength(1);
  });

  test("is refused with another key, a changed body or id, or a time more than 5 minutes off", async () => {
    const { door } = await openDoor({ WEBHOOK_AUTH: "standard-webhooks", WEBHOOK_SECRETS: secret });
    const body = '{"jobId":"2"}';
    const off = (seconds: number) => new Date(Date.now() + seconds * 1_000);
    const refused = [
      headersOf(body, { key: old }),
      headersOf('{"jobId":"3"}'),
      { ...headersOf(body), "webhook-id": "msg_other" },
      headersOf(body, { now: off(-305) }),
      headersOf(body, { now: off(305) }),
    ];
    for (const headers of refused) expect((await post(route(door.url), body, headers)).status).toBe(401);
    for (const now of [off(-290), off(290)]) {
      expect((await post(route(door.url), body, headersOf(body, { now }))).status).toBe(202);
    }
  });
});

test("a sender like GitHub is let in, and its delivery is remembered", async () => {
  const { door } = await openDoor({ WEBHOOK_AUTH: "github" });
  const body = '{"jobId":2}';
  const mac = createHmac("sha256", WEBHOOK_SECRET).update(body).digest("hex");
  const headers = { "x-hub-signature-256": `sha256=${mac}`, "x-github-delivery": "72d3162e" };
  expect((await post(route(door.url), body, headers)).status).toBe(202);
  expect((await post(route(door.url), '{"jobId":3}', headers)).status).toBe(401);
  expect(await door.story(2)).toMatchObject({ completion: { reports: [{ delivery: "72d3162e" }] } });
});

test("a load of autocannon's is answered 202 throughout, and is one completion for each job group", async () => {
  const { door, ...site } = await openDoor({ ROLES: "web" });
  const ids = Array.from({ length: 40 }, (_, i) => 500 + i);
  const requests = ids.map((id) => {
    const body = JSON.stringify({ jobId: String(id), jobStatus: "Complete" });
    const headers = { "content-type": "application/json", ...sign("designer-cloud", WEBHOOK_SECRET, body) };
    return { method: "POST" as const, path: "/webhooks/designer-cloud", headers, body };
  });
  const result = await autocannon({ url: door.url, connections: 20, amount: 2_000, requests });
  expect(result["2xx"]).toBe(2_000);
  expect(result).toMatchObject({ non2xx: 0, errors: 0, timeouts: 0 });
  expect(await site.queue("completions").count()).toBe(ids.length);
  const stories = (await Promise.all(ids.map((id) => door.story(id)))) as {
    completion: { reportCount: number };
  }[];
  expect(stories.reduce((sum, { completion }) => sum + completion.reportCount, 0)).toBe(2_000);
});
