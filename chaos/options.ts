import { parseArgs } from "node:util";

export const USAGE = `Usage: npm run chaos -- [--completions 2000] [--seed 1] [--short] [--keep]
  --completions  job groups that finish, each published to 3 targets
  --seed         repeats a run's choice of faults; without it, one is drawn and printed
  --short        a run of well under a minute: fewer completions, shorter times
  --keep         leaves the run's folder (logs of the relay's processes, Redis' data) where it is
`;

export interface ChaosOptions {
  readonly completions: number;
  readonly seed: number;
  readonly short: boolean;
  /** Leaves the folder of the run. */
  readonly keep: boolean;
}

const DEFAULT_COMPLETIONS = 2_000;
const SHORT_COMPLETIONS = 40;

/** Reads the command line; throws with words for the person who wrote it. */
export function readOptions(args: readonly string[]): ChaosOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      completions: { type: "string" },
      seed: { type: "string" },
      short: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  const { short, keep } = values;
  return {
    short,
    keep,
    completions:
      wholeNumber("--completions", values.completions) ?? (short ? SHORT_COMPLETIONS : DEFAULT_COMPLETIONS),
    seed: wholeNumber("--seed", values.seed) ?? 1 + Math.floor(Math.random() * 1_000_000),
  };
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`${name} must be a whole number from 1, not "${text}"`);
  return Number(text);
}

/** How long everything takes in a run, in milliseconds, and how often what goes wrong. */
export interface Profile {
  /** A job group finishes so often. */
  readonly finishEveryMs: number;
  readonly settleAfterMs: number;
  /** How long after the PUT a publish job may show: up to 80 % of `settleAfterMs`. */
  readonly appearMs: readonly [number, number];
  readonly publishMs: readonly [number, number];
  /** A long publish: three times the lock; in the short form one and a half times. */
  readonly longMs: number;
  /** The deadline of a publish that gets stuck. */
  readonly stuckDeadlineMs: number;
  readonly killEveryMs: number;
  /** Each such kill is one at random, the others are at named steps. */
  readonly randomKillEach: number;
  /** SIGSTOP comes first after, then every, and lasts. */
  readonly freeze: { readonly firstMs: number; readonly everyMs: number; readonly forMs: number };
  readonly redisDown: {
    readonly firstMs: number;
    readonly everyMs: number;
    readonly forMs: readonly [number, number];
  };
  /** With this much of the last completions gone by, the faults end whatever is still open. */
  readonly tailMs: number;
  /** When the faults have ended, everything that can end has so long. */
  readonly endWithinMs: number;
  /** `long` and `failOnce` of publish tasks, `failAlways` and `stuck` of job groups, one of whose publishes is meant. */
  readonly shares: {
    readonly long: number;
    readonly failOnce: number;
    readonly failAlways: number;
    readonly stuck: number;
  };
  readonly webhookLateMs: number;
  /** Publishes running at once, per target. */
  readonly concurrency: number;
}

/** Of each kind of fault there is at least one, however small the run. */
export function profileOf({ short }: ChaosOptions): Profile {
  return short ? SHORT : FULL;
}

const FULL: Profile = {
  finishEveryMs: 250,
  settleAfterMs: 5_000,
  appearMs: [20, 4_000],
  publishMs: [100, 1_500],
  longMs: 24_500,
  stuckDeadlineMs: 15_000,
  killEveryMs: 2_000,
  randomKillEach: 2,
  freeze: { firstMs: 12_000, everyMs: 60_000, forMs: 20_000 },
  redisDown: { firstMs: 40_000, everyMs: 100_000, forMs: [300, 3_000] },
  tailMs: 60_000,
  endWithinMs: 240_000,
  shares: { long: 0.005, failOnce: 0.02, failAlways: 0.005, stuck: 0.003 },
  webhookLateMs: 4_000,
  concurrency: 40,
};

const SHORT: Profile = {
  ...FULL,
  finishEveryMs: 500,
  settleAfterMs: 3_000,
  appearMs: [20, 2_400],
  publishMs: [100, 600],
  longMs: 12_000,
  stuckDeadlineMs: 4_000,
  freeze: { firstMs: 5_000, everyMs: 60_000, forMs: 10_000 },
  redisDown: { firstMs: 9_000, everyMs: 60_000, forMs: [300, 800] },
  tailMs: 8_000,
  endWithinMs: 40_000,
  randomKillEach: 4,
  webhookLateMs: 1_500,
};
