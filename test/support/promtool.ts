import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Kept between runs. */
const CACHE = join(tmpdir(), "publish-relay-promtool");
const CACHED = join(CACHE, "usr/bin/promtool");

/**
 * Prometheus' own checker: the one on PATH, or that of Debian's package, which is unpacked into a folder and not
 * installed, so that no service starts. Undefined where neither can be had.
 */
export function findPromtool(): string | undefined {
  if (spawnSync("promtool", ["--version"]).status === 0) return "promtool";
  if (existsSync(CACHED)) return CACHED;
  const work = `${CACHE}-${process.pid}`;
  try {
    mkdirSync(work, { recursive: true });
    const quiet = { cwd: work, stdio: "ignore", timeout: 60_000 } as const;
    execFileSync("apt-get", ["download", "prometheus"], quiet);
    const [archive = ""] = readdirSync(work).filter((name) => name.endsWith(".deb"));
    execFileSync("dpkg", ["-x", archive, "out"], quiet);
    renameSync(join(work, "out"), CACHE);
    return CACHED;
  } catch {
    return existsSync(CACHED) ? CACHED : undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
