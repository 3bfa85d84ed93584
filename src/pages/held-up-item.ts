import type { Html } from "./html.ts";
import type { OpenTask } from "./view.ts";

/** One thing that holds up publishes. */
export interface HeldUp {
  /** `bad`: a person has to do something, or should look. `wait`: it goes on by itself. */
  readonly level: "bad" | "wait";
  readonly title: string;
  /** Since when, with its label. */
  readonly since?: Html;
  /** Why. */
  readonly words: string;
  /** What can be done. */
  readonly todo: Html | string;
  /** The target whose buttons belong here. */
  readonly target?: string;
  readonly act?: "resume" | "probe";
  readonly links: readonly { readonly to: string; readonly words: string }[];
}

/** Where the open job groups of a target are found. */
export const openOf = (target: string) => ({
  to: `/job-groups?target=${encodeURIComponent(target)}&state=open`,
  words: "The job groups",
});

/** Where the job group of a task is told of. */
export const storyOf = ({ jobGroupId, table }: OpenTask) => ({
  to: `/job-groups/${jobGroupId}`,
  words: `Job group ${jobGroupId}: ${table}`,
});
