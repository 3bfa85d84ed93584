import { expect, test } from "vitest";
import type { ReplayLine } from "../src/processors/replay-line.ts";
import { API_TOKEN, openSite } from "./support/relay.ts";
import { replay } from "./support/replays.ts";

const open = (settings: object = {}) =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [
        {
          name: "all",
          when: "all",
          publish: [{ target: "sales", table: "orders", action: "createAndLoad" }],
        },
      ],
    },
    simulator: { settings: { publishMs: 20, ...settings } },
  });

test("a command waits while the platform's quota is used up, says so, and tells of all job groups", async () => {
  const site = await open({ quotas: [{ on: "jobGroup", limit: 8, perMs: 900 }] });
  const ids = Array.from({ length: 12 }, () => site.simulator.createJobGroup());
  await site.start();
  const waited: number[] = [];
  const { ok, lines } = await replay(site, { jobGroupIds: ids }, (ms) => waited.push(ms));
  expect(lines.map(({ jobGroupId, state }) => [jobGroupId, state])).toEqual(ids.map((id) => [id, "new"]));
  expect(ok).toBe(true);
  // Once, although several had the same answer.
  expect(waited).toEqual([1_000]);
});

test("over HTTP a quota that takes too long is told as what is not known, and nobody is asked any further", async () => {
  const site = await open();
  const ids = Array.from({ length: 30 }, () => site.simulator.createJobGroup());
  const relay = await site.start();
  site.simulator.addFault({ kind: "status", status: 429, retryAfterSeconds: 60, on: "jobGroup" });
  const answer = await fetch(`${relay.url}/v1/replays`, {
    method: "POST",
    headers: { authorization: `Bearer ${API_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({ jobGroupIds: ids }),
  });
  expect(answer.status).toBe(200);
  const { lines, summary } = (await answer.json()) as { lines: readonly ReplayLine[]; summary: string };
  expect(lines).toHaveLength(30);
  for (const { state, words } of lines) {
    expect(state).toBe("unknown");
    expect(words).toMatch(/^not known: .*429.*; do it again later$/);
  }
  expect(summary).toBe("Would replay 0 tasks of 30 job groups (30 unknown)");
  expect(site.simulator.requests({ kind: "jobGroup" }).length).toBeLessThanOrEqual(8);
});

test("a platform that does not answer leaves it unknown, not refused, and the command ends with 1", async () => {
  const site = await open();
  const id = site.simulator.createJobGroup();
  await site.start();
  const fault = site.simulator.addFault({ kind: "status", status: 502, on: "jobGroup" });
  const away = await replay(site, { jobGroupIds: [id], yes: true });
  expect(away).toMatchObject({ ok: false, lines: [{ state: "unknown", does: "nothing", done: false }] });
  expect(away.lines[0]?.words).toMatch(/^not known: .*502.*; do it again once the platform tells it$/);
  site.simulator.clearFaults(fault);
  site.simulator.addFault({ kind: "status", status: 502, on: "jobs" });
  expect(await replay(site, { jobGroupIds: [id] })).toMatchObject({
    ok: false,
    lines: [{ state: "unknown", does: "nothing" }],
  });
});
