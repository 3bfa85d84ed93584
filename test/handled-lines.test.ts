import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { sign } from "../src/producers/signatures.ts";
import { createRelay } from "../src/relay.ts";
import { eventually } from "./support/eventually.ts";
import { createKeptLog, type LogLine } from "./support/logged.ts";
import { openSite, WEBHOOK_SECRET } from "./support/relay.ts";
import { releaseLater } from "./support/release.ts";

test("each job that is handled has its line in the log, from the report to the summary", async () => {
  const site = await openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [{ name: "all", when: "all", publish: [{ target: "sales", table: "orders", action: "load" }] }],
    },
    simulator: { settings: { publishMs: 20, appearMs: 1 } },
  });
  const { log, lines } = createKeptLog();
  const relay = createRelay(readConfig(site.env), log);
  releaseLater(() => relay.stop());
  const { port } = await relay.start();
  const line = (find: LogLine) =>
    eventually(
      () => lines.find((one) => Object.entries(find).every(([name, value]) => one[name] === value)),
      {
        what: JSON.stringify(find),
      },
    );

  const jobGroupId = site.simulator.createJobGroup({ recipeId: 27, webhook: false });
  const body = JSON.stringify({ jobId: String(jobGroupId), jobStatus: "Complete" });
  const signed = sign("designer-cloud", WEBHOOK_SECRET, body);
  const headers = { "content-type": "application/json", "x-request-id": "delivery-7", ...signed };
  await fetch(`http://127.0.0.1:${port}/webhooks/designer-cloud`, { method: "POST", headers, body });
  expect(await line({ requestId: "delivery-7" })).toMatchObject({ level: 30, status: 202, jobGroupId });
  expect(await line({ stage: "dispatch", jobGroupId })).toMatchObject({
    level: 30,
    source: "webhook",
    delivery: "delivery-7",
  });
  expect(await line({ stage: "publish", jobGroupId })).toMatchObject({ level: 30 });
  expect(await line({ stage: "job group", jobGroupId })).toMatchObject({
    level: 30,
    value: { words: "published 1 of 1" },
  });

  await site.queue("completions").add("completion", { jobGroupId, status: "Complete" }, { jobId: "mine" });
  expect(await line({ stage: "message", job: "mine" })).toMatchObject({
    level: 20,
    value: { outcome: "merged", duplicate: true },
  });
  const { data } = await site.onlyJob("publish.sales");
  await site.queue("publish.sales").add("copy", data, { jobId: "a-copy" });
  expect(await line({ stage: "publish", taskId: "a-copy" })).toMatchObject({ level: 50, next: "fail" });
});
