import { pino } from "pino";
import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { openConnections } from "../src/queues/connections.ts";
import { createRelay } from "../src/relay.ts";
import { eventually } from "./support/eventually.ts";
import { startRedisProxy } from "./support/redis-proxy.ts";
import { openSite } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";
import { scrape, valueOf } from "./support/scrape.ts";

const SILENT_AFTER_MS = 1_200;

test("when the connection that works goes by falls silent it is red, told, made anew, and what waited is published", async () => {
  const proxy = await startRedisProxy();
  const site = await openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
    },
    simulator: { settings: { appearMs: 1, publishMs: 20 } },
  });
  const lines: string[] = [];
  const log = pino({ level: "error" }, { write: (line: string) => void lines.push(line) });
  const config = readConfig({ ...site.env, REDIS_URL: proxy.url });
  const relay = createRelay(config, log, { stuckAfterMs: SILENT_AFTER_MS });
  releaseLater(() => relay.stop());
  const url = `http://127.0.0.1:${(await relay.start()).port}`;
  const ready = async () => (await fetch(`${url}/readyz`)).status;
  expect(await ready()).toBe(200);
  expect(valueOf(await scrape({ url }), "publish_relay_redis_silent_total")).toBe(0);

  // The first is the one for requests: it goes on.
  proxy.freeze((index) => index === 1);
  expect(await ready()).toBe(503);
  const headers = { "content-type": "application/json", authorization: "Bearer api-token" };
  const body = JSON.stringify({ jobGroupId: 2, status: "Complete" });
  expect((await fetch(`${url}/v1/completions`, { method: "POST", headers, body })).status).toBe(202);
  expect(await site.ended(2)).toMatchObject([{ record: { state: "published" } }]);
  expect(site.puts(2)).toHaveLength(1);
  expect(lines.join("")).toContain("a connection to Redis does not answer: it is made anew");
  await eventually(async () => (await ready()) === 200);
  expect(valueOf(await scrape({ url }), "publish_relay_redis_silent_total")).toBe(1);
});

test("both connections are made anew when both fall silent, and one that answers is left alone", async () => {
  const proxy = await startRedisProxy();
  const silent: string[] = [];
  const connections = openConnections(proxy.url, () => undefined, {
    silentAfterMs: 240,
    onSilent: (name) => silent.push(name),
  });
  releaseLater(connections.close);
  await connections.reached();
  const answered = await Promise.all(Array.from({ length: 20 }, () => connections.work.ping()));
  expect(answered).toHaveLength(20);
  expect(silent).toEqual([]);
  proxy.freeze(() => true);
  expect(await connections.work.ping()).toBe("PONG");
  await eventually(async () => (await connections.ingest.ping()) === "PONG");
  expect(silent.sort()).toEqual(["ingest", "work"]);
});
