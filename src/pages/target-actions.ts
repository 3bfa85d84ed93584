import { html, type Html } from "./html.ts";

/** What an operator can do to a target. */
export const TARGET_ACTIONS = ["pause", "resume", "probe"] as const;
export type TargetAction = (typeof TARGET_ACTIONS)[number];

const WORDS: Readonly<Record<TargetAction, { readonly label: string; readonly title: string }>> = {
  pause: { label: "Pause", title: "Nothing starts there until it is resumed; what runs goes on" },
  resume: { label: "Resume", title: "What waits starts again" },
  probe: { label: "Probe now", title: "Lets one publish try now, although the breaker is open" },
};

/** The longest reason that is taken, in characters. */
export const REASON_MAX = 1_000;

/** A button that does it, with a field for why; the answer leads back to `back`. `place` tells the buttons of one page apart. */
export function targetButton(target: string, action: TargetAction, back: string, place: string): Html {
  const { label, title } = WORDS[action];
  return html`<form method="post" action="/targets/${encodeURIComponent(target)}/${action}"><input type="hidden" name="back" value="${back}"><label class="visually-hidden" for="${place}-${action}-${target}-why">Why (optional), ${label} ${target}</label><input class="why" id="${place}-${action}-${target}-why" name="reason" maxlength="${REASON_MAX}" placeholder="why (optional)"><button id="${place}-${action}-${target}" title="${title}"${action !== "pause" && html` class="main"`}>${label}<span class="visually-hidden"> ${target}</span></button></form>`;
}
