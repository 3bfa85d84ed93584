import type { Clock } from "./clock.ts";

/**
 * The process that runs one task. Whatever the task asks of the world leaves at once, has its effect a moment later,
 * and is answered a moment after that: the process may die or be frozen before, between and after.
 */
export interface ModelProcess {
  /** Asks for an effect; the answer comes only if the process lives, and when it is not frozen. */
  call<T>(effect: () => T, backMs?: number): Promise<T>;
  /** Goes on in the process itself after a while: late when it is frozen, never when it died. */
  later(ms: number, go: () => void): () => void;
  kill(): void;
  freeze(): void;
  thaw(): void;
  readonly state: () => "runs" | "frozen" | "dead";
  /** Epoch milliseconds since when it renews no lock. */
  readonly silentSince: () => number;
}

const AWAY_MS = 1;

export function createProcess(clock: Clock): ModelProcess {
  let state: "runs" | "frozen" | "dead" = "runs";
  let held: (() => void)[] = [];
  let silentSince = Infinity;

  function deliver(go: () => void): void {
    if (state === "runs") go();
    else if (state === "frozen") held.push(go);
  }

  const later = (ms: number, go: () => void): (() => void) => clock.after(ms, () => deliver(go));

  return {
    later,
    call: (effect, backMs = AWAY_MS) =>
      new Promise((resolve, reject) => {
        clock.after(AWAY_MS, () => {
          try {
            const answer = effect();
            later(backMs, () => resolve(answer));
          } catch (error) {
            later(backMs, () => reject(error));
          }
        });
      }),
    kill: () => {
      if (state === "runs") silentSince = clock.now();
      state = "dead";
      held = [];
    },
    freeze: () => {
      if (state !== "runs") return;
      silentSince = clock.now();
      state = "frozen";
    },
    thaw: () => {
      if (state !== "frozen") return;
      state = "runs";
      silentSince = Infinity;
      for (const go of held.splice(0)) go();
    },
    state: () => state,
    silentSince: () => silentSince,
  };
}
