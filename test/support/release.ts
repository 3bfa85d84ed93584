import { onTestFinished } from "vitest";

const atFileEnd: Array<() => Promise<unknown>> = [];

/** For the hook at the end of every file. */
export async function releaseAtFileEnd(): Promise<void> {
  while (atFileEnd.length > 0) await atFileEnd.pop()?.();
}

/**
 * Has something closed at the end of the test that opened it, or of the file when it was opened outside of a test (in beforeAll, say).
 * Last opened, first closed.
 */
export function releaseLater(release: () => Promise<unknown>): void {
  try {
    onTestFinished(async () => {
      await release();
    });
  } catch {
    atFileEnd.push(release);
  }
}
