type Ask<T> = (id: number, signal?: AbortSignal) => Promise<T>;

interface Call<T> {
  readonly answer: Promise<T>;
  readonly stop: AbortController;
  waiting: number;
}

export interface Memory<T> {
  /** How long an answer is good, from when it was asked for, in milliseconds. */
  readonly lifeMs: number;
  /** So many answers are kept; the oldest goes first. */
  readonly max: number;
  /** Has the answer all that is asked for? One that has not is asked for again the next time. */
  isWhole(answer: T): boolean;
  /** In milliseconds; default `performance.now`, which nobody sets back. */
  readonly now?: () => number;
}

/**
 * Remembers answers by id for a short time, and asks once for all who want the same at the same time.
 *
 * Whose `signal` aborts is rejected with its reason; the call goes on for the others, and stops when nobody is left. A
 * call that fails rejects for all who wait, and is not remembered.
 */
export function rememberAnswers<T>(ask: Ask<T>, memory: Memory<T>): Ask<T> {
  const { lifeMs, max, isWhole, now = () => performance.now() } = memory;
  // All live equally long, so those asked for first stand first and end first.
  const kept = new Map<number, { readonly answer: T; readonly until: number }>();
  const calls = new Map<number, Call<T>>();

  function keep(id: number, answer: T, until: number): void {
    kept.delete(id);
    kept.set(id, { answer, until });
    for (const [oldest, { until: end }] of kept) {
      if (kept.size <= max && end > now()) break;
      kept.delete(oldest);
    }
  }

  function start(id: number): Call<T> {
    const stop = new AbortController();
    const until = now() + lifeMs;
    const answer = ask(id, stop.signal)
      .then((found) => {
        if (isWhole(found)) keep(id, found, until);
        return found;
      })
      .finally(() => forget(id, call));
    // Everybody may have left by the time that it fails.
    answer.catch(() => {});
    const call: Call<T> = { answer, stop, waiting: 0 };
    calls.set(id, call);
    return call;
  }

  function forget(id: number, call: Call<T>): void {
    if (calls.get(id) === call) calls.delete(id);
  }

  return async (id, signal) => {
    signal?.throwIfAborted();
    const known = kept.get(id);
    if (known !== undefined && known.until > now()) return known.answer;
    const call = calls.get(id) ?? start(id);
    call.waiting++;
    try {
      return await unlessAborted(call.answer, signal);
    } finally {
      call.waiting--;
      if (call.waiting === 0) {
        forget(id, call);
        call.stop.abort();
      }
    }
  };
}

function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return answer;
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason as Error);
    signal.addEventListener("abort", leave, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
