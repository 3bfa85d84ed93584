import { SingleBar } from "cli-progress";
import type { ReplayOptions } from "./relay-replay.ts";

/**
 * Draws how far a replay is on one line of a terminal, and wipes it away when `end` is called; elsewhere it says only what
 * is waited for, on a line of its own.
 */
export function createProgressBar(out: NodeJS.WritableStream & { readonly isTTY?: boolean }): {
  readonly draw: NonNullable<ReplayOptions["onProgress"]>;
  readonly waits: NonNullable<ReplayOptions["onWait"]>;
  readonly end: () => void;
} {
  const inSeconds = (ms: number): string => `${Math.ceil(ms / 1_000)} s`;
  if (out.isTTY !== true) {
    return {
      draw: () => undefined,
      waits: (ms) => void out.write(`The platform's quota is used up: waits ${inSeconds(ms)}\n`),
      end: () => undefined,
    };
  }
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
  const show = (doing: string, done: number, of: number): void => {
    if (!bar.isActive) bar.start(of, done, { doing });
    bar.setTotal(of);
    bar.update(done, { doing });
  };
  return {
    draw: show,
    waits: (ms, done, of) => show(`(quota used up: ${inSeconds(ms)})`, done, of),
    end: () => bar.stop(),
  };
}
