/** ` Did you mean "table"?` when one of `known` is close to `word`, else an empty text. */
export function didYouMean(word: string, known: readonly string[]): string {
  const allowed = Math.max(1, Math.floor(word.length / 3));
  const [nearest] = known
    .map((candidate) => ({ candidate, edits: edits(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ edits: count }) => count <= allowed)
    .sort((a, b) => a.edits - b.edits);
  return nearest === undefined ? "" : ` Did you mean ${JSON.stringify(nearest.candidate)}?`;
}

/** What a message that ends with a suggestion suggests. */
export function suggestionIn(message: string): string | undefined {
  const [, quoted, braced] = / Did you mean (?:"([^"]+)"|(\{[^{}]+\}))\?$/.exec(message) ?? [];
  return quoted ?? braced;
}

/** Edits from one word to the other, a swap of neighbours counted as one (optimal string alignment). */
function edits(from: string, to: string): number {
  // A long word is no typo of a short one, and the table would be large for nothing.
  if (Math.abs(from.length - to.length) > 8 || from.length > 64) return Number.POSITIVE_INFINITY;
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number) => rows[row]?.[column] ?? Number.POSITIVE_INFINITY;
  for (let row = 1; row <= from.length; row++) {
    rows.push([row]);
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const swapped =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const steps = [
        at(row - 1, column) + 1,
        at(row, column - 1) + 1,
        at(row - 1, column - 1) + (same ? 0 : 1),
      ];
      if (swapped) steps.push(at(row - 2, column - 2) + 1);
      rows[row]?.push(Math.min(...steps));
    }
  }
  return at(from.length, to.length);
}
