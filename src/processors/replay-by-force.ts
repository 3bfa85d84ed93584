import type { TaskRecord } from "../queues/record.ts";
import type { Action } from "../rules/model.ts";
import { REPLAYED_BY_FORCE } from "../rules/task-state.ts";

type Forced = NonNullable<TaskRecord["decisions"]>[number];

/** What a replay by force is known by, so that asking again sends nothing twice; undefined for one without a name. */
export const nameOfReplay = ({
  key,
  reason,
}: {
  readonly key?: string | undefined;
  readonly reason?: string;
}): string | undefined => key ?? (reason === "" ? undefined : reason);

/** The replays by force that a task had, the newest last. */
const forcedOf = (record: TaskRecord | undefined): readonly Forced[] =>
  (record?.decisions ?? []).filter(({ outcome }) => outcome === REPLAYED_BY_FORCE);

/** The replay by force of this name that the task had already, however long ago and whatever others came since. */
export function forcedAs(record: TaskRecord | undefined, name: string | undefined): Forced | undefined {
  if (name === undefined) return undefined;
  return forcedOf(record).findLast((one) => nameOfReplay(one) === name);
}

/** Says that a replay of this name was done, and how to do it once more. */
export const tellDone = ({ at, reason }: Pick<Forced, "at" | "reason">): string =>
  `done by this replay already, at ${new Date(at).toISOString()}${reason && ` (reason: ${reason})`}: say another reason or --key to publish it once more`;

/** What it means to publish results again that are in the table, and whether that was done before. */
export function meaningOf(action: Action, record: TaskRecord | undefined): string {
  const last = forcedOf(record).at(-1);
  const before = last
    ? `. Replayed by force before, last by ${last.by} at ${new Date(last.at).toISOString()}`
    : "";
  return `${MEANING[action]}${before}`;
}

const MEANING: Readonly<Record<Action, string>> = {
  load: "its rows will be in the table twice (load appends)",
  createAndLoad: "its rows will be loaded once more, into the table or into another one (createAndLoad)",
  create: "another table is made, an empty one, or it fails since the table is there (create)",
  truncateAndLoad: "the table is emptied and loaded with the same results",
  dropAndLoad: "the table is dropped and made with the same results",
  upsert: "the same results are merged into the table again",
};
