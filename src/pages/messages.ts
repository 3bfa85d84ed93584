import type { Story } from "../story.ts";
import { html, type Html } from "./html.ts";
import type { Overview } from "./view.ts";

/** What was done, as the address of the page that follows says it: `paused-sales`. */
const DONE = {
  paused: (name: string) => `Target ${name} is paused: nothing starts there, what runs goes on.`,
  resumed: (name: string) => `Target ${name} is resumed: what waits starts again.`,
  probed: (name: string) => `The next publish of target ${name} tries now. Look again in a few seconds.`,
  closed: (name: string) => `The breaker of target ${name} is not open: there is nothing to probe.`,
  published: () => "Decided: the task is published. Who decided and why is kept with it.",
  again: () => "Decided: the task is published again. Who decided and why is kept with it.",
} as const;

type Done = keyof typeof DONE;

/** The message that the overview's address asks for; only what is true of the target now is shown. */
export function overviewMessage(asked: string | null, { targets }: Overview): Html | undefined {
  return message(asked, (done, name) => {
    const target = targets.find((one) => one.name === name);
    if (!target) return false;
    switch (done) {
      case "paused":
        return target.paused;
      case "resumed":
        return !target.paused;
      case "probed":
        return target.breaker.open && target.breaker.openMs === 0;
      case "closed":
        return !target.breaker.open;
      case "published":
      case "again":
        return false;
    }
  });
}

/** The message that a story's address asks for; only what fits its tasks now is shown. */
export function storyMessage(asked: string | null, { tasks }: Story): Html | undefined {
  return message(asked, (done, name) => {
    const ofTarget = tasks.filter(({ target }) => target === name);
    const waitsFor = (cause: string) => ofTarget.some(({ waits }) => waits?.cause === cause);
    switch (done) {
      case "paused":
        return waitsFor("pause");
      case "resumed":
        return ofTarget.length > 0 && !waitsFor("pause");
      case "probed":
        return waitsFor("breaker");
      case "closed":
        return ofTarget.length > 0 && !waitsFor("breaker");
      case "published":
      case "again":
        return tasks.some(({ decisions }) => lastOutcome(decisions) === done);
    }
  });
}

function message(asked: string | null, isTrue: (done: Done, name: string) => boolean): Html | undefined {
  const [, what = "", name = ""] = /^([a-z]+)(?:-([a-z0-9][a-z0-9_-]{0,63}))?$/.exec(asked ?? "") ?? [];
  if (!isDone(what) || !isTrue(what, name)) return undefined;
  return html`<p class="notice good" role="status">✓ ${DONE[what](name)}</p>`;
}

const isDone = (what: string): what is Done => Object.hasOwn(DONE, what);

function lastOutcome(decisions: unknown): unknown {
  return Array.isArray(decisions)
    ? (decisions as { readonly outcome?: unknown }[]).at(-1)?.outcome
    : undefined;
}
