const QUOTED = /"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'/g;
/** A key or what begins an entry of a list, and a value that is not in quotes; braces only as those of a placeholder. */
const VALUE =
  /(?:(?:[-[,]\s*)?([\p{L}\p{N}_$-]+):|[-[,])\s*((?:\{(?:\w+|date:[^{}\s]*|labels\.[^{},]*)\}|[^,"'#{}[\]])+)/gu;
const PLACEHOLDER = /\{[^{}]+\}/;

/**
 * What to put in quotes when YAML stumbles in a line: a value with a placeholder, or one that starts with a character that
 * means something to YAML. `at` counts from 0; undefined when no such value stands there.
 */
export function quoteAdvice(line: string, at: number): string | undefined {
  // What is in quotes already is good, whatever it holds; the places of the others stay as they are.
  const bare = line.replace(QUOTED, (quoted) => "_".repeat(quoted.length));
  for (const { 0: whole, 1: key, 2: raw = "", index } of bare.matchAll(VALUE)) {
    const value = raw.trimEnd();
    const start = index + whole.length - raw.length;
    if (at < start || at > start + value.length) continue;
    const [placeholder] = PLACEHOLDER.exec(value) ?? [];
    const [mark] = /^[*&%@`!|>]/.exec(value) ?? [];
    if (placeholder === undefined && mark === undefined) return undefined;
    const what = mark === undefined ? `with ${placeholder}` : `that starts with ${mark}`;
    const quoted = JSON.stringify(line.slice(start, start + value.length));
    return `put a value ${what} in quotes: ${key === undefined ? "" : `${key}: `}${quoted}`;
  }
  return undefined;
}
