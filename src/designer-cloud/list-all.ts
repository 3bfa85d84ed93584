const PAGE = 100;
const PAGES_MAX = 50;

/** Reads a list to its end, 100 rows a page; one that knows no pages answers the same again, which ends it. */
export async function listAll<T extends { readonly id: number }>(
  pageOf: (query: string) => Promise<readonly T[]>,
): Promise<T[]> {
  const found = new Map<number, T>();
  for (let n = 0; n < PAGES_MAX; n++) {
    const rows = await pageOf(`limit=${PAGE}&offset=${n * PAGE}`);
    const known = found.size;
    for (const row of rows) found.set(row.id, row);
    if (rows.length < PAGE || found.size === known) break;
  }
  return [...found.values()];
}
