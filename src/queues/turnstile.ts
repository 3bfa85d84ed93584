/** Runs calls one at a time, in the order in which they came. */
export type Turnstile = <T>(call: () => Promise<T>) => Promise<T>;

/** One turnstile per name, made when it is first asked for. */
export function createTurnstiles(): (name: string) => Turnstile {
  const turnstiles = new Map<string, Turnstile>();
  return (name) => {
    const known = turnstiles.get(name) ?? createTurnstile();
    turnstiles.set(name, known);
    return known;
  };
}

function createTurnstile(): Turnstile {
  let last: Promise<unknown> = Promise.resolve();
  return (call) => {
    const mine = last.then(call);
    last = mine.catch(() => undefined);
    return mine;
  };
}
