import type { Dice } from "../simulator/dice.ts";
import type { Fleet } from "./fleet.ts";
import type { Profile } from "./options.ts";
import type { KillableRedis } from "./redis.ts";
import { STEPS, type Step, type Steps } from "./steps.ts";

export interface MonkeyDeps {
  readonly fleet: Fleet;
  readonly steps: Steps;
  readonly redis: KillableRedis;
  readonly profile: Profile;
  readonly dice: Dice;
  readonly onRedisKilled: (at: number) => void;
  /** A line of what was done, for the story of a task that went wrong. */
  readonly note: (what: string) => void;
}

export interface Monkey {
  /** Nothing more is killed or stopped; what is stopped goes on, and Redis is back. */
  stop(): Promise<void>;
  readonly counts: { random: number; frozen: number; redis: number; spared: number };
}

/** With so many named steps that nobody came to, a process is killed at random. */
const ARMED_MAX = 3;
const READY_SOON_MS = 200;
/** A process that goes on after a stop is left alone for so long, to show what it would write and send. */
const AFTER_THAW_MS = 3_000;

/** Kills and stops what runs, as the seed says. */
export function releaseMonkey({
  fleet,
  steps,
  redis,
  profile,
  dice,
  onRedisKilled,
  note,
}: MonkeyDeps): Monkey {
  const counts = { random: 0, frozen: 0, redis: 0, spared: 0 };
  const timers = new Set<NodeJS.Timeout>();
  let tick = 0;
  let stepsArmed = 0;
  let striking = Promise.resolve();

  const later = (ms: number, act: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, ms);
    timers.add(timer);
  };

  function killOne(): void {
    const slot = pick(fleet.killable(), dice.roll(`kill/${tick}`));
    if (!slot) {
      counts.spared++;
      return;
    }
    counts.random++;
    note(`process ${slot.index + 1}: kill -9, at random`);
    fleet.kill(slot);
  }

  /** Each time one process dies: at random, or whichever comes first to the step that is armed. */
  function kill(): void {
    tick++;
    later(profile.killEveryMs, kill);
    if (tick % profile.randomKillEach === 0 || steps.armed.size >= ARMED_MAX) killOne();
    else steps.arm(nextStep(stepsArmed++, dice));
  }

  function freeze(turn: number): void {
    const slot = pick(fleet.killable(), dice.roll(`freeze/${turn}`));
    if (!slot) return later(READY_SOON_MS, () => freeze(turn));
    later(profile.freeze.everyMs, () => freeze(turn + 1));
    counts.frozen++;
    slot.spared = true;
    fleet.freeze(slot);
    note(`process ${slot.index + 1}: SIGSTOP`);
    later(profile.freeze.forMs, () => {
      note(`process ${slot.index + 1}: SIGCONT`);
      fleet.thaw(slot);
      later(AFTER_THAW_MS, () => {
        slot.spared = false;
      });
    });
  }

  function killRedis(turn: number): void {
    later(profile.redisDown.everyMs, () => killRedis(turn + 1));
    counts.redis++;
    note("redis-server: kill -9");
    onRedisKilled(Date.now());
    const downMs = dice.span([...profile.redisDown.forMs], `redis/${turn}`);
    striking = redis.strike(downMs).then(() => note("redis-server: started again"));
  }

  later(profile.killEveryMs, kill);
  later(profile.freeze.firstMs, () => freeze(0));
  later(profile.redisDown.firstMs, () => killRedis(0));

  return {
    counts,
    stop: async () => {
      for (const timer of timers) clearTimeout(timer);
      steps.disarm();
      for (const slot of fleet.slots) if (slot.state === "frozen") fleet.thaw(slot);
      await striking;
    },
  };
}

const pick = <T>(all: readonly T[], roll: number): T | undefined => all[Math.floor(roll * all.length)];

/** All steps in an order of the seed's, then all in another one. */
function nextStep(n: number, dice: Dice): Step {
  const round = Math.floor(n / STEPS.length);
  const order = [...STEPS].sort((a, b) => dice.roll(`step/${round}/${a}`) - dice.roll(`step/${round}/${b}`));
  return order[n % STEPS.length] ?? "while following";
}
