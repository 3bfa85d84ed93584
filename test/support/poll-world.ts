import type { CompletionReport } from "../../src/producers/report.ts";
import { createEndedBefore } from "../../src/producers/ended-before.ts";
import type { Page } from "../../src/producers/poll-pages.ts";
import { type PollDeps, type PollSettings, type PollTurn, pollTurn } from "../../src/producers/poller.ts";
import { keysOf } from "../../src/queues/names.ts";
import { createPollStore, type PollStore } from "../../src/queues/poll-store.ts";
import { newNamespace, openRedis } from "./redis.ts";

export const MINUTE = 60_000;
/** When the platform's clock begins. */
export const BEGIN = Date.UTC(2026, 10, 24, 8);

export interface PollWorldOptions {
  readonly settings?: Partial<PollSettings>;
  /** Rows that a page holds at most, whatever is asked for. */
  readonly cap?: number;
  /** What the platform says of how many there are: of the whole list, of the page (a misunderstanding), or nothing. */
  readonly count?: "all" | "page" | "none";
  /** Does it tell its time? */
  readonly tellsTime?: boolean;
  /** By how much the relay's clock is ahead. */
  readonly aheadMs?: number;
  /** What the platform makes of the filters: takes them, or gives whatever it has. */
  readonly filters?: boolean;
  readonly redis?: ReturnType<typeof openRedis>;
}

interface Group {
  readonly id: number;
  readonly ranFor: string;
  readonly createdAt: number;
  status: string;
  updatedAt: number;
  /** When its own job was changed last; a publish touches `updatedAt` alone. */
  workedAt: number;
  /** It shows in the list from then on. */
  visibleAt: number;
}

/** A platform's list, a clock, and those who report; the poller's store is the real one. */
export function createPollWorld(options: PollWorldOptions = {}) {
  const { cap = Infinity, count = "all", tellsTime = true, aheadMs = 0, filters = true } = options;
  const groups = new Map<number, Group>();
  const reported = new Map<number, string[]>();
  const lost: number[] = [];
  const jobsAsked: number[] = [];
  const counted = new Set<number>();
  const asked: { since: number; limit: number; offset: number }[] = [];
  let now = BEGIN;
  let nextId = 100;
  /** Called when a page was made and before it is handed over. */
  let between: () => void = () => {};
  let failure: Error | undefined;
  const store: PollStore = createPollStore(options.redis ?? openRedis(), keysOf(newNamespace()));

  const report = (id: number, source: string): boolean => {
    const before = reported.get(id) ?? [];
    reported.set(id, [...before, source]);
    return before.length > 0;
  };
  const list = (query: { since: number; limit: number; offset: number }): Page => {
    asked.push(query);
    if (failure) throw failure;
    const all = [...groups.values()]
      .filter(({ visibleAt }) => visibleAt <= now)
      .filter(
        ({ status, ranFor, updatedAt }) =>
          !filters || (status === "Complete" && ranFor === "recipe" && updatedAt >= query.since),
      )
      .sort((a, b) => b.id - a.id);
    const page = all
      .slice(query.offset, query.offset + Math.min(query.limit, cap))
      .map((one) => ({ ...one }));
    between();
    return {
      groups: page,
      ...(count !== "none" && { count: count === "all" ? all.length : page.length }),
      ...(tellsTime && { at: Math.floor(now / 1_000) * 1_000 }),
    };
  };
  const settings: PollSettings = { graceMs: 0, webhooks: false, maxPages: 20, ...options.settings };
  const deps: PollDeps = {
    list: async (query) => list(query),
    store,
    endedBefore: createEndedBefore(async (id) => {
      jobsAsked.push(id);
      const group = groups.get(id);
      if (!group) return [];
      return [
        { jobType: "wrangle", updatedAt: group.workedAt },
        { jobType: "publish", updatedAt: group.updatedAt },
      ];
    }),
    sourcesOf: async (ids) => ids.map((id) => reported.get(id)?.[0]),
    missWebhook: async (ids) =>
      ids.map((id) => {
        const sources = reported.get(id);
        return sources !== undefined && !sources.includes("webhook") && !counted.has(id);
      }),
    countedAsLost: async (ids) => ids.forEach((id) => void counted.add(id)),
    report: async ({ jobGroupId, source }: CompletionReport) => ({
      completion: `jobgroup-${jobGroupId}`,
      duplicate: report(jobGroupId, source),
    }),
    onLoss: ({ id }) => void lost.push(id),
    now: () => now + aheadMs,
  };

  const idsOf = (wanted: string): number[] =>
    [...groups.values()].filter(({ status }) => status === wanted).map(({ id }) => id);
  const create = (spec: { status?: string; ranFor?: string; shownInMs?: number } = {}): number => {
    const id = nextId++;
    const { status = "Complete", ranFor = "recipe", shownInMs = 0 } = spec;
    groups.set(id, {
      id,
      ranFor,
      status,
      createdAt: now,
      updatedAt: now,
      workedAt: now,
      visibleAt: now + shownInMs,
    });
    return id;
  };
  return {
    store,
    deps,
    settings,
    asked,
    /** Job groups whose jobs were asked for. */
    jobsAsked,
    lost,
    now: () => now,
    create,
    createMany: (n: number): number[] => Array.from({ length: n }, () => create()),
    finish: (id: number, shownInMs = 0): void => {
      const group = groups.get(id);
      const ended = { status: "Complete", updatedAt: now, workedAt: now, visibleAt: now + shownInMs };
      if (group) Object.assign(group, ended);
    },
    /** A publish ended: the group shows as changed. */
    touch: (id: number): void => {
      const group = groups.get(id);
      if (group) group.updatedAt = now;
    },
    remove: (id: number): void => void groups.delete(id),
    complete: (): number[] => idsOf("Complete"),
    running: (): number[] => idsOf("InProgress"),
    webhook: (id: number): void => void report(id, "webhook"),
    api: (id: number): void => void report(id, "api"),
    /** Who reported a job group, in their order. */
    reportsOf: (id: number): string[] => reported.get(id) ?? [],
    /** Those that the poller reported, in the order of their ids. */
    polled: (): number[] =>
      [...reported]
        .flatMap(([id, sources]) => (sources.includes("poller") ? [id] : []))
        .sort((a, b) => a - b),
    pass: (ms: number): void => {
      now += ms;
    },
    whileListing: (act: () => void): void => {
      between = act;
    },
    failWith: (error: Error | undefined): void => {
      failure = error;
    },
    turn: (signal = new AbortController().signal): Promise<PollTurn> => pollTurn(deps, settings, signal),
    /** Turns until nothing is left to be gone on with at once. */
    async turns(): Promise<PollTurn[]> {
      const all: PollTurn[] = [];
      do all.push(await pollTurn(deps, settings, new AbortController().signal));
      while (all.at(-1)?.more && all.length < 200);
      return all;
    },
  };
}
export type PollWorld = ReturnType<typeof createPollWorld>;
