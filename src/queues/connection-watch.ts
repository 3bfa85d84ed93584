import type { Redis } from "ioredis";

/** Counted in looks, not by the clock: a process that was frozen has not watched. */
const LOOKS = 12;

/** When a connection counts as silent, and who is told. */
export interface ConnectionWatch {
  /** So long it was open, and Redis answered no PING on it. */
  readonly silentAfterMs: number;
  /** Told each time, before the connection is made anew. */
  readonly onSilent: () => void;
}

/**
 * Makes a connection anew on which nothing is answered though it looks open: its other end is gone without a word. What
 * was asked on it is asked again on the new one. The function it returns ends the watch.
 */
export function watchConnection(redis: Redis, { silentAfterMs, onSilent }: ConnectionWatch): () => void {
  let answered = true;
  let misses = 0;
  const look = (): void => {
    // One that is not there at all is looked for by itself.
    const open = redis.status === "ready" || redis.status === "connect";
    misses = answered || !open ? 0 : misses + 1;
    if (misses >= LOOKS) {
      misses = 0;
      onSilent();
      // Not `disconnect`, which says goodbye first, and waits for it.
      redis.stream.destroy();
      return;
    }
    answered = !open;
    if (!open) return;
    redis.ping().then(
      () => {
        answered = true;
      },
      () => undefined,
    );
  };
  const timer = setInterval(look, silentAfterMs / LOOKS);
  return () => clearInterval(timer);
}
