import { setTimeout as wait } from "node:timers/promises";

export interface EventuallyOptions {
  /** Default 10 s. */
  readonly timeoutMs?: number;
  /** Default 25 ms. */
  readonly everyMs?: number;
  /** Names what is waited for in the error. */
  readonly what?: string;
}

/**
 * Asks again and again until `check` neither throws nor answers false, null or undefined, and returns its answer.
 * Only for what cannot be awaited: another process, a row in Redis, a page.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 10_000, everyMs = 25, what = "what the test waits for" }: EventuallyOptions = {},
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      last = await check();
      if (last !== false && last !== null && last !== undefined)
        return last as Exclude<T, false | null | undefined>;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const told = last instanceof Error ? last.message : `it was ${String(last)}`;
      throw new Error(`${what} did not come about within ${timeoutMs} ms; last time: ${told}`, {
        cause: last,
      });
    }
    await wait(everyMs);
  }
}
