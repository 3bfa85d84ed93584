import { expect, test } from "vitest";
import { keysOf } from "../src/queues/names.ts";
import type { ReplayArguments } from "../src/replay-command.ts";
import { eventually } from "./support/eventually.ts";
import { openRedis } from "./support/redis.ts";
import { only, openSite, type Site, untilState } from "./support/relay.ts";
import { allEnded, inShort, replay } from "./support/replays.ts";

const RULES = (target: string) => ({
  targets: { [target]: { connection: 2, schema: "public" } },
  rules: [
    {
      name: "all",
      when: "all",
      publish: [{ target, table: "orders", action: "truncateAndLoad", attempts: 1 }],
    },
  ],
});

/** A job group as it is to be asked for, and what lets its task end. */
interface Kind {
  readonly id: number;
  /** In place of those that the relay has. */
  readonly rulesFile?: string;
  readonly settle?: () => Promise<unknown>;
}

const make = ({ simulator }: Site): number => simulator.createJobGroup();

async function running(site: Site): Promise<Kind> {
  site.simulator.set({ publishMs: 60_000 });
  const id = make(site);
  await (await site.start()).report(id);
  await untilState(site, id, "submitted");
  const jobId = await eventually(async () => only(await site.tasks(id)).record.publishJobId);
  return { id, settle: async () => site.simulator.endPublish(jobId) };
}

async function waiting(site: Site): Promise<Kind> {
  const queue = site.queue("publish.sales");
  const relay = await site.start();
  await queue.pause();
  const id = make(site);
  await relay.report(id);
  await site.dispatched(id);
  return { id, settle: () => queue.resume() };
}

async function superseded(site: Site): Promise<Kind> {
  const relay = await site.start();
  const [id, newer] = [make(site), make(site)];
  for (const one of [newer, id]) {
    await relay.report(one);
    await site.ended(one);
  }
  return { id };
}

async function supersededLongAgo(site: Site): Promise<Kind> {
  const kind = await superseded(site);
  const { prefix } = keysOf(site.namespace);
  const redis = openRedis();
  for (const key of await redis.keys(`${prefix}:newest:*`)) await redis.del(key);
  return kind;
}

async function older(site: Site): Promise<Kind> {
  const relay = await site.start();
  const [id, newer] = [make(site), make(site)];
  await relay.report(newer);
  await site.ended(newer);
  return { id };
}

async function withoutTarget(site: Site): Promise<Kind> {
  await site.start();
  const other = await openSite({ rules: RULES("finance") });
  return { id: make(site), rulesFile: other.env["RULES_FILE"] ?? "" };
}

const left = "left alone";
test.each([
  ["runs", running, "sales running -> nothing", left, 1],
  ["waits behind a paused target", waiting, "sales waiting -> nothing", left, 1],
  ["was superseded", superseded, "sales superseded -> nothing", left, 0],
  ["was superseded by one that is forgotten", supersededLongAgo, "sales superseded -> nothing", left, 0],
  ["is older than what is in its table", older, "sales superseded -> nothing", left, 0],
  ["has a target that no relay has", withoutTarget, "finance refused -> nothing", "no running relay has", 0],
] as const)(
  "what %s is left alone, by force too, as the dry run says",
  async (_, prepare, line, words, puts) => {
    const site = await openSite({ rules: RULES("sales"), simulator: { settings: { publishMs: 5 } } });
    const { id, rulesFile, settle } = await prepare(site);
    const asking = rulesFile ? { ...site, env: { ...site.env, RULES_FILE: rulesFile } } : site;
    const choices: Partial<ReplayArguments>[] = [{}, { force: true, reason: "sure" }, { force: true }];
    for (const choice of choices) {
      const dry = await replay(asking, { ...choice, jobGroupIds: [id] });
      expect([choice, inShort(dry.lines)]).toEqual([choice, [line]]);
      expect(only(dry.lines).words).toContain(words);
      const done = await replay(asking, { ...choice, jobGroupIds: [id], yes: true });
      expect(done.lines).toEqual(dry.lines.map((one) => ({ ...one, done: false })));
      const good = !line.includes("refused");
      expect([dry.ok, done.ok]).toEqual([good, good]);
    }
    await settle?.();
    await allEnded(site, [id]);
    expect(site.puts(id)).toHaveLength(puts);
  },
  20_000,
);
