import { SingleBar } from "cli-progress";
import type { ReplayOptions } from "./relay-replay.ts";

/** Draws how far a replay is on one line of a terminal, and wipes it away when `end` is called; elsewhere it says nothing. */
export function createProgressBar(out: NodeJS.WritableStream & { readonly isTTY?: boolean }): {
  readonly draw: NonNullable<ReplayOptions["onProgress"]>;
  readonly end: () => void;
} {
  if (out.isTTY !== true) return { draw: () => undefined, end: () => undefined };
  const bar = new SingleBar({
    stream: out,
    format: "[{bar}] {value} of {total} job groups {doing}",
    barCompleteChar: "#",
    barIncompleteChar: "-",
    barsize: 30,
    // Cut to the terminal's width, which leaves its settings alone.
    linewrap: true,
    clearOnComplete: true,
  });
  return {
    draw: (doing, done, of) => {
      if (!bar.isActive) bar.start(of, done, { doing });
      bar.setTotal(of);
      bar.update(done, { doing });
    },
    end: () => bar.stop(),
  };
}
