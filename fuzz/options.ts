import { parseArgs } from "node:util";

export const USAGE = `Usage: npm run fuzz -- [--requests 10000] [--seed 1]
  --requests  hostile requests that are sent
  --seed      repeats a run's requests; without it, one is drawn and printed

Exit codes: 0 nothing was wrong, 1 something was, 2 wrong usage.
`;

export interface FuzzOptions {
  readonly requests: number;
  readonly seed: number;
}

/** Reads the command line; throws with words for the person who wrote it. */
export function readOptions(args: readonly string[]): FuzzOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      requests: { type: "string" },
      seed: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return "help";
  return {
    requests: wholeNumber("--requests", values.requests) ?? 10_000,
    seed: wholeNumber("--seed", values.seed) ?? 1 + Math.floor(Math.random() * 1_000_000),
  };
}

function wholeNumber(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`${name} must be a whole number from 1, not "${text}"`);
  return Number(text);
}
