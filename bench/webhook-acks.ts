import type { Child } from "./child.ts";
import { median, millis, perSecond, quantile, ratio, type Section } from "./figures.ts";
import { openCaller, webhooks } from "./requests.ts";
import type { Site } from "./site.ts";

const CONNECTIONS = 64;

interface Acks {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** Signed webhooks acknowledged a second, 64 connections, beside a hand-written node:http + HMAC + queue.add. */
export async function measureWebhookAcks(site: Site, rounds: number, requests: number): Promise<Section> {
  const stub = await site.startStub();
  const relay = await site.startRelay(stub, "web");
  const naive = await site.startNaive(stub, "web");
  const ours: Acks[] = [];
  const theirs: Acks[] = [];
  // The first round warms both up.
  for (let round = 0; round <= rounds; round++) {
    const sides = [
      [relay, ours],
      [naive, theirs],
    ] as const;
    for (const [child, into] of round % 2 === 0 ? sides : sides.toReversed()) {
      await site.redis.flushall();
      const acks = await send(child, requests);
      if (round > 0) into.push(acks);
    }
  }
  for (const child of [relay, naive, stub]) await child.stop();
  return report(ours, theirs, requests);
}

async function send({ port }: Child, requests: number): Promise<Acks> {
  const pending = webhooks(1, requests);
  const callers = await Promise.all(Array.from({ length: CONNECTIONS }, () => openCaller(port)));
  const took: number[] = [];
  const startedAt = performance.now();
  await Promise.all(
    callers.map(async (caller) => {
      for (let next = pending.pop(); next; next = pending.pop()) took.push(await caller.call(next));
    }),
  );
  const elapsedMs = performance.now() - startedAt;
  for (const caller of callers) caller.close();
  return { perSecond: (requests / elapsedMs) * 1_000, p99Ms: quantile(took, 0.99) };
}

function report(ours: readonly Acks[], naive: readonly Acks[], requests: number): Section {
  const rate = (side: readonly Acks[]): number => median(side.map((acks) => acks.perSecond));
  const p99 = (side: readonly Acks[]): number => median(side.map((acks) => acks.p99Ms));
  const pairs = ours.map((acks, i) => acks.perSecond / (naive[i]?.perSecond ?? Number.NaN));
  return {
    title: `Webhooks acknowledged, ${CONNECTIONS} connections (median of ${ours.length} x ${requests})`,
    rows: [
      {
        what: "acks",
        ours: perSecond(rate(ours)),
        naive: perSecond(rate(naive)),
        ratio: ratio(median(pairs)),
      },
      {
        what: "p99",
        ours: millis(p99(ours)),
        naive: millis(p99(naive)),
        ratio: ratio(p99(ours) / p99(naive)),
      },
    ],
    figures: { ours, naive, ratioOfAcks: median(pairs) },
  };
}
