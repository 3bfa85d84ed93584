import type { Held, PollStore, Position } from "../queues/poll-store.ts";
import { type HeldDeps, type HeldSettings, missingOf, settleHeld, type SettledHeld } from "./poll-held.ts";
import type { EndedBefore } from "./ended-before.ts";
import { isWanted } from "./list-finished.ts";
import { FIRST_PLACE, type ListedGroup, type Page, PAGE_LIMIT, placeAfter } from "./poll-pages.ts";

export interface PollDeps extends HeldDeps {
  /** A page of the job groups that are complete and changed at or after `since`, the newest id first. */
  list(query: { since: number; limit: number; offset: number }, signal: AbortSignal): Promise<Page>;
  readonly store: Pick<PollStore, "load" | "advance" | "held" | "settle">;
  readonly endedBefore: EndedBefore;
  /** The relay's clock, in epoch milliseconds; it may differ from the platform's. */
  readonly now: () => number;
}

export interface PollSettings extends HeldSettings {
  /** Pages read in one turn. */
  readonly maxPages: number;
  /** Where the very first turn begins; absent: now. */
  readonly since?: { readonly at: number } | { readonly backMs: number } | undefined;
}

/** What a turn did, in figures and words. */
export interface PollTurn {
  readonly words: string;
  readonly pages: number;
  readonly jobGroups: number;
  readonly reported: number;
  readonly lost: number;
  readonly held: number;
  /** There are pages left: the next turn is to come at once. */
  readonly more: boolean;
}

/** Windows overlap by so much: a job group may show in the list a while after it finished, and clocks differ. */
const OVERLAP_MS = 5 * 60_000;
/**
 * One turn of the poller: looks through the platform's list for job groups that finished, from where the last turn
 * stood, and reports those that nobody else has. Rejects with what the list rejected with, after what had been found
 * before was seen to; the next turn goes on from there.
 */
export async function pollTurn(
  deps: PollDeps,
  settings: PollSettings,
  signal: AbortSignal,
): Promise<PollTurn> {
  const look: Look = {
    pages: 0,
    found: new Set(),
    earlier: new Set(),
    platformNow: undefined,
    end: "capped",
  };
  const trouble = await sweep(deps, settings, look, signal).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (trouble && signal.aborted) throw trouble.error;
  const settled = await settleHeld(deps, settings, look.platformNow, signal);
  const { reported, lost, held } = settled;
  if (trouble) throw trouble.error;
  return {
    words: inWords(look, settled),
    pages: look.pages,
    jobGroups: look.found.size,
    reported,
    lost,
    held: held.count,
    more: look.end === "capped",
  };
}

/** What a turn has seen so far. */
interface Look {
  pages: number;
  /** Those that finished and are the user's. */
  readonly found: Set<number>;
  /** Those of them that ended before the poller's first look, and were touched since. */
  readonly earlier: Set<number>;
  /** Absent before a page was read: our own clock alone says nothing of theirs. */
  platformNow: number | undefined;
  end: "capped" | "complete" | "torn" | "taken over";
}

/** Reads pages until the list has ended or the turn's pages are used up; each is written down before the next is read. */
async function sweep(deps: PollDeps, settings: PollSettings, look: Look, signal: AbortSignal): Promise<void> {
  let { rev, position, sweep: current } = await deps.store.load();
  while (look.pages < settings.maxPages) {
    const askedAt = deps.now();
    const since = current?.since ?? windowStart(position, settings, askedAt);
    const place = current ?? FIRST_PLACE;
    const page = await deps.list({ since, limit: PAGE_LIMIT, offset: place.offset }, signal);
    look.pages++;
    const time = timeOf(page, askedAt, deps.now());
    look.platformNow = time.now;
    position ??= firstPosition(settings, page, time.now);
    const { floor } = position;
    const groups = page.groups.filter((group) => isWanted(group, Math.max(since, floor)));

    for (const { id } of groups) look.found.add(id);
    const highest = Math.max(current?.highest ?? floor, ...groups.map(({ updatedAt }) => updatedAt));
    // Where the clocks may differ unseen, what stands on the first page is surely not from after it was read.
    const surely = page.at === undefined ? Math.min(time.earliest, highest) : time.earliest;
    const startedAt = current?.startedAt ?? surely;
    const after = placeAfter(place, page);
    const last = after.next === "end";
    // Not beyond its start: what finished since may stand on a page that was read before.
    if (last) position = { ...position, cursor: Math.max(position.cursor, Math.min(highest, startedAt)) };
    current = last ? undefined : { ...after.place, since, startedAt, highest };

    const held = await toHold(deps, groups, { ...position, webhooks: settings.webhooks }, look, signal);
    const mine = await deps.store.advance(rev, { position, held, ...(current && { sweep: current }) });
    if (!mine || after.next !== "on") {
      look.end = !mine ? "taken over" : after.next === "end" ? "complete" : "torn";
      return;
    }
    rev++;
  }
}

