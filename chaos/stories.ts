import { readFile } from "node:fs/promises";
import type { AccountedTask } from "./account.ts";
import { TARGETS } from "./plan.ts";
import type { Site } from "./site.ts";

const LOG_LINES = 30;

/** Everything that is known of a task that went wrong: record, what reached the platform, what was killed, what was logged. */
export async function tellStory(task: AccountedTask, site: Site, notes: readonly string[]): Promise<string> {
  const { jobGroupId, target, fate, fault, words } = task;
  const connection = TARGETS.find(({ name }) => name === target)?.connection ?? 0;
  const siblings = (await site.records.read(jobGroupId)).tasks;
  const at = (time: number | undefined): string => (time === undefined ? "-" : new Date(time).toISOString());
  const publishes = site.simulator
    .publishes(jobGroupId)
    .map(
      (one) =>
        `  job ${one.jobId} connection ${one.connection}: accepted ${at(one.acceptedAt)}, shown ${at(one.visibleAt)}, ended ${at(one.endedAt)} ${one.status}`,
    );
  const puts = site.simulator
    .requests({ kind: "publish", jobGroupId })
    .map(
      (put) =>
        `  ${at(put.at)} PUT ${JSON.stringify(put.body)} -> ${put.result ?? "-"} ${put.fault ?? ""} job ${put.publishJobId ?? "-"}`,
    );
  const job = await site.redis.hgetall(
    site.keys.queue(`publish.${target}`, `jobgroup-${jobGroupId}-${connection}-public-events`),
  );
  const { data: _data, opts: _opts, ...brief } = job;
  return [
    `== ${fault}: job group ${jobGroupId} -> ${target} (bound to be: ${fate}): ${words}`,
    ...siblings.map(({ plan, record }) => `  ${plan.target}: ${JSON.stringify(record)}`),
    `  its job: ${JSON.stringify(brief)}`,
    ...puts,
    ...publishes,
    ...(await linesOf(site, jobGroupId, "  log ")),
    ...near(notes, task).map((line) => `  ${line}`),
  ].join("\n");
}

async function linesOf({ fleet }: Site, jobGroupId: number, prefix: string): Promise<string[]> {
  const files = await Promise.all(
    fleet.slots.map(async ({ logFile, index }) => ({ index, text: await readFile(logFile, "utf8") })),
  );
  return files.flatMap(({ index, text }) =>
    text
      .split("\n")
      .filter((line) => line.includes(`"jobGroupId":${jobGroupId},`))
      .slice(-LOG_LINES)
      .map((line) => `${prefix}${index + 1}: ${line}`),
  );
}

const AROUND_MS = 60_000;

/** What was killed and stopped while the task lived. */
function near(notes: readonly string[], { task }: AccountedTask): string[] {
  const since = task?.record.submittingAt ?? task?.record.endedAt;
  if (since === undefined) return notes.slice(-LOG_LINES);
  return notes.filter((line) => Math.abs(Date.parse(line.slice(0, 24)) - since) < AROUND_MS);
}
