const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** What `parseDuration` reads, as a regular expression. */
export const DURATION_PATTERN = `^(\\d{1,12})(${Object.keys(UNIT_MS).join("|")})$`;
const DURATION = new RegExp(DURATION_PATTERN);

/** Reads `500ms` `20s` `1m` `2h` `90d` into milliseconds; anything else is undefined. */
export function parseDuration(text: string): number | undefined {
  const parts = DURATION.exec(text);
  if (parts === null) return undefined;
  return Number(parts[1]) * UNIT_MS[parts[2] as keyof typeof UNIT_MS];
}

/** Writes milliseconds the way a rules file does, in the largest unit that divides them. */
export function formatDuration(ms: number): string {
  const units = Object.entries(UNIT_MS).toReversed();
  const [unit, unitMs] = units.find(([, size]) => ms >= size && ms % size === 0) ?? ["ms", 1];
  return `${ms / unitMs}${unit}`;
}
