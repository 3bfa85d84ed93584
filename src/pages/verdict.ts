import type { HeldUp } from "./held-up-item.ts";
import { oldestOf, type Overview } from "./view.ts";
import { count, list, span, verb } from "./words.ts";

/** The answer to "is everything that finished published?". */
export interface Verdict {
  readonly level: "good" | "move" | "wait" | "bad";
  /** The level as a word. */
  readonly tag: string;
  readonly words: string;
  readonly more: string;
}

/** Says it in one line, and what to do. */
export function verdict(view: Overview, held: readonly HeldUp[]): Verdict {
  const { open, parked, active, undispatched, failedGroups } = view;
  const running = Math.min(active, Math.max(0, open - parked));
  const waiting = Math.max(0, open - parked - running) + undispatched.count;
  const failed = view.figures.all.hour.failed;
  const parts = [
    waiting > 0 && `${waiting.toLocaleString("en")} ${verb(waiting, "waits", "wait")}`,
    running > 0 && `${running.toLocaleString("en")} ${verb(running, "is", "are")} publishing now`,
    parked > 0 && `${parked.toLocaleString("en")} ${verb(parked, "is", "are")} parked`,
    failed > 0 && `${failed.toLocaleString("en")} failed in the last hour`,
  ].filter((part): part is string => part !== false);
  const urgent = held.filter(({ level }) => level === "bad");
  const age = oldestWords(view);
  if (urgent.length > 0) {
    const [first] = urgent;
    const what = `${count(urgent.length, "thing")} ${verb(urgent.length, "needs", "need")} you`;
    const summary =
      parts.length > 0 ? `Not everything is published: ${list(parts)}.` : `${first?.title ?? ""}.`;
    return {
      level: "bad",
      tag: "Held up",
      words: summary,
      more: `${what}, ${verb(urgent.length, "it stands", "they stand")} below with what to do.${age}`,
    };
  }
  if (waiting + running > 0) {
    const slow = held.length > 0;
    return {
      level: slow ? "wait" : "move",
      tag: slow ? "Waiting" : "In motion",
      words: `Not everything is published yet: ${list(parts)}.`,
      more: `${slow ? "It goes on by itself; below is what it waits for." : "Nothing is held up."}${age}`,
    };
  }
  if (failedGroups > 0) {
    return {
      level: "wait",
      tag: "Not all",
      words: `Nothing waits, but ${count(failedGroups, "job group")} failed earlier and ${verb(failedGroups, "is", "are")} not wholly published.`,
      more: "Open them under Job groups, state failed: mend what their words name, then press Retry on the board.",
    };
  }
  return {
    level: "good",
    tag: "All done",
    words: "Everything that finished is published.",
    more: "Nothing waits.",
  };
}

function oldestWords(view: Overview): string {
  const oldest = oldestOf(view);
  if (!oldest) return "";
  const what = oldest.isDispatched ? "finished" : "was reported";
  return ` The oldest that is not published ${what} ${span(view.now - oldest.at)} ago${oldest.isDispatched ? "" : " and is not dispatched yet"}.`;
}
