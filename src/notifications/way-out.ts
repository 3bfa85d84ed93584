import type { Job, JobsOptions, Queue } from "bullmq";
import { z } from "zod";
import type { NoticeEntry, NoticeStore } from "../queues/notice-store.ts";
import type { Outcome } from "../queues/outcome.ts";
import type { Address } from "./addresses.ts";
import type { Delivered, Delivery } from "./deliver.ts";
import { toNotification } from "./notification.ts";

const BACKOFF_FIRST_MS = 5_000;
const BACKOFF_MAX_MS = 10 * 60_000;
/** After so long nobody needs to hear of it any more. */
const GIVE_UP_MS = 24 * 3_600_000;
/** More than fit into that time. */
const ATTEMPTS = 200;
/** An address that does not answer holds up no more than so many of a process' sendings. */
export const PER_ADDRESS = 4;
const BUSY_MS = 1_000;
/** The process that was given the address may be another one. */
const UNKNOWN_MS = 60_000;

const DAY_S = 86_400;
const OPTIONS: JobsOptions = {
  attempts: ATTEMPTS,
  backoff: { type: "custom" },
  removeOnComplete: { age: DAY_S, count: 1_000 },
  removeOnFail: { age: 30 * DAY_S, count: 1_000 },
};

const jobSchema = z.object({
  address: z.string(),
  host: z.string(),
  notification: z.object({
    id: z.string(),
    body: z.looseObject({ type: z.string(), timestamp: z.string(), data: z.looseObject({}) }),
  }),
});

/** Queues what has to be told, a job for each address; twice is as good as once. */
export function createSendOut(
  queue: Queue,
  store: Pick<NoticeStore, "queued">,
  addresses: readonly Address[],
  publicUrl: string | undefined,
): (entry: NoticeEntry) => Promise<void> {
  return async (entry) => {
    const notification = toNotification(entry, publicUrl);
    await queue.addBulk(
      addresses.map(({ id, host }) => ({
        name: `${notification.body.type} to ${host}`,
        data: { address: id, host, notification },
        opts: { ...OPTIONS, jobId: `${notification.id}-${id}` },
      })),
    );
    await store.queued(entry.id);
  };
}

/** Handles a job of the queue: sends it to its address, and says what comes next. */
export function createDeliverJob(
  addresses: readonly Address[],
  send: Delivery["send"],
): (job: Job, signal: AbortSignal) => Promise<Outcome> {
  const byId = new Map(addresses.map((address) => [address.id, address]));
  const running = new Map<string, number>();
  return async (job, signal) => {
    const { address: id, host, notification } = jobSchema.parse(job.data);
    const address = byId.get(id);
    if (!address) {
      const words = `${host}: this address is not one of NOTIFY_URLS of the process that took the job`;
      return again(job, { words, waitMs: UNKNOWN_MS });
    }
    const busy = running.get(id) ?? 0;
    if (busy >= PER_ADDRESS) return { next: "later", inMs: BUSY_MS };
    running.set(id, busy + 1);
    const delivered = await send(address, notification as Parameters<typeof send>[1], signal);
    running.set(id, (running.get(id) ?? 1) - 1);
    if (signal.aborted && delivered.next === "again") return { next: "hand-over" };
    return follow(job, host, delivered);
  };
}

function follow(job: Job, host: string, delivered: Delivered): Outcome {
  switch (delivered.next) {
    case "done":
      return { next: "done", value: { outcome: "delivered", host } };
    case "stop":
      return { next: "fail", outcome: "failed", words: delivered.words };
    case "again":
      return again(job, delivered);
  }
}

function again(job: Job, { words, waitMs = 0 }: { words: string; waitMs?: number }): Outcome {
  const backoffMs = Math.min(BACKOFF_FIRST_MS * 2 ** Math.min(job.attemptsMade, 20), BACKOFF_MAX_MS);
  const inMs = Math.max(Math.round(backoffMs * (1 + 0.2 * Math.random())), waitMs);
  const isLast = job.attemptsMade + 1 >= ATTEMPTS || Date.now() + inMs - job.timestamp > GIVE_UP_MS;
  if (isLast) return { next: "fail", outcome: "failed", words: `${words}; given up after 24 h` };
  return { next: "retry", inMs, words };
}
