import { html, type Html } from "./html.ts";

/** What was done, as the address of the page that follows says it: `paused-sales`. */
const DONE: Readonly<Record<string, (name: string) => string>> = {
  paused: (name) => `Target ${name} is paused: nothing starts there, what runs goes on.`,
  resumed: (name) => `Target ${name} is resumed: what waits starts again.`,
  probed: (name) => `The next publish of target ${name} tries now. Look again in a few seconds.`,
  closed: (name) => `The breaker of target ${name} is not open: there is nothing to probe.`,
  published: () => "Decided: the task is published. Who decided and why is kept with it.",
  again: () => "Decided: the task is published again. Who decided and why is kept with it.",
};

/** The message that an address asks for; only those of the list are shown. */
export function doneMessage(done: string | null): Html | undefined {
  const [, what = "", name = ""] = /^([a-z]+)(?:-([a-z0-9][a-z0-9_-]{0,63}))?$/.exec(done ?? "") ?? [];
  const words = Object.hasOwn(DONE, what) ? DONE[what]?.(name) : undefined;
  return words === undefined ? undefined : html`<p class="notice good" role="status">✓ ${words}</p>`;
}
