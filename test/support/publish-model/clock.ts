/** Time that goes on only when the next thing happens: a run of hours takes milliseconds and is the same each time. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
  /** Does `act` in `ms`; the function it returns forgets it. */
  after(ms: number, act: () => void): () => void;
  /** Goes on to the next thing and does it; false when nothing is left. */
  next(): boolean;
}

interface Due {
  readonly at: number;
  readonly nth: number;
  readonly act: () => void;
}

export function createClock(startAt: number): Clock {
  let now = startAt;
  let count = 0;
  const dues = new Set<Due>();

  function first(): Due | undefined {
    let best: Due | undefined;
    for (const due of dues) {
      if (!best || due.at < best.at || (due.at === best.at && due.nth < best.nth)) best = due;
    }
    return best;
  }

  return {
    now: () => now,
    after: (ms, act) => {
      count += 1;
      const due: Due = { at: now + Math.max(0, ms), nth: count, act };
      dues.add(due);
      return () => void dues.delete(due);
    },
    next: () => {
      const due = first();
      if (!due) return false;
      dues.delete(due);
      now = due.at;
      due.act();
      return true;
    },
  };
}
