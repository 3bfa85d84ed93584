import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import type { ExternalJobUrl, QueueJobJson } from "@bull-board/api/typings/app";

/** What a queue is for; also the order of the board. */
export type BoardQueueKind = "completions" | "job-groups" | "poll" | "target" | "parked" | "notifications";

export interface BoardQueue {
  /** A BullMQ `Queue`. */
  readonly queue: ConstructorParameters<typeof BullMQAdapter>[0];
  readonly kind: BoardQueueKind;
  /** Default: the queue's name. */
  readonly displayName?: string;
  readonly description?: string;
}

/** What the board knows of a job when it asks for its link. */
interface BoardJob {
  readonly queueName: string;
  readonly id: string;
  readonly name: string;
  readonly data: unknown;
}

export type JobLink = (job: BoardJob) => { readonly text: string; readonly url: string } | undefined;

const ORDER: readonly BoardQueueKind[] = [
  "completions",
  "job-groups",
  "poll",
  "target",
  "parked",
  "notifications",
];
const GROUP: Readonly<Record<BoardQueueKind, string>> = {
  completions: "Completions",
  "job-groups": "Completions",
  poll: "Completions",
  target: "Targets",
  parked: "Parked",
  notifications: "Notifications",
};
/** No queue name holds it: BullMQ forbids it there. */
const DELIMITER = ":";

/** The name that Bull Board knows a queue by: it groups by the part before the delimiter. */
export function boardName(queueName: string, kind: BoardQueueKind): string {
  return `${GROUP[kind]}${DELIMITER}${queueName}`;
}

/** BullMQ's own name of a queue. */
export const plainName = (name: string): string => name.slice(name.indexOf(DELIMITER) + 1);

/**
 * The queues as Bull Board takes them, in the order of the flow; targets keep the order of the rules file.
 *
 * Every queue is in a group: the overview puts queues without one last, whatever their order.
 */
export function toAdapters(queues: readonly BoardQueue[], jobLink: JobLink | undefined): BullMQAdapter[] {
  return [...queues]
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))
    .map(({ queue, kind, displayName = queue.name, description = "" }) => {
      const link = jobLink && { externalJobUrl: (job: QueueJobJson) => linkOf(jobLink, queue.name, job) };
      const prefix = boardName("", kind);
      return new BullMQAdapter(queue, { prefix, delimiter: DELIMITER, displayName, description, ...link });
    });
}

function linkOf(jobLink: JobLink, queueName: string, job: QueueJobJson): ExternalJobUrl {
  const link = jobLink({ queueName, id: String(job.id ?? ""), name: job.name, data: job.data as unknown });
  // No link for this one: its type does not say so, but Bull Board leaves out what is undefined.
  return (link && { displayText: link.text, href: link.url }) as ExternalJobUrl;
}
