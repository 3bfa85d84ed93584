import { setTimeout as wait } from "node:timers/promises";
import { sign } from "../src/producers/signatures.ts";
import type { Hostile } from "./hostile.ts";
import type { FuzzOptions } from "./options.ts";
import { drawHostile } from "./requests.ts";
import { type Answers, send } from "./send.ts";
import { GOOD_LABEL, openSite, type Site } from "./site.ts";
import { PATH, SECRET } from "./wire.ts";

const AT_ONCE = 16;
/** A good report comes after so many hostile requests. */
const GOOD_EVERY = 50;
const GOOD_FROM = 1_000;
const GOOD_WITHIN_MS = 2_000;
/** Code and heap have their size after so many; from there on memory is flat but for what waits for a collection. */
const WARM_UP_SHARE = 0.3;
const MEMORY_MARGIN_BYTES = 64 * 1_024 * 1_024;
const PUBLISHED_WITHIN_MS = 30_000;
/** More are not listed. */
const VIOLATIONS_SHOWN = 30;

export interface FuzzReport {
  readonly requests: number;
  readonly signed: number;
  readonly good: number;
  readonly taken: number;
  /** How often each status was answered; `none` where the connection ended without one. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly kinds: Readonly<Record<string, number>>;
  readonly memory: { readonly warmBytes: number; readonly endBytes: number };
  readonly ms: number;
  readonly violations: readonly string[];
}

/** Sends hostile requests to a relay process, good ones among them, and tells all that was not as it has to be. */
export async function runFuzz(
  { requests, seed }: FuzzOptions,
  say: (line: string) => void,
): Promise<FuzzReport> {
  const site = await openSite();
  let closed = false;
  try {
    const run = createRun(site, seed);
    const begunAt = performance.now();
    let warmBytes = Number.NaN;
    for (let n = 1; n <= requests; n += GOOD_EVERY) {
      const batch = Array.from({ length: Math.min(GOOD_EVERY, requests - n + 1) }, (_, i) => n + i);
      await eachOf(batch, AT_ONCE, run.hostile);
      await run.good();
      const done = n + batch.length - 1;
      if (Number.isNaN(warmBytes) && done >= requests * WARM_UP_SHARE) warmBytes = await site.memory();
      if (done % 1_000 === 0) say(`${done} of ${requests} sent, ${run.violations.length} violations`);
      if (!site.isRunning()) break;
    }
    await run.settle();
    const endBytes = await site.memory();
    if (endBytes - warmBytes > MEMORY_MARGIN_BYTES) {
      run.violations.push(
        `memory: ${megabytes(warmBytes)} after the warm-up, ${megabytes(endBytes)} at the end`,
      );
    }
    closed = true;
    const code = await site.close();
    if (code !== 0) run.violations.push(`the relay ended with ${code} when it was stopped:\n${site.log()}`);
    return {
      ...run.counts(),
      memory: { warmBytes, endBytes },
      ms: performance.now() - begunAt,
      violations: run.violations,
    };
  } finally {
    if (!closed) await site.close();
  }
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MB`;

function createRun(site: Site, seed: number) {
  const violations: string[] = [];
  const statuses: Record<string, number> = {};
  const kinds: Record<string, number> = {};
  const taken = new Set<number>();
  const may = new Set<number>();
  const good: number[] = [];
  let sent = 0;
  let signed = 0;

  const hostile = async (n: number): Promise<void> => {
    const request = drawHostile(seed, n);
    const { legal } = request;
    // The platform knows it, as failed: taken in, it ends at once.
    if (legal) site.simulator.createJobGroup({ id: legal.jobGroupId, status: "Failed", webhook: false });
    const answers = await send(site.port, request);
    sent++;
    if (request.signed) signed++;
    kinds[request.kind] = (kinds[request.kind] ?? 0) + 1;
    for (const status of answers.statuses.length > 0 ? answers.statuses : ["none"]) {
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
    if (legal && answers.statuses.includes(202)) taken.add(legal.jobGroupId);
    if (legal && !legal.must) may.add(legal.jobGroupId);
    const wrong = wrongWith(request, answers);
    if (wrong !== undefined)
      violations.push(`request ${n}, ${request.kind}: ${wrong}. It began ${beginOf(request)}`);
  };

  const goodOne = async (): Promise<void> => {
    const id = site.simulator.createJobGroup({ id: GOOD_FROM + good.length, webhook: false });
    const body = JSON.stringify({ jobId: String(id), jobStatus: "Complete", ...GOOD_LABEL });
    const headers = { "content-type": "application/json", ...sign("designer-cloud", SECRET, body) };
    good.push(id);
    try {
      const signal = AbortSignal.timeout(GOOD_WITHIN_MS);
      const answer = await fetch(`http://127.0.0.1:${site.port}${PATH}`, {
        method: "POST",
        headers,
        body,
        signal,
      });
      const text = await answer.text();
      if (answer.status !== 202)
        violations.push(`a good report after ${sent} requests: ${answer.status} ${text}`);
    } catch (error) {
      violations.push(
        `a good report after ${sent} requests was not answered: ${String(error)}\n${site.log()}`,
      );
    }
  };

  /** Waits until all good ones are published, then compares what Redis holds with what may be in it. */
  const settle = async (): Promise<void> => {
    const deadline = Date.now() + PUBLISHED_WITHIN_MS;
    let open = good;
    while (open.length > 0 && Date.now() < deadline && site.isRunning()) {
      const states = await Promise.all(open.map((id) => site.state(id)));
      open = open.filter((_, i) => states[i] !== "published");
      if (open.length > 0) await wait(100);
    }
    if (open.length > 0) violations.push(`not published: good job groups ${open.join(", ")}`);
    if (site.simulator.twice().length > 0) violations.push("a job group was published twice");
    const stored = await site.completions();
    const expected = new Set([...good, ...taken]);
    for (const id of stored) {
      if (!expected.has(id) && !may.has(id))
        violations.push(`Redis holds job group ${id}, which must not have been taken`);
    }
    for (const id of expected)
      if (!stored.has(id)) violations.push(`job group ${id} was answered 202 and is not in Redis`);
  };

  const counts = () => ({ requests: sent, signed, good: good.length, taken: taken.size, statuses, kinds });
  return { violations, hostile, good: goodOne, settle, counts };
}

