import { pino } from "pino";
import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { keysOf } from "../src/queues/names.ts";
import { taskField } from "../src/queues/record.ts";
import { runReplay } from "../src/replay-command.ts";
import type { ReplayOptions } from "../src/relay-replay.ts";
import { openRedis } from "./support/redis.ts";
import { startRedisProxy } from "./support/redis-proxy.ts";
import { only, openSite, type Site } from "./support/relay.ts";
import { allEnded } from "./support/replays.ts";

const open = () =>
  openSite({
    rules: {
      targets: { sales: { connection: 2, schema: "public" } },
      rules: [
        {
          name: "all",
          when: "all",
          publish: [{ target: "sales", table: "orders", action: "load", attempts: 1 }],
        },
      ],
    },
    simulator: { settings: { publishMs: 5, sameTarget: "append", concurrent: "append" } },
  });

/** Job groups whose tasks failed, for a reason that is mended. */
async function failedOnes(site: Site, count: number): Promise<number[]> {
  const ids = Array.from({ length: count }, () => site.simulator.createJobGroup());
  site.simulator.addFault({ kind: "status", status: 403 });
  const relay = await site.start();
  for (const id of ids) await relay.report(id);
  await Promise.all(ids.map((id) => site.ended(id)));
  site.simulator.clearFaults();
  site.simulator.clearRequests();
  return ids;
}

function command(
  site: Site,
  jobGroupIds: readonly number[],
  onProgress: ReplayOptions["onProgress"],
  more: { url?: string; json?: boolean } = {},
) {
  const config = readConfig({ ...site.env, ...(more.url && { REDIS_URL: more.url }) });
  const args = { failed: false, force: false, yes: true, json: more.json ?? true, jobGroupIds };
  return runReplay(args, config, pino({ level: "silent" }), undefined, onProgress && { onProgress });
}

test("a task that changed after it was looked at is left alone and refused: the command ends with 1", async () => {
  const site = await open();
  const ids = await failedOnes(site, 20);
  const last = ids.at(-1) ?? 0;
  const { plan, json } = only(await site.tasks(last));
  const redis = openRedis();
  let written: Promise<unknown> | undefined;
  const { text, ok } = await command(site, ids, (doing) => {
    if (doing === "replayed")
      written ??= redis.hset(keysOf(site.namespace).group(last), taskField(plan), `${json} `);
  });
  await written;
  const { lines } = JSON.parse(text) as { lines: { jobGroupId: number; done: boolean; state: string }[] };
  expect(lines.filter(({ done }) => !done)).toMatchObject([
    {
      jobGroupId: last,
      state: "refused",
      does: "nothing",
      words: expect.stringContaining("it changed just now"),
    },
  ]);
  expect(ok).toBe(false);
  await allEnded(site, ids);
  expect(site.puts(last)).toHaveLength(0);
});

test.each([true, false])(
  "when Redis goes away in the middle, what was done is told, and then why (--json %s)",
  async (json) => {
    const site = await open();
    const ids = await failedOnes(site, 6);
    const proxy = await startRedisProxy();
    const { text, ok } = await command(
      site,
      ids,
      (doing, done) => {
        if (doing === "replayed" && done === 2) proxy.freeze(() => true);
      },
      { url: proxy.url, json },
    );
    expect(ok).toBe(false);
    const { queued, end } = json ? readJson(text) : readTable(text);
    expect(queued).toBe(2);
    expect(end).toMatch(
      /^Stopped at job group \d+: .*Whether that one was replayed is not known; 3 more were not begun\. Ask/,
    );
    await command(site, ids, undefined);
    await allEnded(site, ids);
    expect(ids.map((id) => site.puts(id).length)).toEqual(ids.map(() => 1));
  },
  30_000,
);

function readJson(text: string) {
  const { lines, stopped } = JSON.parse(text) as { stopped: string; lines: { done: boolean }[] };
  return { queued: lines.filter(({ done }) => done).length, end: stopped };
}

const readTable = (text: string) => ({
  queued: text.match(/publish \(queued\)/g)?.length,
  end: text.split("\n").at(-1),
});
