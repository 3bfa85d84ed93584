import { setTimeout as wait } from "node:timers/promises";
import type { DesignerCloud } from "./designer-cloud/client.ts";
import { summariseJobGroup } from "./processors/summarise-job-group.ts";
import type { CompletionRecords } from "./queues/completion-record.ts";
import { hasEnded } from "./rules/task-state.ts";

const LOOK_EVERY_MS = 1_000;

/** How a job group stands at the end of a wait. */
export interface Ended {
  readonly outcome: string;
  readonly words: string;
  readonly summary: string;
  readonly good: boolean;
}

export interface UntilPublishedDeps {
  readonly records: Pick<CompletionRecords, "read">;
  readonly platform: Pick<DesignerCloud, "getJobGroup">;
  readonly tell: (words: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Looks each second until a job group has ended and its publish tasks have. The record tells all: it is dispatch that
 * asks the platform; a platform or a Redis that is away meanwhile is waited for. Undefined: the signal came first.
 */
export async function untilPublished(
  jobGroupId: number,
  { records, platform, tell, signal }: UntilPublishedDeps,
): Promise<Ended | undefined> {
  let told = "";
  while (!signal.aborted) {
    const found = await unlessAborted(records.read(jobGroupId), signal);
    if (!found) return undefined;
    const { completion, tasks } = found;
    const { words: summary, published, superseded } = summariseJobGroup(tasks);
    const { outcome = "open", words = "" } = completion ?? {};
    if (outcome !== "open" && tasks.every(({ record }) => hasEnded(record.state))) {
      const good = outcome === "dispatched" && published + superseded === tasks.length;
      return { outcome, words, summary, good };
    }
    const now =
      outcome === "open"
        ? await platform.getJobGroup(jobGroupId, signal).then(
            ({ status }) => `Job group ${jobGroupId} is ${status} on the platform`,
            (error: unknown) => (error instanceof Error ? error.message : String(error)),
          )
        : `Job group ${jobGroupId}: ${summary}`;
    if (now !== told && !signal.aborted) tell(now);
    told = now;
    await wait(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/** Redis may not answer for long. */
function unlessAborted<T>(asked: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  return Promise.race([asked, aborted]);
}