function wrongWith(
  { statuses: allowed, maybeSilent = false, legal }: Hostile,
  { statuses, garbage, timedOut }: Answers,
): string | undefined {
  if (garbage) return "something came back that is not HTTP";
  if (timedOut) return `no end within its time, answers: ${statuses.join(", ") || "none"}`;
  if (statuses.length === 0) return maybeSilent ? undefined : "no answer";
  const foreign = statuses.filter((status) => !allowed.includes(status));
  if (foreign.length > 0) return `${foreign.join(", ")} and not one of ${allowed.join(", ")}`;
  if (legal?.must && statuses[0] !== 202) return `${statuses[0]}, though it is legal`;
  if (statuses.filter((status) => status === 202).length > 1) return "two reports were taken";
  return undefined;
}

function beginOf({ chunks }: Hostile): string {
  return JSON.stringify(Buffer.concat(chunks).subarray(0, 400).toString("latin1"));
}

/** Runs through a list, some at once. */
async function eachOf(
  list: readonly number[],
  atOnce: number,
  run: (n: number) => Promise<void>,
): Promise<void> {
  const left = [...list];
  const worker = async (): Promise<void> => {
    for (let n = left.shift(); n !== undefined; n = left.shift()) await run(n);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** What a run came to, for people. */
export function tellReport(report: FuzzReport): string {
  const { requests, signed, good, taken, statuses, kinds, memory, ms, violations } = report;
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `${name} ${count}`)
      .join(" · ");
  return [
    `${requests} hostile requests in ${Math.round(ms / 1_000)} s, ${signed} of them rightly signed; ${good} good ones among them`,
    `what: ${list(kinds)}`,
    `answers: ${list(statuses)}`,
    `taken in: ${taken} that are odd and legal`,
    `memory: ${megabytes(memory.warmBytes)} after the warm-up, ${megabytes(memory.endBytes)} at the end`,
    ...violations.slice(0, VIOLATIONS_SHOWN).map((violation) => `VIOLATION ${violation}`),
    violations.length === 0 ? "GOOD: no violation" : `BAD: ${violations.length} violations`,
  ].join("\n");
}
