import type { Arrivals } from "./children/stub-platform.ts";
import { millis, quantile, ratio, type Section } from "./figures.ts";
import { openCaller, webhooks } from "./requests.ts";
import type { Site } from "./site.ts";

/** Long enough for the relay to look, 100 ms after a publish, how it ended. */
const REST_MS = 180;
const WARM_UP = 10;

/** From a webhook's first byte to its PUT at the platform, with nothing else to do; both sides by turns. */
export async function measureIdleLatency(site: Site, samples: number): Promise<Section> {
  await site.redis.flushall();
  const stub = await site.startStub();
  const relay = await site.startRelay(stub, "web,dispatch,publish", { targets: 1 });
  const naive = await site.startNaive(stub, "web,work", { TARGETS: "1" });
  const ours: number[] = [];
  const theirs: number[] = [];
  const sides = [
    [await openCaller(relay.port), ours],
    [await openCaller(naive.port), theirs],
  ] as const;
  for (let i = 0; i < samples + WARM_UP; i++) {
    for (const [caller, into] of sides) {
      const [request = Buffer.alloc(0)] = webhooks(i + 1, 1);
      const arrived = stub.ask<Arrivals>({ expect: 1 });
      const sentAt = Number(process.hrtime.bigint()) / 1e6;
      await caller.call(request);
      const { firstAt } = await arrived;
      if (i >= WARM_UP) into.push(firstAt - sentAt);
      await new Promise((resolve) => setTimeout(resolve, REST_MS));
    }
  }
  for (const [caller] of sides) caller.close();
  for (const child of [relay, naive, stub]) await child.stop();

  const row = (what: string, share: number) => {
    const [a, b] = [quantile(ours, share), quantile(theirs, share)];
    return { what, ours: millis(a), naive: millis(b), ratio: ratio(a / b) };
  };
  return {
    title: `Webhook in to PUT out, idle (${samples} each)`,
    rows: [row("p50", 0.5), row("p99", 0.99)],
    figures: { ours, naive: theirs },
  };
}
