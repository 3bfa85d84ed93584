import type { StoryTask } from "../story.ts";
import { decisionForm, type Draft, parkedNotice } from "./decision-form.ts";
import { html, type Html } from "./html.ts";
import { stateTag } from "./states.ts";
import { targetButton } from "./target-actions.ts";
import { clockTime, moment, sentence, span } from "./words.ts";

export interface TaskOptions {
  readonly now: number;
  readonly mayAct: boolean;
  readonly jobGroupId: number;
  /** What somebody filled in for this task and could not be taken. */
  readonly draft?: Draft | undefined;
}

/** One publish of a job group: how it stands, why it waits, what it went through. */
export function taskPart(task: StoryTask, options: TaskOptions): Html {
  const { now, jobGroupId } = options;
  const { id, target, schema, table, action, rule, rulesVersion, state, attempts, words } = task;
  const ended = task.endedAt !== undefined;
  return html`<section class="card" id="${id}" aria-labelledby="${id}-title">
<h3 id="${id}-title">${stateTag(state)} ${schema}.${table} on <a href="/job-groups?target=${encodeURIComponent(target)}">${target}</a></h3>
${state === "parked" && parkedNotice(task, now)}${waitsNow(task, options)}
${words !== undefined && state !== "parked" && html`<p>${sentence(words)}</p>`}
<dl class="facts">
<dt>Action</dt><dd>${action}</dd>
<dt>Rule</dt><dd><a href="/job-groups?rule=${encodeURIComponent(rule)}">${rule}</a> <span class="soft">of rules version ${rulesVersion}</span></dd>
<dt>Job group finished</dt><dd>${moment(task.finishedAt, now)}</dd>
${task.submittingAt !== undefined && html`<dt>Sent</dt><dd>${moment(task.submittingAt, now)}</dd>`}
${task.submittedAt !== undefined && html`<dt>Accepted by the platform</dt><dd>${moment(task.submittedAt, now)}</dd>`}
${ended && html`<dt>${state === "parked" ? "Parked" : "Ended"}</dt><dd>${moment(task.endedAt ?? 0, now)}, ${span(Date.parse(task.endedAt ?? "") - Date.parse(task.finishedAt))} after the job group finished</dd>`}
<dt>Attempts used</dt><dd>${attempts}</dd>
${task.publishJobId !== undefined && html`<dt>Publish job</dt><dd>${task.publishJobId} on the platform${task.requestId !== undefined && html`, request ${task.requestId}`}</dd>`}
<dt>Task</dt><dd><a href="/board/queue/${encodeURIComponent(`publish.${target}`)}/${encodeURIComponent(id)}">${id} on the board</a></dd>
</dl>
${waited(task)}
${steps(task, now)}
${decided(task, now)}
${state === "parked" && decisionForm(task, { ...options, jobGroupId })}
</section>`;
}

/** What can be done about a wait, beside what its words say. */
function waitsNow({ waits, target }: StoryTask, { now, mayAct, jobGroupId }: TaskOptions): Html | undefined {
  if (!waits) return undefined;
  const { cause, since, heldSince, words } = waits;
  const act = cause === "pause" ? ("resume" as const) : cause === "breaker" ? ("probe" as const) : undefined;
  return html`<div class="notice wait"><p>● Waits: ${sentence(words)}</p>
<p class="small">It has waited since ${moment(since, now)}.${heldSince !== undefined && html` ${HELD[cause] ?? "Held up"} since ${moment(heldSince, now)}.`}</p>
${mayAct && act && html`<div class="acts">${targetButton(target, act, `/job-groups/${jobGroupId}`, "task")}</div>`}</div>`;
}

const HELD: Readonly<Record<string, string>> = {
  pause: "The target is paused",
  gate: "The gate is shut",
  breaker: "The breaker is open",
  pace: "The target is at its pace",
};

const CAUSES: Readonly<Record<string, string>> = {
  queue: "its turn",
  pause: "the target was paused",
  gate: "the gate to the platform was shut",
  breaker: "the target's breaker was open",
  pace: "the target's pace",
  slots: "a free place on the target",
  group: "the job group was busy: another of its tasks",
  table: "another publish to the same table",
  publish: "the job group was busy: a publish not ours",
  platform: "an answer of the platform",
  retry: "the time until the next try",
};

function waited({ waited: all }: StoryTask): Html | undefined {
  const waits = Object.entries(all).toSorted(([, a], [, b]) => b - a);
  const most = waits[0]?.[1];
  if (most === undefined) return undefined;
  return html`<table class="bars"><caption>What it waited for, and how long</caption><tbody>${waits.map(
    ([cause, ms]) =>
      html`<tr><th scope="row">${CAUSES[cause] ?? cause}</th><td class="n">${span(ms)}</td><td aria-hidden="true">${bar(ms / most)}</td></tr>`,
  )}</tbody></table>`;
}

/** An SVG, as the security headers take no style attributes. */
const bar = (share: number): Html =>
  html`<svg width="160" height="10" viewBox="0 0 160 10"><rect width="${Math.max(2, Math.round(share * 160))}" height="10" rx="2" fill="currentColor" opacity="0.6"/></svg>`;

function steps({ steps: lines }: StoryTask, now: number): Html {
  if (lines.length === 0) {
    return html`<p class="soft small">No steps are kept: it has not run yet, or its job was removed. The times above stay.</p>`;
  }
  return html`<h4 class="small">Steps</h4><ol class="steps">${lines.map((line) => {
    const [, at, words = line] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) (.*)$/s.exec(line) ?? [];
    return html`<li>${at !== undefined && html`${clockTime(at, now)} `}${words}</li>`;
  })}</ol>`;
}

interface Decided {
  readonly outcome: string;
  readonly by: string;
  readonly reason: string;
  readonly at: number;
}

function decided({ decisions }: StoryTask, now: number): Html | undefined {
  if (!Array.isArray(decisions) || decisions.length === 0) return undefined;
  return html`<h4 class="small">Decisions</h4><ul>${(decisions as Decided[]).map(
    ({ outcome, by, reason, at }) =>
      html`<li>${moment(at, now)}: ${by} decided "${outcome}". Reason: ${reason}</li>`,
  )}</ul>`;
}
