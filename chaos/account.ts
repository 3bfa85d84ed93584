import type { RecordedTask } from "../src/queues/completion-record.ts";
import { hasEnded } from "../src/rules/task-state.ts";
import { type Fate, type PlannedGroup, TARGETS } from "./plan.ts";
import type { Site } from "./site.ts";

/** What became of one job group's publish to one target. */
export type Fault =
  /** Neither published, failed with a reason, superseded nor parked with evidence; or said to be what it is not. */
  | "lost"
  /** Its rows are in the table more than once. */
  | "twice"
  /** Parked, although nothing happened to it that cannot be found out. */
  | "parked needlessly"
  /** Failed, although the platform would have published it. */
  | "failed needlessly";

export interface AccountedTask {
  readonly jobGroupId: number;
  readonly target: string;
  readonly fate: Fate;
  readonly state: string;
  readonly task?: RecordedTask;
  readonly fault?: Fault;
  readonly words?: string;
}

/** Looks at every task that should be, in the record and in the platform's tables. */
export async function accountForAll(site: Site, groups: readonly PlannedGroup[]): Promise<AccountedTask[]> {
  const applied = countApplied(site);
  const accounted: AccountedTask[] = [];
  for (const group of groups) {
    const { tasks } = await site.records.read(group.jobGroupId);
    for (const [t, target] of TARGETS.entries()) {
      const task = tasks.find(({ plan }) => plan.connection === target.connection);
      const fate = group.fates[t] ?? "usual";
      const times = applied.get(`${group.jobGroupId}/${target.connection}`) ?? 0;
      accounted.push({
        jobGroupId: group.jobGroupId,
        target: target.name,
        fate,
        state: task?.record.state ?? "no task",
        ...(task && { task }),
        ...judge(task, fate, times),
      });
    }
  }
  return accounted;
}

function countApplied({ simulator }: Site): Map<string, number> {
  const applied = new Map<string, number>();
  for (const { connection, applications } of simulator.tables()) {
    for (const { jobGroupId } of applications) {
      const key = `${jobGroupId}/${connection}`;
      applied.set(key, (applied.get(key) ?? 0) + 1);
    }
  }
  return applied;
}

function judge(
  task: RecordedTask | undefined,
  fate: Fate,
  applied: number,
): { fault: Fault; words: string } | undefined {
  const is = (fault: Fault, words: string) => ({ fault, words });
  if (applied > 1) return is("twice", `its rows are in the table ${applied} times`);
  if (!task) return is("lost", "there is no task");
  const { state, words, evidence } = task.record;
  if (!hasEnded(state)) return is("lost", `it has not ended, it is ${state}`);
  switch (state) {
    case "published":
      return applied === 0 ? is("lost", "it is said to be published, and its rows are not there") : undefined;
    case "failed":
      if (applied > 0) return is("lost", "it is said to have failed, and its rows are there");
      if (!words) return is("lost", "it failed without a reason");
      return fate === "fails-always" ? undefined : is("failed needlessly", words);
    case "parked":
      if (!evidence) return is("lost", "it is parked without evidence");
      return fate === "stuck" || fate === "beside-stuck" ? undefined : is("parked needlessly", words ?? "");
    default:
      return is("lost", `it is ${state}, which a publish that appends cannot be`);
  }
}

/** Tasks that the platform would publish: all but those that it fails each time, or never ends, or that wait for such a one. */
export const canBePublished = ({ fate }: AccountedTask): boolean =>
  fate !== "fails-always" && fate !== "stuck" && fate !== "beside-stuck";
