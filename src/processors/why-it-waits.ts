import type { RecordedTask } from "../queues/completion-record.ts";
import type { Hold } from "../queues/holds.ts";
import type { TargetLook } from "../queues/target-look.ts";
import type { WaitCause } from "../queues/waits.ts";

/** Why a task waits at this moment. */
export interface WaitNow {
  readonly cause: WaitCause;
  /** Epoch milliseconds of Redis' clock. */
  readonly since: number;
  /** One sentence for people: what holds it up, and what can be done. */
  readonly words: string;
}

/** What is known of the target and of the gate at this moment. */
export interface Surroundings {
  readonly target: Pick<TargetLook, "paused" | "nextStartInMs" | "breaker" | "queue"> & {
    readonly concurrency?: number;
    readonly pace?: string;
    readonly hold?: Hold;
  };
  readonly gate: { readonly ms: number; readonly words: string };
}

/** Tells why a planned task waits now; undefined for one that does not wait. */
export function whyItWaits(
  { plan, record, waits }: Pick<RecordedTask, "plan" | "record" | "waits">,
  { target, gate }: Surroundings,
): WaitNow | undefined {
  const now = waits.now;
  if (record.state !== "planned" || !now) return undefined;
  const { cause, since, words = "" } = now;
  const name = plan.target;
  // Nothing starts on a target that is paused, whatever else the task waits for.
  if (target.paused) {
    const paused = target.hold?.cause === "pause" ? target.hold.since : since;
    return { cause: "pause", since: Math.max(since, paused), words: `Target ${name} is paused: resume it` };
  }
  switch (cause) {
    case "group":
      return {
        cause,
        since,
        words: `Another task of the same job group comes first${words && `: ${words}`}`,
      };
    case "table":
      return {
        cause,
        since,
        words: `Job group ${words.split("\t")[2] ?? "?"} publishes to the same table first`,
      };
    case "retry":
      return { cause, since, words: `Waits to try again: ${record.words ?? ""}` };
    case "publish":
      return {
        cause,
        since,
        words: `A publish of this job group that is not ours runs: ${record.words ?? ""}`,
      };
    case "platform":
      return { cause, since, words: `The platform did not answer: ${record.words ?? ""}` };
    case "queue":
    case "pause":
    case "gate":
    case "breaker":
    case "pace":
    case "slots":
      return { since, ...inItsQueue(name, { target, gate }) };
  }
}

function inItsQueue(name: string, { target, gate }: Surroundings): Omit<WaitNow, "since"> {
  if (gate.ms > 0) return { cause: "gate", words: `The gate to the platform is shut: ${gate.words}` };
  if (target.breaker.open) {
    return {
      cause: "breaker",
      words: `The breaker of target ${name} is open after ${target.breaker.failures} failures in a row: ${target.breaker.words}`,
    };
  }
  const { active, waiting } = target.queue;
  const isFull = target.concurrency !== undefined && active >= target.concurrency;
  if (target.nextStartInMs > 0 || target.hold?.cause === "pace") {
    return {
      cause: "pace",
      words: `Target ${name} starts no more than ${target.pace ?? "its pace allows"}: ${waiting} wait for their turn`,
    };
  }
  if (isFull) {
    return { cause: "slots", words: `${active} publishes of target ${name} run, as many as it allows` };
  }
  return { cause: "queue", words: `Its turn comes: ${waiting} wait in the queue of target ${name}` };
}
