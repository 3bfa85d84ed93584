import { GROUP_STATES } from "../queues/group-index.ts";
import { html, type Html } from "./html.ts";
import { searchAddress, type ReadSearch, type SearchFields } from "./search-query.ts";
import { STATE_WORDS, stateTag } from "./states.ts";
import type { Found, FoundGroup } from "./view.ts";
import { moment } from "./words.ts";

export interface SearchPageOptions {
  readonly fields: SearchFields;
  /** Names to choose from. */
  readonly targets: readonly string[];
  readonly rules: readonly string[];
  readonly now: number;
  /** Not the first page. */
  readonly later: boolean;
}

/** The page on which job groups are found. */
export function searchPage(
  outcome: Found | Extract<ReadSearch, { kind: "wrong" }>,
  options: SearchPageOptions,
): Html {
  const wrong = "kind" in outcome ? outcome : undefined;
  return html`<h1>Job groups</h1>
${form(options, wrong)}
${"kind" in outcome ? html`<p class="notice bad" role="alert">▲ Nothing was searched. ${outcome.words}</p>` : results(outcome, options)}`;
}

function form(
  { fields, targets, rules }: SearchPageOptions,
  wrong: Extract<ReadSearch, { kind: "wrong" }> | undefined,
): Html {
  const input = (
    name: "job" | "table" | "target" | "rule",
    label: string,
    hint: string,
    names?: readonly string[],
  ) => {
    const isWrong = wrong?.field === name;
    return html`<div><label for="${name}">${label}</label>
<input type="text" id="${name}" name="${name}" value="${fields[name]}" autocomplete="off"${names && html` list="${name}-names"`}${isWrong && html` aria-invalid="true"`} aria-describedby="${name}-${isWrong ? "wrong" : "hint"}">
${names && html`<datalist id="${name}-names">${names.map((one) => html`<option value="${one}">`)}</datalist>`}
${isWrong ? html`<p class="error" id="${name}-wrong">${wrong.words}</p>` : html`<p class="hint" id="${name}-hint">${hint}</p>`}</div>`;
  };
  return html`<form class="search card" method="get" action="/job-groups" role="search" aria-label="Job groups">
${input("job", "Job group or task", "31, or a task's id")}
${input("table", "Table", "orders or public.orders")}
${input("target", "Target", "its whole name", targets)}
${input("rule", "Rule", "its whole name", rules)}
<div><label for="state">State</label><select id="state" name="state"><option value="">any</option>${GROUP_STATES.map(
    (state) =>
      html`<option value="${state}"${state === fields.state && html` selected`}>${STATE_WORDS[state] ?? state}</option>`,
  )}</select></div>
<div class="acts"><button class="main">Search</button> <a href="/job-groups">Clear</a></div>
</form>`;
}

function results({ groups, next }: Found, { fields, now, later }: SearchPageOptions): Html {
  const pager = html`<nav class="pager" aria-label="Pages of the list">${later && html`<a rel="first" href="${searchAddress(fields)}">← Newest</a>`}${next !== undefined && html`<a rel="next" href="${searchAddress(fields, next)}">Older →</a>`}</nav>`;
  if (groups.length === 0) return html`${empty(fields, later, next !== undefined)}${pager}`;
  return html`<div class="scroll" role="region" aria-label="Job groups that were found" tabindex="0"><table class="rows">
<caption>Job groups <span>· those reported last come first</span></caption>
<thead><tr><th scope="col">Job group</th><th scope="col">Reported</th><th scope="col">How it stands</th><th scope="col">Tasks${Object.values(fields).some((one) => one !== "") && " that fit"}</th></tr></thead>
<tbody>${groups.map((group) => row(group, now))}</tbody>
</table></div>${pager}`;
}

function empty(fields: SearchFields, later: boolean, more: boolean): Html {
  if (more)
    return html`<p class="card">Nothing that fits among those looked at so far. Older ones may fit: go on.</p>`;
  if (later) return html`<p class="card">There are no older ones.</p>`;
  const isSearch = Object.values(fields).some((one) => one !== "");
  return isSearch
    ? html`<p class="card">No job group fits. Names must be whole; a record is kept for LEDGER_RETENTION after its last task ended.</p>`
    : html`<p class="card">No job group was reported yet. They come by webhook, by the poller, over the API or as queue messages.</p>`;
}

const TASKS_SHOWN = 6;

function row(
  { jobGroupId, reportedAt, source, outcome, outcomeWords, summary, tasks, taskCount }: FoundGroup,
  now: number,
): Html {
  const hasTasks = taskCount > 0;
  return html`<tr>
<th scope="row"><a href="/job-groups/${jobGroupId}">${jobGroupId}</a></th>
<td data-label="Reported">${reportedAt === undefined ? "by nobody we know of" : html`${moment(reportedAt, now)}${source !== undefined && ` by ${source}`}`}</td>
<td data-label="How it stands">${hasTasks ? summary : html`${stateTag(outcome)} ${outcomeWords}`}</td>
<td data-label="Tasks">${tasks
    .slice(0, TASKS_SHOWN)
    .map(
      (task) =>
        html`<div>${stateTag(task.state)} ${task.target} · ${task.table} <span class="soft small">rule ${task.rule}</span>${task.state !== "published" && task.words !== undefined && html`<div class="small soft">${task.words}</div>`}</div>`,
    )}${tasks.length > TASKS_SHOWN && html`<div class="soft">and ${tasks.length - TASKS_SHOWN} more</div>`}</td>
</tr>`;
}
