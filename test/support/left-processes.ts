import { readdir, readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";

/** Every process of a test run inherits this name in its environment. */
export const RUN_MARK = "PUBLISH_RELAY_TEST_RUN";

const GRACE_MS = 2_000;

/**
 * Ends what tests of this run left running and names it. Looks in /proc, so it finds nothing where that does not exist.
 * Children of this process itself are the test runner's own workers.
 */
export async function endLeftProcesses(mark: string): Promise<string[]> {
  const deadline = Date.now() + GRACE_MS;
  let left = await find(mark);
  while (left.length > 0 && Date.now() < deadline) {
    await wait(50);
    left = await find(mark);
  }
  for (const { pid } of left) process.kill(pid, "SIGKILL");
  return left.map(({ pid, command }) => `${pid} ${command}`);
}

async function find(mark: string): Promise<Array<{ pid: number; command: string }>> {
  const pids = (await readdir("/proc").catch(() => []))
    .map(Number)
    .filter((pid) => pid > 0 && pid !== process.pid);
  const seen = await Promise.all(
    pids.map(async (pid) => ((await isOurs(pid, mark)) ? [await describe(pid)] : [])),
  );
  return seen.flat();
}

async function isOurs(pid: number, mark: string): Promise<boolean> {
  const [environment, stat] = await Promise.all([
    readText(`/proc/${pid}/environ`),
    readText(`/proc/${pid}/stat`),
  ]);
  if (!environment.includes(`${RUN_MARK}=${mark}`)) return false;
  // After the command in brackets: state, parent.
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state !== "Z" && Number(parent) !== process.pid;
}

async function describe(pid: number): Promise<{ pid: number; command: string }> {
  return { pid, command: (await readText(`/proc/${pid}/cmdline`)).replaceAll("\0", " ").trim() };
}

function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
