import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { createDice, type Dice } from "../simulator/dice.ts";
import { createSimulator, type Simulator } from "../simulator/simulator.ts";
import { type CompletionRecords, createCompletionRecords } from "../src/queues/completion-record.ts";
import { type Keys, keysOf, publishQueue } from "../src/queues/names.ts";
import { buildRelay } from "./build-relay.ts";
import { type Fleet, startFleet } from "./fleet.ts";
import type { ChaosOptions, Profile } from "./options.ts";
import { createPickups, type Pickups } from "./pickups.ts";
import { LOST_ANSWERS, rulesFile, TARGETS } from "./plan.ts";
import { type KillableRedis, startRedis } from "./redis.ts";
import { createSteps, type Steps } from "./steps.ts";

export const WEBHOOK_SECRET = "chaos-secret";
const NAMESPACE = "publish-relay";

/** Everything that a run needs, opened. */
export interface Site {
  readonly folder: string;
  readonly dice: Dice;
  readonly simulator: Simulator;
  readonly server: KillableRedis;
  /** A connection of our own, past all wires. */
  readonly redis: Redis;
  readonly keys: Keys;
  readonly records: CompletionRecords;
  readonly steps: Steps;
  readonly pickups: Pickups;
  readonly fleet: Fleet;
  readonly webhookUrl: string;
  /** Closes all of it; answers how the relay's processes ended. */
  close(): Promise<(number | null)[]>;
}

/** Starts Redis, the simulated platform and three relay processes; nothing of it is left after `close`, or when it throws. */
export async function openSite(
  { seed, keep }: ChaosOptions,
  profile: Profile,
  note: (what: string) => void,
): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-chaos-"));
  const releasers: (() => unknown)[] = [];
  if (!keep) releasers.push(() => rm(folder, { recursive: true, force: true }));
  const release = async (): Promise<void> => {
    for (const one of releasers.splice(0).reverse()) await one();
  };
  try {
    const program = await buildRelay(folder);
    const server = await startRedis(join(folder, "redis"));
    releasers.push(() => server.stop());
    const redis = new Redis(server.url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
    redis.on("error", () => undefined);
    releasers.push(() => redis.disconnect());

    const webPort = await freePort();
    const webhookUrl = `http://127.0.0.1:${webPort}/webhooks/designer-cloud`;
    const simulator = createSimulator({
      settings: {
        seed,
        appearMs: [...profile.appearMs],
        publishMs: [...profile.publishMs],
        // Nothing but the relay prevents a second publish.
        sameTarget: "append",
        concurrent: "append",
      },
      webhook: {
        url: webhookUrl,
        secret: WEBHOOK_SECRET,
        behaviour: { once: 6, twice: 2, late: 1, outOfOrder: 1 },
        lateMs: profile.webhookLateMs,
        retryMs: 300,
        retries: 8,
      },
    });
    const platformUrl = new URL(await simulator.start());
    releasers.push(() => simulator.stop());
    for (const fault of LOST_ANSWERS) simulator.addFault(fault);

    const keys = keysOf(NAMESPACE);
    const pickups = createPickups(
      redis,
      keys,
      TARGETS.map(({ name }) => publishQueue(name)),
    );
    releasers.push(() => pickups.close());
    const publishing = countPublishing(simulator);
    // Told apart from the fleet, which needs its taps to be made.
    let fleet: Fleet | undefined;
    const steps = createSteps({
      mayDie: (slot) => fleet?.killable().includes(slot) ?? false,
      kill: (slot, step) => {
        note(`process ${slot.index + 1}: kill -9, ${step}`);
        fleet?.kill(slot);
      },
      stateOf: async (jobGroupId, field) => {
        const json = await redis.hget(keys.group(jobGroupId), field);
        return json === null ? undefined : (JSON.parse(json) as { state: string }).state;
      },
      isPublishing: (jobGroupId) => (publishing.get(jobGroupId) ?? 0) > 0,
    });

    const rules = join(folder, "rules.yaml");
    await writeFile(rules, JSON.stringify(rulesFile(profile)));
    const running = await startFleet({
      program,
      folder,
      redisPort: server.port,
      platformPort: Number(platformUrl.port),
      taps: steps.taps,
      onKilled: (_slot, workers) => pickups.killed(workers, Date.now()),
      members: [
        { roles: "web,dispatch,publish", port: webPort },
        { roles: "dispatch,publish", port: 0 },
        { roles: "dispatch,publish", port: 0 },
      ],
      env: {
        NAMESPACE,
        RULES_FILE: rules,
        DESIGNER_CLOUD_TOKEN: "simulator-token",
        WEBHOOK_SECRETS: WEBHOOK_SECRET,
      },
    });
    fleet = running;
    let stopped: Promise<(number | null)[]> | undefined;
    const stop = (): Promise<(number | null)[]> => (stopped ??= running.stop());
    releasers.push(stop);

    return {
      folder,
      simulator,
      server,
      redis,
      keys,
      steps,
      pickups,
      fleet: running,
      webhookUrl,
      dice: createDice(seed),
      records: createCompletionRecords(redis, keys, 86_400_000),
      close: async () => {
        const codes = await stop();
        await release();
        return codes;
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** How many publishes of each job group run on the platform now. */
function countPublishing({ events }: Simulator): ReadonlyMap<number, number> {
  const running = new Map<number, number>();
  const add = (jobGroupId: number, n: number): void =>
    void running.set(jobGroupId, (running.get(jobGroupId) ?? 0) + n);
  events.on("request", ({ publishJobId, jobGroupId }) => {
    if (publishJobId !== undefined && jobGroupId !== undefined) add(jobGroupId, 1);
  });
  events.on("publishEnded", ({ jobGroupId }) => add(jobGroupId, -1));
  return running;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no free port on 127.0.0.1");
  return address.port;
}
