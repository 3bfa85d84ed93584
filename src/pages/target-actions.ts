import { html, type Html } from "./html.ts";

/** What an operator can do to a target. */
export const TARGET_ACTIONS = ["pause", "resume", "probe"] as const;
export type TargetAction = (typeof TARGET_ACTIONS)[number];

const WORDS: Readonly<Record<TargetAction, { readonly label: string; readonly title: string }>> = {
  pause: { label: "Pause", title: "Nothing starts there until it is resumed; what runs goes on" },
  resume: { label: "Resume", title: "What waits starts again" },
  probe: { label: "Probe now", title: "Lets one publish try now, although the breaker is open" },
};

/** A button that does it; the answer leads back to `back`. `place` tells the buttons of one page apart. */
export function targetButton(target: string, action: TargetAction, back: string, place: string): Html {
  const { label, title } = WORDS[action];
  return html`<form method="post" action="/targets/${encodeURIComponent(target)}/${action}"><input type="hidden" name="back" value="${back}"><button id="${place}-${action}-${target}" title="${title}"${action !== "pause" && html` class="main"`}>${label}<span class="visually-hidden"> ${target}</span></button></form>`;
}
