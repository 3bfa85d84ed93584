/** Runs the work when it is its turn; undefined when it was pushed out of a line that is full. */
export type RankedLine = <T>(rank: number, work: () => Promise<T>) => Promise<T | undefined>;

interface Waiting {
  readonly rank: number;
  readonly run: () => void;
  readonly leave: () => void;
}

/**
 * A line for work that costs: the lowest rank goes first, and among equals whoever waits longest.
 *
 * `atOnce` run at a time. When more than `places` wait, one of the highest rank has to go.
 */
export function createRankedLine(atOnce: number, places: number): RankedLine {
  const line: Waiting[] = [];
  let running = 0;

  const take = (better: (one: Waiting, best: Waiting) => boolean): Waiting | undefined => {
    let best = line[0];
    for (const one of line) if (best === undefined || better(one, best)) best = one;
    if (best !== undefined) line.splice(line.indexOf(best), 1);
    return best;
  };
  const next = (): void => {
    if (running >= atOnce) return;
    const first = take((one, best) => one.rank < best.rank);
    if (first === undefined) return;
    running++;
    first.run();
  };

  return (rank, work) =>
    new Promise((resolve, reject) => {
      const run = (): void => {
        work()
          .then(resolve, reject)
          .finally(() => {
            running--;
            next();
          });
      };
      line.push({ rank, run, leave: () => resolve(undefined) });
      next();
      if (line.length > places) take((one, best) => one.rank > best.rank)?.leave();
    });
}
