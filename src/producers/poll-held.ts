import type { Held, PollStore, Settled } from "../queues/poll-store.ts";
import type { Report } from "./accept-report.ts";

export interface HeldDeps {
  readonly store: Pick<PollStore, "load" | "held" | "settle">;
  /** Who was the first to report each of the job groups; undefined where nobody was. */
  sourcesOf(jobGroupIds: readonly number[]): Promise<(string | undefined)[]>;
  readonly report: Report;
  /** Told of each job group that a webhook should have reported. */
  readonly onLoss: (lost: Held) => void;
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
  readonly lost: number;
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
  const sources = await deps.sourcesOf(all.map(({ id }) => id));
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
    // What the poller reported in a turn that ended before it was done with it is not reported again.
    if (source !== undefined) known.push({ ...one, as: source === "poller" ? oursAs(one) : "known" });
    else (platformNow !== undefined && one.updatedAt + graceMs <= platformNow ? due : waiting).push(one);
  }
  const ours = await settle(deps, known);
  for (let i = 0; i < due.length && !signal.aborted; i += AT_ONCE) {
    ours.push(...(await settle(deps, await Promise.all(due.slice(i, i + AT_ONCE).map(report)))));
  }
  // The held are in the order in which they finished.
  const [next] = waiting;
  return {
    reported: ours.length,
    lost: ours.filter(({ as }) => as === "lost").length,
    held: { count: waiting.length, ...(next && { until: next.updatedAt + graceMs }) },
  };
}

/** Answers those that the poller was the one to report. */
async function settle({ store, onLoss }: HeldDeps, done: readonly Done[]): Promise<Done[]> {
  const ours = (await store.settle(done)).filter(({ as }) => as !== "known");
  for (const one of ours) if (one.as === "lost") onLoss(one);
  return ours;
}
