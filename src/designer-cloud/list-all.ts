const PAGE = 100;
const PAGES_MAX = 100;

/**
 * Reads a list to its end. A tenant may give fewer rows a page than are asked for, and one that knows no pages answers the
 * same again: a page that brings nothing new is the end.
 */
export async function listAll<T extends { readonly id: number }>(
  pageOf: (query: string) => Promise<readonly T[]>,
): Promise<T[]> {
  const found = new Map<number, T>();
  for (let n = 0; n < PAGES_MAX; n++) {
    const known = found.size;
    for (const row of await pageOf(`limit=${PAGE}&offset=${known}`)) found.set(row.id, row);
    if (found.size === known) break;
  }
  return [...found.values()];
}
