import type { RecordedTask } from "../queues/completion-record.ts";
import type { Hold } from "../queues/holds.ts";
import type { TargetLook } from "../queues/target-look.ts";
import type { WaitCause } from "../queues/waits.ts";

/** Why a task waits at this moment. */
export interface WaitNow {
  readonly cause: WaitCause;
  /** Epoch milliseconds of Redis' clock. */
  readonly since: number;
  /** When what holds it up began, if that is known: it may be long before the task came. */
  readonly heldSince?: number;
  /** One sentence for people: what holds it up, and what can be done. */
  readonly words: string;
}

/** What is known of the target and of the gate at this moment. */
export interface Surroundings {
  readonly target: Pick<TargetLook, "paused" | "nextStartInMs" | "breaker" | "queue"> & {
    readonly concurrency?: number;
    readonly pace?: string;
    readonly hold?: Hold;
    /** How many wait for their turn, when they were counted; else the queue tells about how many. */
    readonly waitForTurn?: number;
  };
  readonly gate: { readonly ms: number; readonly words: string; readonly since?: number };
}

/** Tells why a planned task waits now; undefined for one that does not wait. */
export function whyItWaits(
  { plan, record, waits }: Pick<RecordedTask, "plan" | "record" | "waits">,
  { target, gate }: Surroundings,
  /** The publish that has the job group now, if that is known. */
  busyWith?: string,
): WaitNow | undefined {
  const now = waits.now;
  if (record.state !== "planned" || !now) return undefined;
  const { cause, since, words = "" } = now;
  const name = plan.target;
  // Nothing starts on a target that is paused, whatever else the task waits for.
  if (target.paused) {
    const heldSince = target.hold?.cause === "pause" ? { heldSince: target.hold.since } : {};
    const from = Math.max(since, heldSince.heldSince ?? since);
    return { cause: "pause", since: from, ...heldSince, words: `Target ${name} is paused: resume it` };
  }
  switch (cause) {
    case "group":
      return {
        cause,
        since,
        words: `The job group is busy, it publishes to one table at a time: ${busyWith ?? (words === "" ? "another" : tableOf(words))} is first`,
      };
    case "table":
      return {
        cause,
        since,
        words: `Job group ${words.split("\t")[2] ?? "?"} publishes to the same table first`,
      };
    case "retry":
      if (target.breaker.open) return { since, ...inItsQueue(name, { target, gate }) };
      return {
        cause,
        since,
        words: `Waits to try again by itself: ${record.words ?? "the last try failed"}`,
      };
    case "publish":
      return {
        cause,
        since,
        words: `The job group is busy, a publish that is not ours runs: ${record.words ?? "see the platform"}`,
      };
    case "platform":
      return { cause, since, words: `The platform did not answer: ${record.words ?? "it is asked again"}` };
    case "queue":
    case "pause":
    case "gate":
    case "breaker":
    case "pace":
    case "slots":
      return { since, ...inItsQueue(name, { target, gate }) };
  }
}

/** What holds up whatever stands in the queue of a target. */
export function inItsQueue(name: string, { target, gate }: Surroundings): Omit<WaitNow, "since"> {
  if (target.paused) {
    const since = target.hold?.cause === "pause" ? { heldSince: target.hold.since } : {};
    return { cause: "pause", ...since, words: `Target ${name} is paused: resume it` };
  }
  // It opens for a moment each time it is tried: until a call is answered it counts as shut.
  if (gate.ms > 0 || gate.since !== undefined) {
    const since = gate.since === undefined ? {} : { heldSince: gate.since };
    return { cause: "gate", ...since, words: `The gate to the platform is shut: ${gate.words}` };
  }
  const { breaker, hold } = target;
  if (breaker.open) {
    const since = breaker.since === undefined ? {} : { heldSince: breaker.since };
    const words = `The breaker of target ${name} is open after ${breaker.failures} failures in a row: ${breaker.words}`;
    return { cause: "breaker", ...since, words };
  }
  const { active, running, delayed } = target.queue;
  const waiting = target.waitForTurn ?? target.queue.waiting + delayed + Math.max(0, active - running);
  const isFull = target.concurrency !== undefined && active >= target.concurrency;
  if (target.nextStartInMs > 0 || hold?.cause === "pace") {
    const since = hold?.cause === "pace" ? { heldSince: hold.since } : {};
    const words = `Target ${name} starts no more than ${target.pace ?? "its pace allows"}: ${waiting} wait for their turn`;
    return { cause: "pace", ...since, words };
  }
  if (isFull) {
    return { cause: "slots", words: `${running} publishes of target ${name} run, as many as it allows` };
  }
  return { cause: "queue", words: `Its turn comes: ${waiting} wait in the queue of target ${name}` };
}

/** `2/public/orders` as people write it. */
const tableOf = (key: string): string => key.split("/").slice(1).join(".");
