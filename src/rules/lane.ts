import type { PublishPlan } from "./model.ts";

/** What a rule may say ends here; whatever is behind it was replayed. */
export const LAST_OF_RULES = 1_000;

/** Replayed tasks stand behind all that come by themselves. */
export const REPLAY_PRIORITY = 2_000;

/** Was the task replayed? It gives way to all that were not. */
export const isReplayed = ({ priority }: Pick<PublishPlan, "priority">): boolean => priority > LAST_OF_RULES;
