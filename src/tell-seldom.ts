const REMIND_MS = 10 * 60_000;

/** Says which of the lines about something that lasts are worth a person's time. */
export interface TellSeldom {
  /** True for the first of its kind, and then once in ten minutes. */
  readonly isDue: (kind: string) => boolean;
  /** It is over: the next is a first one. */
  readonly over: () => void;
}

/** One trouble of one process; `now` in milliseconds. */
export function createTellSeldom(now: () => number = Date.now): TellSeldom {
  const toldAt = new Map<string, number>();
  return {
    isDue: (kind) => {
      if (now() - (toldAt.get(kind) ?? -Infinity) < REMIND_MS) return false;
      toldAt.set(kind, now());
      return true;
    },
    over: () => toldAt.clear(),
  };
}