function windowStart(position: Position | undefined, { since }: PollSettings, now: number): number {
  if (position) return Math.max(position.floor, position.cursor - OVERLAP_MS);
  if (since && "at" in since) return Math.min(since.at, now);
  return now - (since?.backMs ?? 0) - OVERLAP_MS;
}

/** Without the platform's time the clocks may differ unseen: then it begins a little earlier. */
function firstPosition({ since }: PollSettings, { at }: Page, platformNow: number): Position {
  const floor =
    since && "at" in since
      ? Math.min(since.at, platformNow)
      : platformNow - (since?.backMs ?? 0) - (at === undefined ? OVERLAP_MS : 0);
  return { floor, begunAt: platformNow, cursor: floor };
}

/**
 * The platform's time when it was asked, and the earliest that this can have been. It tells the second in which it
 * answered, so our own clock is as good if it may be right.
 */
function timeOf({ at }: Page, askedAt: number, answeredAt: number): { now: number; earliest: number } {
  if (at === undefined) return { now: askedAt, earliest: askedAt };
  const earliest = at - (answeredAt - askedAt);
  return { now: askedAt >= earliest && askedAt < at + 1_000 ? askedAt : earliest, earliest };
}

/**
 * Those that nobody reported and that did not end before the floor; and, to count them, those that others reported but
 * no webhook. Of these only what was made since the first look: who knew the others, and whether a webhook could have
 * come, is not told.
 */
async function toHold(
  deps: PollDeps,
  groups: readonly ListedGroup[],
  { floor, begunAt, webhooks }: Position & { readonly webhooks: boolean },
  { earlier }: Look,
  signal: AbortSignal,
): Promise<Held[]> {
  const ids = groups.map(({ id }) => id);
  const sources = await deps.sourcesOf(ids);
  const missing = await missingOf(deps, webhooks, ids, sources);
  const held: Held[] = [];
  for (const [i, { id, updatedAt, createdAt = 0 }] of groups.entries()) {
    if (sources[i] !== undefined) {
      if (missing.has(id) && createdAt >= begunAt) held.push({ id, updatedAt });
      continue;
    }
    // One that was made since cannot have ended before. The others are few, and asked for one by one.
    if (createdAt < floor && (await deps.endedBefore(id, floor, signal))) earlier.add(id);
    else held.push({ id, updatedAt });
  }
  return held;
}

/** `Looked at 3 pages, 41 job groups: 2 new, 1 held back until 2026-11-24T08:02:00.000Z`. */
function inWords(
  { pages, found, earlier, end }: Look,
  { reported, lost, missed, held }: SettledHeld,
): string {
  const lostOnes = lost === missed ? "" : ` (${lost - missed} of which no webhook came)`;
  const known = missed === 0 ? "" : `, ${missed} that others reported and no webhook`;
  const until = held.until === undefined ? "" : new Date(held.until).toISOString();
  const kept =
    held.count === 0 ? "" : `, ${held.count} held back${held.count > 1 ? ", the first" : ""} until ${until}`;
  const alone =
    earlier.size === 0 ? "" : `, ${earlier.size} left alone (ended before the first look, and touched since)`;
  const rest = {
    capped: "; more pages follow at once",
    complete: "",
    torn: "; the list changed faster than it could be read: it is read anew next time",
    "taken over": "; another turn has taken over",
  };
  return `Looked at ${counted(pages, "page")}, ${counted(found.size, "job group")}: ${reported} new${lostOnes}${known}${kept}${alone}${rest[end]}`;
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
