import { html, type Html } from "./html.ts";
import { stateTag } from "./states.ts";
import { taskPart } from "./task-part.ts";
import type { Draft } from "./decision-form.ts";
import type { StoryView } from "./view.ts";
import { count, moment, sentence } from "./words.ts";

export interface StoryOptions {
  readonly mayAct: boolean;
  readonly platformUrl?: string | undefined;
  readonly message?: Html | undefined;
  readonly draft?: Draft | undefined;
}

/** The whole story of one job group. */
export function storyPage({ now, story }: StoryView, options: StoryOptions): Html {
  const { jobGroupId, completion, summary, tasks, audit } = story;
  const { mayAct, platformUrl, message, draft } = options;
  return html`${message}${draft && html`<p class="notice bad" role="alert">▲ Your decision was not taken. ${sentence(draft.wrong)}</p>`}
<h1>Job group ${jobGroupId}</h1>
<p>${tasks.length > 0 ? html`<strong>${sentence(summary)}</strong>` : html`<strong>No publish task.</strong>`}</p>
<p class="small">${platformUrl !== undefined && html`<a href="${platformUrl}">Designer Cloud</a> (look for job ${jobGroupId} there) · `}<a href="/board/queue/job-groups/jobgroup-${jobGroupId}">On the board</a> · <a href="/job-groups/${jobGroupId}.json">As JSON</a> · which rules match, and why: <code>publish-relay explain ${jobGroupId}</code></p>
${tasks.length > 0 && html`<section aria-labelledby="tasks"><h2 id="tasks">${count(tasks.length, "publish task")}</h2>${tasks.map((task) => taskPart(task, { now, mayAct, jobGroupId, draft }))}</section>`}
<section aria-labelledby="reports"><h2 id="reports">Reports</h2>${reports(completion, now)}</section>
${audit.length > 0 && html`<section aria-labelledby="deeds"><h2 id="deeds">What people did</h2>${deedTable(audit, now)}</section>`}`;
}

function reports(completion: StoryView["story"]["completion"], now: number): Html {
  if (!completion) return html`<p>Nobody's report of it is known.</p>`;
  const { outcome, words, labels, reportCount, reports: all } = completion;
  const names = Object.entries(labels);
  return html`<p>Dispatch: ${stateTag(outcome)} ${words !== undefined && sentence(words)}</p>
${names.length > 0 && html`<p>Labels: ${names.map(([name, value]) => html`<code>${name}=${value}</code> `)}</p>`}
<div class="scroll" role="region" aria-label="Reports" tabindex="0"><table class="rows">
<caption>${count(reportCount, "report")} <span>${all.length < reportCount && `· the first and the newest ${all.length - 1} are kept`}</span></caption>
<thead><tr><th scope="col">When</th><th scope="col">Way in</th><th scope="col">Status</th><th scope="col">Delivery</th><th scope="col">Labels</th></tr></thead>
<tbody>${all.map(
    (report) =>
      html`<tr><th scope="row">${moment(report.at, now)}</th><td data-label="Way in">${report.source}</td><td data-label="Status">${report.status ?? "not told"}</td><td data-label="Delivery">${report.delivery ?? "not named"}</td><td data-label="Labels">${Object.entries(
        report.labels,
      ).map(([name, value]) => html`<code>${name}=${value}</code> `)}</td></tr>`,
  )}</tbody></table></div>`;
}

function deedTable(deeds: StoryView["story"]["audit"], now: number): Html {
  return html`<div class="scroll" role="region" aria-label="What people did" tabindex="0"><table class="rows">
<caption>From the audit trail <span>· the oldest first</span></caption>
<thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">Why, and what came of it</th></tr></thead>
<tbody>${deeds.map(
    ({ at, who, action, outcome, taskId, reason, detail }) =>
      html`<tr><th scope="row">${moment(at, now)}</th><td data-label="Who">${who}</td><td data-label="What">${action}: ${outcome}${taskId !== undefined && html`<div class="small soft">${taskId}</div>`}</td><td data-label="Why">${reason !== undefined && html`<div>${reason}</div>`}${detail !== undefined && html`<div class="small soft">${detail}</div>`}</td></tr>`,
  )}</tbody></table></div>`;
}
