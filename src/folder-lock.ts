import { link, readFile, rm, writeFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";

const POLL_MS = 20;
const PATIENCE_MS = 60_000;

const heldHere = new Set<string>();

/**
 * Runs `work` while this process alone holds the lock file. A lock whose process is gone is taken over.
 *
 * @throws when another live process keeps it for more than a minute.
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await take(path))) {
    const holder = Number(await readFile(path, "utf8").catch(() => Number.NaN));
    if (isAbandoned(path, holder)) await rm(path, { force: true });
    else if (Date.now() > deadline)
      throw new Error(`Process ${holder} keeps ${path}. End it, or remove the file.`);
    else await wait(POLL_MS);
  }
  try {
    return await work();
  } finally {
    heldHere.delete(path);
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  if (heldHere.has(path)) return false;
  heldHere.add(path);
  // Linked into place, so that nobody ever reads a lock without its holder in it.
  const draft = `${path}.${process.pid}`;
  try {
    await writeFile(draft, String(process.pid));
    await link(draft, path);
    return true;
  } catch (error) {
    heldHere.delete(path);
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function isAbandoned(path: string, holder: number): boolean {
  if (Number.isNaN(holder)) return false;
  // In a container each life of the relay has the same pid: a lock in our own name may be left from the last one.
  return holder === process.pid ? !heldHere.has(path) : !isProcessAlive(holder);
}

/** Whether a process with this id exists, also under another user. */
export function isProcessAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
