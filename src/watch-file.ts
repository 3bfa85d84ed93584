import { type FSWatcher, watch } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** What a look at a file finds. */
export type FileRead =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "absent" }
  | { readonly kind: "unreadable"; readonly words: string };

export interface WatchFileOptions {
  /** What the caller has read already: only what differs is told. */
  readonly known: FileRead;
  /** How often it looks when nobody tells of a change, as on a network's file system; default 1,000. */
  readonly everyMs?: number;
  /** A file that did not change for so long is not in the middle of being written; default 200. */
  readonly settleMs?: number;
  /** Nor is one that is touched again and again, and whose content did not change for so long; default 1,000. */
  readonly sameTextMs?: number;
}

/** Reads a file; never rejects. */
export async function readTextFile(path: string): Promise<FileRead> {
  try {
    return { kind: "text", text: await readFile(path, "utf8") };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { kind: "absent" };
    return { kind: "unreadable", words: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * Tells of each new content of a file, however it came: written in place, renamed over, or by a link that leads
 * elsewhere (as Kubernetes swaps a ConfigMap). The folder is watched, for a file that is replaced is another one; and
 * it looks by itself from time to time. The function it returns ends that.
 */
export function watchFile(
  path: string,
  onChange: (read: FileRead) => void,
  { known, everyMs = 1_000, settleMs = 200, sameTextMs = 1_000 }: WatchFileOptions,
): () => void {
  let last = JSON.stringify(known);
  let taken: string | undefined;
  const markStoodFor = createStandstill();
  const textStoodFor = createStandstill();
  let timer: NodeJS.Timeout | undefined;
  let looking = false;
  let stopped = false;

  async function look(): Promise<void> {
    // One at a time: a slow read must not be taken for what came after it.
    if (looking) return lookSoon();
    looking = true;
    try {
      if (!(await isTaken())) lookSoon();
    } finally {
      looking = false;
    }
  }

  /** False: it has to be looked at again. */
  async function isTaken(): Promise<boolean> {
    const mark = await markOf(path);
    if (mark === taken) return true;
    // Whoever looks, and however often: it has to have stood still for so long, or it may be in the middle of being written.
    const isStill = markStoodFor(mark) >= settleMs;
    const read = await readTextFile(path);
    const now = JSON.stringify(read);
    const isSameText = textStoodFor(now) >= sameTextMs;
    const isSettled = isStill && (await markOf(path)) === mark;
    if (!isSettled && !isSameText) return false;
    // A mark that does not stand still tells nothing of the next change: only one that does is not looked at again.
    if (isSettled) taken = mark;
    if (!stopped && now !== last) {
      last = now;
      onChange(read);
    }
    return isSettled;
  }

  function lookSoon(): void {
    if (stopped) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      void look();
    }, settleMs);
  }

  const watcher = watchFolder(dirname(path), lookSoon);
  const poll = setInterval(() => void look(), everyMs);
  void look();
  return () => {
    stopped = true;
    clearInterval(poll);
    clearTimeout(timer);
    watcher?.close();
  };
}

/** Tells for how many milliseconds what it is shown has been the same. */
function createStandstill(): (shown: string) => number {
  let seen: string | undefined;
  let since = 0;
  return (shown) => {
    if (shown !== seen) since = performance.now();
    seen = shown;
    return performance.now() - since;
  };
}

/** Without it (no such folder, no more watches to be had) the looks from time to time are enough. */
function watchFolder(folder: string, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onEvent);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

/** Another one whenever the file may have changed; follows links. */
async function markOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
  } catch (error) {
    return codeOf(error);
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown";
