import type { Held, PollStore, Settled } from "../queues/poll-store.ts";
import type { Report } from "./accept-report.ts";

export interface HeldDeps {
  readonly store: Pick<PollStore, "load" | "held" | "settle">;
  /** Who was the first to report each of the job groups; undefined where nobody was. */
  sourcesOf(jobGroupIds: readonly number[]): Promise<(string | undefined)[]>;
  /** Which of them somebody reported, but no webhook, and that were not counted for it yet. */
  missWebhook(jobGroupIds: readonly number[]): Promise<boolean[]>;
  countedAsLost(jobGroupIds: readonly number[]): Promise<void>;
  readonly report: Report;
  /** Told of each job group that a webhook should have reported; `missed` is one that others reported. */
  readonly onLoss: (lost: Held & { readonly as: Settled }) => void;
}

export interface HeldSettings {
  /** What was found is held back until so long after it finished, so that its webhook can come first. */
  readonly graceMs: number;
  /** Can webhooks come? What none of them reported is then a loss. */
  readonly webhooks: boolean;
}

/** What became of those that were held. */
export interface SettledHeld {
  readonly reported: number;
  /** Reported or not, those that a webhook should have reported. */
  readonly lost: number;
  /** Those of them that others had reported. */
  readonly missed: number;
  /** When the next of those that are held on is due, in epoch milliseconds of the platform's clock. */
  readonly held: { readonly count: number; readonly until?: number };
}

/** Reports on their way at once. */
const AT_ONCE = 50;

type Done = Held & { readonly as: Settled };

/**
 * Looks at all that were found and that nobody had reported: forgets those that were reported since, reports those
 * whose grace is over, and holds the others on. Without the platform's time no grace is over: by our own clock, if it
 * is ahead, a webhook would count as lost before it could come.
 */
export async function settleHeld(
  deps: HeldDeps,
  { graceMs, webhooks }: HeldSettings,
  platformNow: number | undefined,
  signal: AbortSignal,
): Promise<SettledHeld> {
  const [all, { position }] = await Promise.all([deps.store.held(), deps.store.load()]);
  const ids = all.map(({ id }) => id);
  const sources = await deps.sourcesOf(ids);
  const missing = await missingOf(deps, webhooks, ids, sources);
  /** What finished before the relay looked for the first time had no webhook that could have come here. */
  const oursAs = ({ updatedAt }: Held): Settled =>
    webhooks && updatedAt >= (position?.begunAt ?? 0) ? "lost" : "found";
  const report = async (one: Held): Promise<Done> => {
    const { id: jobGroupId } = one;
    const { duplicate } = await deps.report({ jobGroupId, status: "Complete", labels: {}, source: "poller" });
    // Somebody was faster by a moment.
    return { ...one, as: duplicate ? "known" : oursAs(one) };
  };

  const known: Done[] = [];
  const due: Held[] = [];
  const waiting: Held[] = [];
  for (const [i, one] of all.entries()) {
    const source = sources[i];
    const graceIsOver = platformNow !== undefined && one.updatedAt + graceMs <= platformNow;
    if (source === undefined) (graceIsOver ? due : waiting).push(one);
    // What the poller reported in a turn that ended before it was done with it is not reported again.
    else if (source === "poller") known.push({ ...one, as: oursAs(one) });
    else if (!missing.has(one.id)) known.push({ ...one, as: "known" });
    else if (graceIsOver) known.push({ ...one, as: oursAs(one) === "lost" ? "missed" : "known" });
  }
  // Before they are counted: else one that is listed again would be counted again.
  await deps.countedAsLost(known.filter(({ as }) => as === "missed").map(({ id }) => id));
  const done = await settle(deps, known);
  for (let i = 0; i < due.length && !signal.aborted; i += AT_ONCE) {
    done.push(...(await settle(deps, await Promise.all(due.slice(i, i + AT_ONCE).map(report)))));
  }
  // The held are in the order in which they finished.
  const [next] = waiting;
  const count = (...wanted: Settled[]): number => done.filter(({ as }) => wanted.includes(as)).length;
  return {
    reported: count("found", "lost"),
    lost: count("lost", "missed"),
    missed: count("missed"),
    held: { count: waiting.length, ...(next && { until: next.updatedAt + graceMs }) },
  };
}

/** Those that were reported, but by no webhook, and that wait for one. */
export async function missingOf(
  { missWebhook }: Pick<HeldDeps, "missWebhook">,
  webhooks: boolean,
  ids: readonly number[],
  sources: readonly (string | undefined)[],
): Promise<Set<number>> {
  const byOthers = (source: string | undefined): boolean =>
    source !== undefined && source !== "webhook" && source !== "poller";
  const asked = webhooks ? ids.filter((_, i) => byOthers(sources[i])) : [];
  const missing = await missWebhook(asked);
  return new Set(asked.filter((_, i) => missing[i]));
}

/** Answers those that this call was the one to be done with. */
async function settle({ store, onLoss }: HeldDeps, done: readonly Done[]): Promise<Done[]> {
  const mine = await store.settle(done);
  for (const one of mine) if (one.as === "lost" || one.as === "missed") onLoss(one);
  return mine;
}
