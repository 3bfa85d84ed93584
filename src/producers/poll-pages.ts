/** A job group of the platform's list. */
export interface ListedGroup {
  readonly id: number;
  readonly status?: string;
  readonly ranFor?: string;
  readonly createdAt?: number;
  /** Epoch milliseconds of the platform's clock. */
  readonly updatedAt: number;
}

export interface Page {
  readonly groups: readonly ListedGroup[];
  /** Rows that stood on the page and could not be read. */
  readonly unreadable?: number;
  /** How many there are in all, where the platform says so. */
  readonly count?: number;
  /** When the platform answered, by its own clock, cut to the second. */
  readonly at?: number;
}

/** Job groups asked for at once; the platform may give fewer. */
export const PAGE_LIMIT = 100;
/** The platform's own page: nobody caps pages lower, and asks for it. */
const USUAL_PAGE = 25;
/** Pages overlap by a fifth, at most so many rows: by what both hold one is known to follow the other. */
const OVERLAP_ROWS = 10;
const OVERLAP_SHARE = 5;
/** So many pages in a row that do not follow what was read: the list changes faster than it can be read. */
const MISSES_MAX = 5;

/** Where a look through the list stands: all that stood before the end of its last page was seen. */
export interface Place {
  readonly offset: number;
  /** The ids of the last page that followed the ones before, in their order. */
  readonly tail: readonly number[];
  /** Nothing stood after that page, though there was room. */
  readonly dry: boolean;
  /** Pages in a row that were empty or did not follow. */
  readonly misses: number;
  /** Where a page was empty, if the last one was. */
  readonly emptyAt?: number | undefined;
  /** The page at 0 is read to see whether offsets are heeded; if they are, it goes on here. */
  readonly resume?: number | undefined;
}

export const FIRST_PLACE: Place = { offset: 0, tail: [], dry: false, misses: 0 };

/** What a page says of the place: go on, the list has ended, or it cannot be followed and is to be begun again. */
export type NextPlace = { readonly next: "on" | "torn"; readonly place: Place } | { readonly next: "end" };

/**
 * Where to go on after a page. Rows that are removed meanwhile move the others up, so a page must follow the ones
 * before: else the page before it is read again. The end is where the count says so, or where a page is empty after
 * one that brought nothing more. A platform that gives the same page whatever the offset has no more to give.
 */
export function placeAfter(place: Place, page: Page): NextPlace {
  const { offset, tail } = place;
  const ids = page.groups.map(({ id }) => id);
  const rows = ids.length + (page.unreadable ?? 0);
  const reached = offset + rows;
  const same = ids.length === tail.length && ids.every((id, i) => id === tail[i]);
  const at = (next: number, more: Partial<Place> = {}): NextPlace => ({
    next: "on",
    place: { ...FIRST_PLACE, tail: ids, offset: next, ...more },
  });
  if (place.resume !== undefined) return same ? { next: "end" } : at(place.resume, { tail });
  if (rows === 0) return offset === 0 || place.dry ? { next: "end" } : stepBack(place, offset);
  if (offset > 0 && !place.dry && !follows(tail, ids)) return stepBack(place);
  if (page.count === reached && !(offset === 0 && rows >= USUAL_PAGE)) return { next: "end" };

  const { emptyAt = Infinity } = place;
  const hadRoom = rows < tail.length || reached >= emptyAt;
  const dry = ids.length > 0 && ids.at(-1) === tail.at(-1) && hadRoom && (page.count ?? 0) <= reached;
  const next = dry ? reached : reached - overlapOf(rows);
  // As many new rows as the page moved on by look the same; only the top of the list tells.
  if (same && offset > 0 && place.misses === 0) return at(0, { resume: next });
  return at(next, { dry });
}

/** Goes by the rows that came, for a page may be shorter than was asked and not the last. */
const overlapOf = (rows: number): number =>
  rows < 2 ? 0 : Math.max(1, Math.min(OVERLAP_ROWS, Math.floor(rows / OVERLAP_SHARE)));

/** Does nothing stand between the two pages? Pages of one row cannot overlap, and are believed. */
function follows(tail: readonly number[], ids: readonly number[]): boolean {
  const [first] = ids;
  const last = tail.at(-1);
  if (first === undefined || last === undefined || tail.length < 2) return true;
  if (ids.some((id) => tail.includes(id))) return true;
  // So many new ones came that the page stands wholly before the last one.
  return isDescending(tail) && isDescending(ids) && first > last;
}

const isDescending = (ids: readonly number[]): boolean =>
  ids.every((id, i) => i === 0 || id < (ids[i - 1] ?? 0));

function stepBack({ offset, tail, misses }: Place, emptyAt?: number): NextPlace {
  if (misses + 1 >= MISSES_MAX) return { next: "torn", place: FIRST_PLACE };
  const back = Math.max(0, offset - Math.max(1, tail.length));
  return { next: "on", place: { offset: back, tail, dry: false, misses: misses + 1, emptyAt } };
}
