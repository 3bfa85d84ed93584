import { type HeldUp, openOf, storyOf } from "./held-up-item.ts";
import type { Overview, WaitGroup } from "./view.ts";
import { count, moment, sentence, span, verb } from "./words.ts";

/** A publish that waits for its turn so long is worth a look; below, all is in motion. */
export const SLOW_MS = 10_000;
/** So long nobody took a task that could start. */
const NOBODY_MS = 30_000;

/** What a group of tasks waits for; pause, breaker and gate have their own words. */
export function waiting(view: Overview, group: WaitGroup): HeldUp[] {
  const { cause, target, first, heldSince } = group;
  const target_ = view.targets.find(({ name }) => name === target);
  const since = first?.since ?? heldSince;
  const links = first ? [storyOf(first), ...(group.count > 1 ? [openOf(target)] : [])] : [openOf(target)];
  const n = `${group.atLeast ? "At least " : ""}${count(group.count, "task")}`;
  const waits = verb(group.count, "waits", "wait");
  const basis = {
    words: sentence(group.words),
    links,
    target,
    ...(since !== undefined && { since: moment(since, view.now) }),
  };
  const age = since === undefined ? 0 : view.now - since;
  switch (cause) {
    case "pause":
    case "gate":
    case "breaker":
      return [];
    case "pace": {
      const lastInMs = (target_?.everyMs ?? 0) * group.count;
      return [
        {
          ...basis,
          level: "wait",
          title: `${n} ${waits} for the pace of target ${target}`,
          todo: `Nothing to do: this is rateLimit in the rules${lastInMs > 0 ? `. The last of them starts in about ${span(lastInMs)}` : ""}.`,
        },
      ];
    }
    case "slots":
      if (age < SLOW_MS) return [];
      return [
        {
          ...basis,
          level: "wait",
          title: `${n} ${waits} for a free place on target ${target}`,
          todo: "Nothing to do: this is concurrency in the rules.",
        },
      ];
    case "group":
    case "publish":
      return [
        {
          ...basis,
          level: "wait",
          title: `${n} for ${target} ${waits} because the job group is busy`,
          todo:
            cause === "group"
              ? "Nothing to do: it goes on when the other publish ends. If that one is held up, see why."
              : "It goes on when that publish ends. One that never ends can be cancelled on the platform.",
        },
      ];
    case "table":
      return [
        {
          ...basis,
          level: "wait",
          title: `${n} for ${target} ${waits} for another job group's publish to the same table`,
          todo: "Nothing to do: publishes that replace or merge one table go one after the other. If that one is held up, see why.",
        },
      ];
    case "retry":
      return [
        {
          ...basis,
          level: "wait",
          title: `${n} for ${target} ${waits} to try again`,
          todo: "It tries again by itself. If it keeps failing, mend what the words name.",
        },
      ];
    case "platform":
      return [
        {
          ...basis,
          level: "wait",
          title: `${n} for ${target} ${waits} for the platform's answer`,
          todo: "It is asked again by itself; no attempt is used.",
        },
      ];
    case "queue":
      if (age < NOBODY_MS) return [];
      return [
        {
          ...basis,
          level: "bad",
          title: `${n} of target ${target} could start, and nobody takes ${verb(group.count, "it", "them")}`,
          todo: "Does a process with the role publish run? Its log says what is wrong.",
        },
      ];
  }
}
