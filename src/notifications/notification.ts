import { createHash } from "node:crypto";
import type { NoticeEntry, Trouble } from "../queues/notice-store.ts";

/** What is sent: a Standard Webhooks payload. */
export interface Notification {
  /** The webhook-id: the same for every address and every try. */
  readonly id: string;
  readonly body: {
    readonly type: string;
    readonly timestamp: string;
    readonly data: NotificationData;
  };
}

interface NotificationData {
  /** All of it in a line or two, for a chat. */
  readonly text: string;
  readonly trouble: Trouble["kind"];
  readonly target?: string;
  readonly why?: string;
  /** When the trouble began; of a summary, when that which it counts began. */
  readonly since: string;
  /** How many it tells of. */
  readonly count: number;
  readonly summary?: true;
  readonly link?: string;
  readonly [more: string]: unknown;
}

const TEXT_MAX = 1_000;

/** Words for an entry of the outbox. `publicUrl` is where people reach the relay, without a slash at its end. */
export function toNotification(entry: NoticeEntry, publicUrl: string | undefined): Notification {
  const { trouble, what, detail, at, since, countSince, count } = entry;
  const over = what === "recovered";
  const why = typeof detail["why"] === "string" ? clip(detail["why"]) : undefined;
  const link = publicUrl && publicUrl + pathOf(entry);
  const data: NotificationData = {
    text: [textOf(entry, why), link].filter(Boolean).join(" "),
    trouble: trouble.kind,
    ...(trouble.target !== undefined && { target: trouble.target }),
    ...(over ? {} : detail),
    ...(why !== undefined && !over && { why }),
    since: timeOf(what === "summary" ? countSince : since),
    count,
    ...(what === "summary" && { summary: true as const }),
    ...(link && { link }),
  };
  return {
    id: `notice-${createHash("sha256").update(entry.id).digest("hex").slice(0, 32)}`,
    body: { type: typeOf(entry), timestamp: timeOf(at), data },
  };
}

function typeOf({ trouble: { kind }, what }: NoticeEntry): string {
  if (what !== "recovered") return kind;
  if (kind === "gate.shut") return "gate.open";
  return kind === "breaker.open" ? "breaker.closed" : "recovered";
}

/** The story of a job group; what concerns none is seen on the board. */
function pathOf({ what, detail }: NoticeEntry): string {
  const { jobGroupId } = detail;
  return typeof jobGroupId === "number" && what !== "recovered" ? `/job-groups/${jobGroupId}` : "/board";
}

function textOf(entry: NoticeEntry, why = "no reason is known"): string {
  const { trouble, what, since, countSince, count, open } = entry;
  const { target = "" } = trouble;
  const began = `since ${shortTime(since)}`;
  if (what === "first") return firstOf(entry, why);
  if (what === "summary") {
    const words = SUMMARY[trouble.kind](count, target);
    const now = open ? "" : " It is over for now.";
    return `${words} since ${shortTime(countSince)}. The last: ${why}.${now}`;
  }
  const more = count > 0 ? ` (${count} more came after the last notification)` : "";
  switch (trouble.kind) {
    case "task.failed":
      return `${target} publishes again: a task was published after tasks had failed there ${began}${more}.`;
    case "task.parked":
      return `Nothing is parked on ${target} any more; tasks were ${began}${more}.`;
    case "breaker.open":
      return `${target} publishes again: its breaker is closed, and had been open ${began}.`;
    case "gate.shut":
      return `The gate to the platform is open again: it had been shut ${began}.`;
    case "freshness.missed":
      return `No open task of ${target} is over its freshness goal any more, which was missed ${began}. One that failed meanwhile was told by itself.`;
    case "completion.failed":
      return `Completions are dispatched again: one was, after others had failed ${began}${more}.`;
    case "completion.waits":
      return `No completion waits for its dispatch for long any more: some had ${began}.`;
  }
}

function firstOf({ trouble, detail }: NoticeEntry, why: string): string {
  const { target = "" } = trouble;
  const task = `Task ${textIn(detail, "task")} (job group ${textIn(detail, "jobGroupId")} to ${target}, ${textIn(detail, "table")})`;
  switch (trouble.kind) {
    case "task.failed":
      return `${task} failed: ${why}.`;
    case "task.parked":
      return `${task} is parked and waits for a person's decision: ${why}.`;
    case "breaker.open":
      return `The breaker of ${target} is open: nothing is started there, nothing is lost. ${why}.`;
    case "gate.shut":
      return `The gate to the platform is shut: nothing is published, nothing is lost. ${why}.`;
    case "freshness.missed":
      return `${target} misses its freshness goal: ${why}.`;
    case "completion.failed":
      return `The completion of job group ${textIn(detail, "jobGroupId")} failed: ${why}.`;
    case "completion.waits":
      return `Completions are not dispatched: ${why}.`;
  }
}

const times = (n: number): string => (n === 1 ? "once more" : `${n} more times`);
const tasks = (n: number): string => (n === 1 ? "1 more task" : `${n} more tasks`);

const SUMMARY: Readonly<Record<Trouble["kind"], (count: number, target: string) => string>> = {
  "task.failed": (n, target) => `${tasks(n)} failed on ${target}`,
  "task.parked": (n, target) => `${tasks(n)} ${n === 1 ? "was" : "were"} parked on ${target}`,
  "breaker.open": (n, target) => `The breaker of ${target} opened ${times(n)}`,
  "gate.shut": (n) => `The gate to the platform was shut ${times(n)}`,
  "freshness.missed": (n, target) => `${target} missed its freshness goal ${times(n)}`,
  "completion.failed": (n) => `${n} more completion${n === 1 ? "" : "s"} failed`,
  "completion.waits": (n) => `Completions were not dispatched ${times(n)}`,
};

function textIn(detail: NoticeEntry["detail"], name: string): string {
  const value = detail[name];
  return typeof value === "string" || typeof value === "number" ? String(value) : "?";
}

/** The sentence ends behind it. */
const clip = (text: string): string =>
  (text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX - 3)}...` : text).replace(/\.$/, "");
const timeOf = (ms: number): string => new Date(ms).toISOString();
const shortTime = (ms: number): string => `${timeOf(ms).slice(0, 16).replace("T", " ")} UTC`;
