import { setTimeout as wait } from "node:timers/promises";
import { PlatformError } from "../errors.ts";
import type { RunBefore } from "../queues/run-store.ts";

/** A run as the platform lists it; it tells no execution id. */
export interface ListedRun {
  readonly id: number;
  readonly recipeId?: number;
  readonly ranFrom?: string;
  readonly ranFor?: string;
  readonly creatorId?: number;
}

/** The newest runs that were started as ours are; `isAll`: there are no more of them. */
export interface OwnRuns {
  readonly runs: readonly ListedRun[];
  readonly isAll: boolean;
}

export interface FindRunDeps {
  readonly platform: {
    listOwnRuns(signal?: AbortSignal): Promise<OwnRuns>;
    getCurrentPerson(signal?: AbortSignal): Promise<{ readonly id: number }>;
  };
  /** Which run of the relay's started the job group, as its own reports tell; undefined: none that is known. */
  readonly startedBy: (jobGroupId: number) => Promise<"this key" | "another key" | undefined>;
  readonly signal: AbortSignal;
  readonly pauseMs: number;
}

/** Two that agree, and some for a run beside ours that the relay knows for another key's a moment later. */
const LOOKS = 5;

/** The newest run that stands now, so that a later one is told from it; job group ids only grow. */
export async function newestRun({
  platform,
  signal,
}: Pick<FindRunDeps, "platform" | "signal">): Promise<RunBefore> {
  try {
    const { runs } = await platform.listOwnRuns(signal);
    return Math.max(0, ...runs.map(({ id }) => id));
  } catch (error) {
    if (error instanceof PlatformError) return "not known";
    throw error;
  }
}

/**
 * Which job group a run became that the platform only says was started. Sure is one whose report of this key is kept.
 * Else it must be new since `before`, by what the platform tells of it, and the only one that could be ours in two looks
 * in a row; nothing is guessed otherwise.
 */
export async function findRun(
  recipeId: number,
  before: RunBefore,
  deps: FindRunDeps,
): Promise<number | undefined> {
  const { platform, signal, pauseMs } = deps;
  const me = await platform.getCurrentPerson(signal).catch(unlessPlatform);
  let last: number | undefined;
  for (let n = 1; ; n++) {
    const listed = await platform.listOwnRuns(signal).catch(unlessPlatform);
    const found = listed && (await choose(listed, { recipeId, creatorId: me?.id }, before, deps));
    if (found?.sure) return found.id;
    if (found && found.id === last) return found.id;
    last = found?.id;
    if (before === "not known" || n === LOOKS) return undefined;
    if (!(await wait(pauseMs, true, { signal }).catch(() => false))) return undefined;
  }
}

interface Ours {
  readonly recipeId: number;
  readonly creatorId: number | undefined;
}

async function choose(
  { runs, isAll }: OwnRuns,
  ours: Ours,
  before: RunBefore,
  { startedBy }: Pick<FindRunDeps, "startedBy">,
): Promise<{ readonly id: number; readonly sure: boolean } | undefined> {
  const could: ListedRun[] = [];
  for (const run of runs) {
    if (!couldBe(run, ours)) continue;
    const by = await startedBy(run.id);
    if (by === "this key") return { id: run.id, sure: true };
    if (by === undefined && before !== "not known" && run.id > before) could.push(run);
  }
  const [only, ...more] = could;
  // Does the list go back to what stood before? Ours may have left it already.
  const reachesBack = isAll || runs.some(({ id }) => before !== "not known" && id <= before);
  if (!only || more.length > 0 || !reachesBack) return undefined;
  const isTold = only.recipeId !== undefined && only.creatorId !== undefined && ours.creatorId !== undefined;
  return isTold ? { id: only.id, sure: false } : undefined;
}

/** Nothing that the platform tells of it speaks against it. */
function couldBe({ recipeId, ranFrom, ranFor, creatorId }: ListedRun, ours: Ours): boolean {
  return (
    (recipeId ?? ours.recipeId) === ours.recipeId &&
    (ranFrom ?? "api") === "api" &&
    (ranFor ?? "recipe") === "recipe" &&
    (ours.creatorId === undefined || (creatorId ?? ours.creatorId) === ours.creatorId)
  );
}

function unlessPlatform(error: unknown): undefined {
  if (error instanceof PlatformError) return undefined;
  throw error;
}
