import type { Completion, RecordedTask } from "../queues/completion-record.ts";
import type { TaskState } from "../rules/task-state.ts";

export interface JobGroupSummary {
  /** `published 2 of 3, 1 parked`, and the notes. */
  readonly words: string;
  readonly tasks: number;
  readonly published: number;
  readonly failed: number;
  readonly parked: number;
  readonly superseded: number;
  readonly open: number;
}

/**
 * How a job group's tasks stand, from its record: the truth, whatever became of the jobs. The notes of its completion say
 * what has no task: publications that were refused, or that wait for a name.
 */
export function summariseJobGroup(
  tasks: readonly RecordedTask[],
  { notes = [] }: Pick<Completion, "notes"> = {},
): JobGroupSummary {
  const count = (...states: TaskState[]): number =>
    tasks.filter(({ record }) => states.includes(record.state)).length;
  const published = count("published");
  const counts = {
    failed: count("failed"),
    parked: count("parked"),
    superseded: count("superseded"),
    open: count("planned", "admitted", "submitting", "submitted"),
  };
  const rest = Object.entries(counts)
    .filter(([, n]) => n > 0)
    .map(([name, n]) => `${n} ${name}`);
  return {
    words: [[`published ${published} of ${tasks.length}`, ...rest].join(", "), ...notes].join("; "),
    tasks: tasks.length,
    published,
    ...counts,
  };
}
