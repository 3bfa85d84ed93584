import { heldUp } from "./held-up.ts";
import type { HeldUp } from "./held-up-item.ts";
import { html, type Html } from "./html.ts";
import { targetButton } from "./target-actions.ts";
import { targetTable } from "./target-table.ts";
import { verdict } from "./verdict.ts";
import { oldestOf, type Overview } from "./view.ts";
import { moment, sentence, span } from "./words.ts";

const MARKS = { good: "✓", move: "▶", wait: "●", bad: "▲" } as const;

export interface OverviewOptions {
  readonly mayAct: boolean;
  /** Where buttons and links lead back to, with or without the refreshing. */
  readonly refreshes: boolean;
  readonly message?: Html | undefined;
}

/** The page that answers: is everything published, and if not, what is held up, why, since when, and what to do. */
export function overviewPage(view: Overview, { mayAct, refreshes, message }: OverviewOptions): Html {
  const held = heldUp(view);
  const { level, tag, words, more } = verdict(view, held);
  const back = refreshes ? "/" : "/?refresh=off";
  return html`${message}
<section class="verdict ${level}" aria-label="The answer">
<h1><span aria-hidden="true">${MARKS[level]}</span> ${words}</h1>
<p><span class="tag ${level}">${tag}</span> ${more}</p>
</section>
${held.length > 0 && html`<section aria-labelledby="held-up"><h2 id="held-up">What is held up</h2><ul class="held">${held.map((one) => item(one, mayAct, back))}</ul></section>`}
${view.rulesTrouble !== undefined && html`<p class="notice bad">▲ ${sentence(view.rulesTrouble)}</p>`}
<section aria-labelledby="figures"><h2 id="figures">Figures</h2>${figures(view)}</section>
<section aria-labelledby="targets"><h2 id="targets">Targets</h2>${targetTable(view, mayAct, back)}</section>
<p class="small soft">${
    refreshes
      ? html`This page brings itself up to date every 10 s. <a id="refresh-off" href="/?refresh=off">Stop that</a>`
      : html`This page stands still. <a id="refresh-on" href="/">Bring it up to date every 10 s</a>`
  }</p>`;
}

function item(
  { level, title, since, words, todo, target, act, links }: HeldUp,
  mayAct: boolean,
  back: string,
): Html {
  return html`<li class="item ${level}">
<h3><span class="tag ${level}">${level === "bad" ? "▲ Needs you" : "● Waits"}</span> ${title}</h3>
<p>${since && html`<strong>Since ${since}.</strong> `}${words}</p>
<p><strong>What to do:</strong> ${todo}</p>
<div class="acts">${mayAct && target !== undefined && act !== undefined && targetButton(target, act, back, "held")}
${links.map((link) => html`<a href="${link.to}">${link.words}</a> `)}</div>
</li>`;
}

function figures(view: Overview): Html {
  const { figures: all, open, parked, active, undispatched, webhooks } = view;
  const { hour, day } = all.all;
  const running = Math.min(active, Math.max(0, open - parked));
  const waiting = Math.max(0, open - parked - running);
  const figure = (name: string, value: string, more: Html | string) =>
    html`<div${name.startsWith("Oldest") && html` class="wide"`}><dt>${name}</dt><dd>${value}<small>${more}</small></dd></div>`;
  const ofDay = (n: number) => `${n.toLocaleString("en")} in the last day`;
  return html`<dl class="figures">
${figure("Published, last hour", hour.published.toLocaleString("en"), ofDay(day.published))}
${figure("Publish now", running.toLocaleString("en"), "in flight")}
${figure("Wait", waiting.toLocaleString("en"), undispatched.count > 0 ? `and ${undispatched.count} job groups not dispatched` : "tasks, parked ones not counted")}
${figure("Parked", parked.toLocaleString("en"), html`<a href="/job-groups?state=parked">${ofDay(day.parked)}</a>`)}
${figure("Failed, last hour", hour.failed.toLocaleString("en"), html`<a href="/job-groups?state=failed">${ofDay(day.failed)}</a>`)}
${figure("Webhooks lost", webhooks.losses.toLocaleString("en"), webhooks.polls ? "found by the poller, nothing is lost" : "counted by the poller, which is off here")}
${figure("Oldest not published", ...oldestFigure(view))}
</dl>`;
}

function oldestFigure(view: Overview): [string, Html | string] {
  const oldest = oldestOf(view);
  const { now } = view;
  if (!oldest) return ["none", "nothing waits"];
  const { at, jobGroupId, task } = oldest;
  const words = task
    ? html`<a href="/job-groups/${jobGroupId}">Job group ${jobGroupId}, ${task.table}</a>: ${task.state === "parked" && "parked. "}${sentence(task.words)} Finished ${moment(at, now)}`
    : html`<a href="/job-groups/${jobGroupId}">Job group ${jobGroupId}</a>: not dispatched yet. Reported ${moment(at, now)}`;
  return [span(now - at), words];
}
