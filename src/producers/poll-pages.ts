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
/** Pages overlap by so many rows: job groups that are removed meanwhile move the others up. */
const OVERLAP_ROWS = 10;
const OVERLAP_SHARE = 5;
/** So many pages in a row without anything new are the end, where no count tells it. */
const BARREN_PAGES = 2;

/** A page that was read: where it began, how many rows came, and how many pages in a row brought nothing new. */
interface ReadPage {
  readonly offset: number;
  readonly rows: number;
  readonly count?: number | undefined;
  readonly barren: number;
}

/** Where the next page begins: by the rows that came, for a page may be shorter than was asked and not the last. */
export function nextOffset({ offset, rows, barren }: ReadPage): number {
  const overlap = barren > 0 ? 0 : Math.min(OVERLAP_ROWS, Math.floor(rows / OVERLAP_SHARE));
  return offset + rows - overlap;
}

/**
 * Was it the last page? A count is believed where it can be one of the whole list: one that tells the rows of the page
 * alone would end a long list after its first page.
 */
export function isLastPage({ offset, rows, count, barren }: ReadPage): boolean {
  if (rows === 0) return true;
  const reached = offset + rows;
  if (count !== undefined && count > reached) return false;
  const mayCountPage = offset === 0 && rows >= USUAL_PAGE;
  if (count === reached && !mayCountPage) return true;
  return barren >= BARREN_PAGES;
}
