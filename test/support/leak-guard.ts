import { ChildProcess } from "node:child_process";
import { Server, Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, inject } from "vitest";
import { releaseAtFileEnd } from "./release.ts";

const GRACE_MS = 2_000;

// Registered before any hook of the test file, so it runs after all of them.
afterAll(async () => {
  const deadline = Date.now() + GRACE_MS;
  let left = openThings();
  while (left.length > 0 && Date.now() < deadline) {
    await wait(25);
    left = openThings();
  }
  if (left.length > 0)
    throw new Error(`This file leaves open: ${left.join(", ")}. Close in the test what it opens.`);
});

// Hooks run from the last to the first: after those of the file, before the look at what is left.
afterAll(releaseAtFileEnd);

/** A worker or queue that was not closed shows as its connection, a relay as its listening port. */
function openThings(): string[] {
  const redisPort = Number(new URL(inject("redisUrl")).port);
  // Not documented, and the only place where Node tells which sockets are open.
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
  return handles.flatMap((handle) => {
    if (handle instanceof ChildProcess) return handle.exitCode === null ? [`process ${handle.pid}`] : [];
    if (handle instanceof Server)
      return handle.listening ? [`a server on ${JSON.stringify(handle.address())}`] : [];
    if (handle instanceof Socket && handle.remotePort === redisPort) return ["a connection to Redis"];
    return [];
  });
}
