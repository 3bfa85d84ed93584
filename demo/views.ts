import { z } from "zod";

/** A publish task as the demo shows it. */
export interface TaskView {
  readonly id: string;
  /** `sales.public.orders` */
  readonly place: string;
  readonly action: string;
  /** As the relay's record has it: `planned`, `submitted`, `published`, ... */
  readonly state: string;
  readonly ended: boolean;
  /** What it does just now, in the words of the board. */
  readonly stage: string;
  readonly percent: number;
  readonly words?: string;
  readonly seenAt: number;
  readonly endedAt?: number;
}

/** A job group that the demo follows. */
export interface GroupView {
  readonly id: number;
  /** The recipe's name, where the demo knows it. */
  readonly name?: string;
  readonly stage: string;
  readonly ended: boolean;
  readonly tasks: readonly TaskView[];
}

/** What `GET /v1/job-groups/{id}` answers, as far as it is shown. */
export const storySchema = z.object({
  completion: z.object({ outcome: z.string(), words: z.string().optional() }).optional(),
  tasks: z.array(
    z.object({
      id: z.string(),
      target: z.string(),
      schema: z.string(),
      table: z.string(),
      action: z.string(),
      state: z.string(),
      words: z.string().optional(),
      endedAt: z.string().optional(),
    }),
  ),
});
export type Story = z.output<typeof storySchema>;

/** A task's progress as BullMQ's events and the board have it. */
export const pictureSchema = z.object({ progress: z.number(), stage: z.string() });
export type Picture = z.output<typeof pictureSchema>;

const ENDED = ["published", "failed", "parked", "superseded"];

/** What is known of one job group, put together. */
export function viewOf(known: {
  readonly id: number;
  readonly name: string | undefined;
  /** Absent until the relay has heard of the job group. */
  readonly story: Story | undefined;
  readonly pictures: ReadonlyMap<string, Picture>;
  /** When each task was first seen. */
  readonly seenAt: ReadonlyMap<string, number>;
}): GroupView {
  const { id, name, story, pictures, seenAt } = known;
  const named = { id, ...(name !== undefined && { name }) };
  if (!story) return { ...named, stage: "runs on the platform", ended: false, tasks: [] };

  const outcome = story.completion?.outcome ?? "open";
  const tasks = story.tasks.map((task) => viewOfTask(task, pictures.get(task.id), seenAt.get(task.id)));
  const ended = outcome !== "open" && tasks.every((task) => task.ended);
  const stage = outcome === "open" ? "reported, asking the rules" : (story.completion?.words ?? outcome);
  return { ...named, stage, ended, tasks };
}

/** Is there something to publish, and all of it published? */
export function allPublished(groups: readonly GroupView[]): boolean {
  const tasks = groups.flatMap((group) => group.tasks);
  return tasks.length > 0 && tasks.every(({ state }) => state === "published");
}

function viewOfTask(
  { id, target, schema, table, action, state, words, endedAt }: Story["tasks"][number],
  picture: Picture | undefined,
  seenAt = Date.now(),
): TaskView {
  const ended = ENDED.includes(state);
  return {
    id,
    place: `${target}.${schema}.${table}`,
    action,
    state,
    ended,
    seenAt,
    // The record is the truth; the picture may come a moment before it, and only it knows the percent.
    stage: ended ? state : (picture?.stage ?? "waits in its queue"),
    percent: ended ? (state === "published" ? 100 : 0) : Math.min(picture?.progress ?? 0, 99),
    ...(words !== undefined && { words }),
    ...(endedAt !== undefined && { endedAt: Date.parse(endedAt) }),
  };
}
