/** `read` is for viewers too, `act` for operators, `dangerous` for operators where BOARD_DANGEROUS is true. */
type BoardRoute = {
  readonly method: "get" | "put" | "post" | "patch";
  /** As Bull Board writes it. */
  readonly route: string;
  /** What this row takes of it, when that is less than the whole route. */
  readonly only?: string;
} & (
  | { readonly kind: "read" }
  | { readonly kind: "act"; readonly action: string }
  | { readonly kind: "dangerous"; readonly action: string; readonly harm: string }
);

export type BoardAction = Extract<BoardRoute, { action: string }>;

const read = (route: string): BoardRoute => ({ method: "get", route, kind: "read" });
const act = (method: "put" | "patch", route: string, action: string, only?: string): BoardRoute => ({
  method,
  route,
  kind: "act",
  action,
  ...(only !== undefined && { only }),
});
const dangerous = (
  method: "put" | "post" | "patch",
  route: string,
  action: string,
  harm: string,
): BoardRoute => ({ method, route, kind: "dangerous", action, harm });

const QUEUE = "/api/queues/:queueName";
const JOB = `${QUEUE}/:jobId`;
const SCHEDULER = `${QUEUE}/job-schedulers/:schedulerId`;

const LOSES =
  "takes jobs away under the relay: what they were to publish waits until the sweep brings them back, and what tells how publishes ended is gone";
const PACE =
  "goes past the target's limits in the rules file, which are set again at the next change or start";
const POLLER =
  "changes when the poller looks for finished job groups, so that some may be found late or never";

/**
 * Every call of Bull Board's API, in the order in which Bull Board has them: the first that fits counts. A call that is
 * not listed is refused, so that a new version of Bull Board brings nothing that nobody has judged.
 */
export const BOARD_ROUTES: readonly BoardRoute[] = [
  read("/api/redis/stats"),
  read("/api/queues"),
  read("/api/job-schedulers"),
  read(`${QUEUE}/metrics`),
  read(`${QUEUE}/default-job-options`),
  read(`${QUEUE}/workers`),
  read(`${QUEUE}/rate-limit`),
  read(`${QUEUE}/job-data-schema`),
  act("put", "/api/queues/pause", "pause all queues"),
  act("put", "/api/queues/resume", "resume all queues"),
  read(`${JOB}/logs`),
  read(`${JOB}/flow`),
  read(JOB),
  dangerous(
    "post",
    `${QUEUE}/add`,
    "add a job",
    "puts a job on a queue that no report and no rule led to, or a second one of a task: the relay publishes nothing for it, and it ends as failed",
  ),
  act("put", `${QUEUE}/retry/:queueStatus`, "retry all failed jobs", `${QUEUE}/retry/failed`),
  dangerous(
    "put",
    `${QUEUE}/retry/:queueStatus`,
    "retry all jobs of a state",
    "runs everything that has ended once more: nothing is published twice, but all of it is asked of the platform again, ahead of what waits",
  ),
  act("put", `${QUEUE}/promote`, "promote all delayed jobs"),
  dangerous("put", `${QUEUE}/clean/:queueStatus`, "clean all jobs of a state", LOSES),
  act("put", `${QUEUE}/pause`, "pause"),
  act("put", `${QUEUE}/resume`, "resume"),
  dangerous("put", `${QUEUE}/concurrency`, "set the concurrency", PACE),
  dangerous("put", `${QUEUE}/rate-limit`, "set the rate limit", PACE),
  dangerous("put", `${QUEUE}/rate-limit/release`, "release the rate limit", PACE),
  dangerous("put", `${QUEUE}/empty`, "empty the queue", LOSES),
  dangerous(
    "put",
    `${QUEUE}/obliterate`,
    "obliterate the queue",
    "deletes the queue with all that waits, runs and ended in it, also under a publish that is being sent",
  ),
  dangerous("put", `${SCHEDULER}/remove`, "remove a schedule", POLLER),
  dangerous("patch", SCHEDULER, "change a schedule", POLLER),
  dangerous("put", `${SCHEDULER}/run`, "run a schedule now", POLLER),
  act("put", `${JOB}/retry`, "retry"),
  dangerous("put", `${JOB}/clean`, "remove a job", LOSES),
  act("put", `${JOB}/promote`, "promote"),
  dangerous(
    "patch",
    `${JOB}/update-data`,
    "change a job's data",
    "changes the plan that a job carries and not the record that it must match: the task then publishes nothing and fails",
  ),
  act("patch", `${JOB}/delay`, "change the delay"),
  act("patch", `${JOB}/priority`, "change the priority"),
  dangerous("put", `${JOB}/remove-unprocessed-children`, "remove the children of a job", LOSES),
];

/** Why an action is off; its words go to the operator. */
export function whyOff({ action, harm }: Extract<BoardRoute, { harm: string }>): string {
  return `"${action}" is off: it ${harm}. BOARD_DANGEROUS=true allows it.`;
}
