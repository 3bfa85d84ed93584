/** One line of the report: the same thing measured on both sides, and how they compare. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly naive: string;
  readonly ratio: string;
}

/** What one part of the bench found: lines to read, and all figures to keep. */
export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
  readonly figures: unknown;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** The most of sorted times that lie in any window of that length. */
export function mostInWindow(times: readonly number[], windowMs: number): number {
  let most = 0;
  let from = 0;
  times.forEach((time, i) => {
    while (time - (times[from] ?? time) >= windowMs) from++;
    most = Math.max(most, i - from + 1);
  });
  return most;
}

export const perSecond = (value: number): string => `${Math.round(value).toLocaleString("en")}/s`;
export const millis = (value: number): string => `${value.toFixed(1)} ms`;
export const ratio = (value: number): string => value.toFixed(2);

export function table({ title, rows }: Section): string {
  const lines = [{ what: title, ours: "relay", naive: "naive", ratio: "ratio" }, ...rows];
  const width = (of: (row: Row) => string): number => Math.max(...lines.map((row) => of(row).length));
  const [what, ours, naive] = [width((r) => r.what), width((r) => r.ours), width((r) => r.naive)];
  const text = lines.map((row) =>
    [row.what.padEnd(what), row.ours.padStart(ours), row.naive.padStart(naive), row.ratio.padStart(5)].join(
      "  ",
    ),
  );
  const [head = "", ...rest] = text;
  return [head, "-".repeat(head.length), ...rest].join("\n");
}
