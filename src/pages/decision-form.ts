import { REPEATABLE_ACTIONS, type Action } from "../rules/model.ts";
import type { StoryTask } from "../story.ts";
import { evidenceList } from "./evidence.ts";
import { html, type Html } from "./html.ts";
import { moment, sentence } from "./words.ts";

/** A decision as somebody filled it in, and what is missing in it. */
export interface Draft {
  readonly taskId: string;
  readonly outcome: string;
  readonly reason: string;
  readonly wrong: string;
}

export interface DecisionOptions {
  readonly now: number;
  readonly mayAct: boolean;
  readonly jobGroupId: number;
  readonly draft?: Draft | undefined;
}

/** Says that a task is parked, since when, and why. */
export function parkedNotice({ words, endedAt }: StoryTask, now: number): Html {
  const since = endedAt !== undefined && html` since ${moment(endedAt, now)}`;
  return html`<div class="notice bad"><p>▲ Parked${since}: it waits for a person's decision.</p>
<p>${sentence(words ?? "It cannot be told whether the rows are in the table")}</p></div>`;
}

/** The evidence of a parked task, and the form with which a person decides. */
export function decisionForm(task: StoryTask, { now, mayAct, jobGroupId, draft }: DecisionOptions): Html {
  const { id, evidence } = task;
  return html`${evidence !== undefined && html`<h4 class="small">The evidence</h4>${evidenceList(evidence, now)}`}
${mayAct ? form(task, jobGroupId, draft?.taskId === id ? draft : undefined) : html`<p><strong>You may look, not decide:</strong> sign in as one of BOARD_OPERATORS to decide.</p>`}`;
}

function form({ id, schema, table, action }: StoryTask, jobGroupId: number, draft: Draft | undefined): Html {
  const repeatable = REPEATABLE_ACTIONS.includes(action as Action);
  const risk = repeatable
    ? `Its action ${action} replaces or merges: if the rows are there after all, they are written once more.`
    : `The risk: if the rows are there after all, ${action} puts them there twice.`;
  const choice = (outcome: string, label: string, meaning: string) =>
    html`<div class="choice"><input type="radio" id="${id}-${outcome}" name="outcome" value="${outcome}" required${draft?.outcome === outcome && html` checked`} aria-describedby="${id}-${outcome}-means"><label for="${id}-${outcome}">${label}</label><p id="${id}-${outcome}-means">${meaning}</p></div>`;
  return html`<form method="post" action="/job-groups/${jobGroupId}/tasks/${encodeURIComponent(id)}/decision" aria-label="Decision on ${schema}.${table}">
${draft && html`<p class="notice bad">▲ Nothing was decided. ${draft.wrong}</p>`}
<fieldset><legend>What is true of ${schema}.${table}?</legend>
<p>Look into the table first, say with <code>select count(*) from ${schema}.${table}</code>.</p>
${choice("published", "The rows are there", "Nothing is sent. The task ends as published. The risk: if they are not there after all, nobody publishes them.")}
${choice("again", "The rows are not there: publish again", `The publish is sent once more, at the target's pace. ${risk}`)}
<label for="${id}-reason">Why <span class="soft">(required, kept with the task under your name)</span></label>
<textarea id="${id}-reason" name="reason" maxlength="1000" required${draft && html` aria-invalid="true"`}>
${draft?.reason}</textarea>
<p><button class="main">Decide</button></p>
</fieldset></form>`;
}
