import type { Redis } from "ioredis";
import { foldIdentifier } from "../rules/identifier.ts";
import type { Keys } from "./names.ts";

/** How a job group, or one of its tasks, may stand. */
export const GROUP_STATES = [
  "reported",
  "open",
  "published",
  "failed",
  "parked",
  "superseded",
  "no-rule",
  "skipped",
  "unknown",
] as const;

export type GroupState = (typeof GROUP_STATES)[number];

/** What job groups are asked for; all that is given must hold. */
export interface GroupQuery {
  readonly target?: string;
  readonly rule?: string;
  /** A table's name without its schema. */
  readonly table?: string;
  readonly state?: GroupState;
  /** First reported at or after this moment, in epoch milliseconds. */
  readonly reportedFrom?: number;
  /** The `next` of the page before. */
  readonly before?: string;
  /** So many at most. */
  readonly limit: number;
}

export interface GroupPage {
  /** The job groups that were reported last come first. */
  readonly ids: readonly number[];
  /** Absent when there are no more. */
  readonly next?: string;
}

export interface GroupIndex {
  page(query: GroupQuery): Promise<GroupPage>;
  /** Takes job groups whose record is gone off the lists; looks at some of the oldest each time. */
  forgetGone(): Promise<void>;
  /** How many job groups a list has. */
  count(state?: GroupState): Promise<number>;
  /** How many of the job groups that were reported since then (epoch milliseconds) could not be dispatched. */
  failedDispatches(since: number): Promise<number>;
}

/** So many are looked at between two answers of Redis. */
const STEP = 500;
/** A page that finds too little in so many job groups ends; the next one goes on from there. */
const LOOKED_AT_MAX = 10_000;
const FORGET_AT_ONCE = 200;

/** Where a list stands for a failed dispatch as well as for failed tasks. */
const listsOf = (state: GroupState): string[] => {
  switch (state) {
    case "open":
    case "published":
    case "parked":
    case "superseded":
      return [`state:${state}`];
    case "failed":
      return ["state:failed", "completion:failed"];
    case "reported":
    case "no-rule":
    case "skipped":
    case "unknown":
      return [`completion:${state}`];
  }
};

/** The lists in which job groups are found. */
export function createGroupIndex(redis: Redis, keys: Keys): GroupIndex {
  /** Each entry is a list, or two of which one is enough. */
  const listsFor = ({ target, rule, table, state }: GroupQuery): string[][] => [
    ...(target === undefined ? [] : [[keys.groups(`target:${target}`)]]),
    ...(rule === undefined ? [] : [[keys.groups(`rule:${rule}`)]]),
    ...(table === undefined ? [] : [[keys.groups(`table:${foldIdentifier(table)}`)]]),
    ...(state === undefined ? [] : [listsOf(state).map((list) => keys.groups(list))]),
  ];

  const sizeOf = async (lists: readonly string[]): Promise<number> => {
    const sizes = await Promise.all(lists.map((list) => redis.zcard(list)));
    return sizes.reduce((sum, size) => sum + size, 0);
  };

  /** The next of a list; those of one moment may be more than are read at once, and `from` may stand among them. */
  const nextOf = async (list: string, from: Place | undefined, least: string): Promise<Place[]> => {
    const most = from === undefined ? "+inf" : String(from.at);
    const next: Place[] = [];
    for (let offset = 0; next.length < STEP; offset += STEP) {
      const pairs = await redis.zrevrangebyscore(list, most, least, "WITHSCORES", "LIMIT", offset, STEP);
      const places = readPlaces(pairs);
      next.push(...places.filter((place) => from === undefined || comesBefore(from, place)));
      if (places.length < STEP) break;
    }
    return next;
  };

  /** The next of a list, or of two that are one. */
  const step = async (lists: readonly string[], from: Place | undefined, least: string): Promise<Place[]> => {
    const found = await Promise.all(lists.map((list) => nextOf(list, from, least)));
    const places = found.flat().toSorted((a, b) => (comesBefore(a, b) ? -1 : 1));
    return places.filter((place, i) => place.id !== places[i - 1]?.id).slice(0, STEP);
  };

  const inAll = async (places: readonly Place[], lists: readonly string[][]): Promise<Place[]> => {
    if (lists.length === 0 || places.length === 0) return [...places];
    const ids = places.map(({ id }) => id);
    const has = await Promise.all(
      lists.map(async (either) => {
        const scores = await Promise.all(either.map((list) => redis.zmscore(list, ...ids)));
        return ids.map((_, i) => scores.some((one) => one[i] !== null));
      }),
    );
    return places.filter((_, i) => has.every((one) => one[i]));
  };

  return {
    page: async (query) => {
      const asked = listsFor(query);
      const sizes = await Promise.all(asked.map(sizeOf));
      // The shortest list is walked along, the others are only asked.
      const shortest = sizes.indexOf(Math.min(...sizes));
      const walked = asked[shortest] ?? [keys.groups()];
      const others = asked.filter((_, i) => i !== shortest);
      const found: Place[] = [];
      let from = query.before === undefined ? undefined : readCursor(query.before);
      for (let looked = 0; looked < LOOKED_AT_MAX; looked += STEP) {
        const places = await step(walked, from, String(query.reportedFrom ?? "-inf"));
        found.push(...(await inAll(places, others)));
        const page = found.slice(0, query.limit);
        const last = page.at(-1);
        if (found.length > query.limit && last) return { ids: page.map(idOf), next: writeCursor(last) };
        from = places.at(-1) ?? from;
        if (places.length === 0) return { ids: page.map(idOf) };
      }
      return { ids: found.map(idOf), ...(from && { next: writeCursor(from) }) };
    },
    count: (state) =>
      sizeOf(state === undefined ? [keys.groups()] : listsOf(state).map((list) => keys.groups(list))),
    failedDispatches: (since) => redis.zcount(keys.groups("completion:failed"), since, "+inf"),
    forgetGone: async () => {
      const states = GROUP_STATES.flatMap(listsOf).map((list) => keys.groups(list));
      for (const list of [keys.groups(), ...new Set(states)]) {
        const oldest = await redis.zrange(list, "0", String(FORGET_AT_ONCE - 1));
        const there = await Promise.all(oldest.map((id) => redis.exists(keys.group(Number(id)))));
        const gone = oldest.filter((_, i) => there[i] === 0);
        if (gone.length > 0) await redis.zrem(list, ...gone);
      }
    },
  };
}

/** Where a job group stands in a list. */
interface Place {
  readonly id: string;
  readonly at: number;
}

const idOf = ({ id }: Place): number => Number(id);

/** As Redis lists them backwards: the newest first, and those of one moment by their ids as texts. */
const comesBefore = (a: Place, b: Place): boolean => (a.at === b.at ? a.id > b.id : a.at > b.at);

function readPlaces(pairs: readonly string[]): Place[] {
  return pairs.flatMap((id, i) => (i % 2 === 0 ? [{ id, at: Number(pairs[i + 1]) }] : []));
}

const writeCursor = ({ id, at }: Place): string => `${at}-${id}`;

/** Undefined for what is no cursor: then the first page is meant. */
function readCursor(text: string): Place | undefined {
  const [, at, id] = /^(\d{1,16})-(\d{1,16})$/.exec(text) ?? [];
  return at === undefined || id === undefined ? undefined : { at: Number(at), id };
}
