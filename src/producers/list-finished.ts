import {
  FIRST_PLACE,
  type ListedGroup,
  type Page,
  PAGE_LIMIT,
  type Place,
  placeAfter,
} from "./poll-pages.ts";

/** A list that changes faster than it can be read is begun again so often. */
const TORN_MAX = 3;

/** A page of the job groups that are complete and changed at or after `since`, the newest id first. */
export type ListPage = (
  query: { since: number; limit: number; offset: number },
  signal?: AbortSignal,
) => Promise<Page>;

/**
 * Reads the platform's list of job groups that finished, or were changed, since a moment in epoch milliseconds. Rejects
 * with what the list rejected with, or when it cannot be read as a whole.
 */
export async function listFinishedSince(
  list: ListPage,
  since: number,
  signal?: AbortSignal,
): Promise<ListedGroup[]> {
  const found = new Map<number, ListedGroup>();
  let place: Place = FIRST_PLACE;
  for (let torn = 0; torn < TORN_MAX; ) {
    const page = await list({ since, limit: PAGE_LIMIT, offset: place.offset }, signal);
    for (const group of page.groups) if (isWanted(group, since)) found.set(group.id, group);
    const after = placeAfter(place, page);
    if (after.next === "end") return [...found.values()];
    if (after.next === "torn") torn++;
    place = after.place;
  }
  throw new Error("The platform's list of finished job groups changes faster than it can be read: try again");
}

/** Nothing of the list's filters was tried on a live tenant. What a row does not say is left to the dispatch to ask. */
export const isWanted = ({ status, ranFor, updatedAt }: ListedGroup, since: number): boolean =>
  (status ?? "Complete") === "Complete" && (ranFor ?? "recipe") === "recipe" && updatedAt >= since;
