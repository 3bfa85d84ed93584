import { html, type Html } from "./html.ts";
import { targetButton, type TargetAction } from "./target-actions.ts";
import type { Ended } from "../queues/tally.ts";
import { type Overview, type TargetView, waitingOf } from "./view.ts";
import { moment, span, verb } from "./words.ts";

/** One row for each target: how it stands, since when, and what can be done to it. */
export function targetTable(view: Overview, mayAct: boolean, back: string): Html {
  if (view.targets.length === 0) {
    return html`<p>There are no targets yet: they come from the rules file (RULES_FILE).</p>`;
  }
  return html`<div class="scroll" role="region" aria-label="Targets" tabindex="0"><table class="rows">
<caption>How each target stands <span>· freshness: from the end of a job group to its published table, half / 95 % / 99 % of them are faster, within an eighth</span></caption>
<thead><tr><th scope="col">Target</th><th scope="col">State</th><th scope="col">Pace</th><th scope="col">Running</th><th scope="col">Waiting</th><th scope="col">Freshness, last hour</th><th scope="col">Last success</th>${mayAct && html`<th scope="col">Do</th>`}</tr></thead>
<tbody>${view.targets.map((target) => row(view, target, mayAct, back))}</tbody>
</table></div>`;
}

function row(view: Overview, target: TargetView, mayAct: boolean, back: string): Html {
  const { name, description, inRules, pace, concurrency, queue, last } = target;
  const state = stateOf(view, target);
  const waits = waitingOf(target);
  return html`<tr>
<th scope="row"><a href="/job-groups?target=${encodeURIComponent(name)}">${name}</a>${description !== undefined && html`<div class="soft small">${description}</div>`}${!inRules && html`<div class="soft small">no longer in the rules: stays until its last task ended</div>`}</th>
<td data-label="State"><span class="tag ${state.level}">${state.word}</span>${state.since !== undefined && html`<div class="small">since ${moment(state.since, view.now)}</div>`}</td>
<td data-label="Pace">${pace ?? "no limit"}</td>
<td data-label="Running" class="n">${queue.running} of ${concurrency}</td>
<td data-label="Waiting" class="n">${waits > 0 ? html`<a href="/job-groups?target=${encodeURIComponent(name)}&amp;state=open">${waits.toLocaleString("en")}</a>` : "0"}</td>
<td data-label="Freshness, last hour">${freshness(view.figures.targets.get(name)?.hour, target)}</td>
<td data-label="Last success">${last ? html`${moment(last.at, view.now)} <a href="/job-groups/${last.jobGroupId}">job group ${last.jobGroupId}</a>` : "none yet"}</td>
${mayAct && html`<td><div class="acts">${actionsOf(target).map((action) => targetButton(name, action, back, "row"))}</div></td>`}
</tr>`;
}

const actionsOf = ({ paused, breaker }: TargetView): TargetAction[] => [
  paused ? "resume" : "pause",
  ...(breaker.open ? (["probe"] as const) : []),
];

interface State {
  readonly level: "good" | "wait" | "bad" | "move";
  readonly word: string;
  readonly since?: number | undefined;
}

/** In one word, the worst first. */
function stateOf({ gate, open }: Overview, target: TargetView): State {
  const { paused, breaker, held, queue } = target;
  const since = (cause: string) => (held?.cause === cause ? held.since : undefined);
  if (paused) return { level: "bad", word: "▲ paused", since: since("pause") };
  if (gate.ms > 0 || (gate.since !== undefined && open > 0))
    return { level: "bad", word: "▲ gate shut", since: gate.since };
  if (breaker.open) return { level: "bad", word: "▲ breaker open", since: breaker.since };
  const waits = waitingOf(target);
  if (waits > 0 && held?.cause === "pace")
    return { level: "wait", word: "● at its pace", since: since("pace") };
  if (waits > 0) return { level: "wait", word: "● tasks wait" };
  if (queue.running > 0) return { level: "move", word: "▶ publishing" };
  return { level: "good", word: "✓ ok" };
}

function freshness(ended: Ended | undefined, { freshnessMs: goalMs, late }: TargetView): Html {
  const goal = goalMs === undefined ? undefined : html`<div class="small soft">goal ${span(goalMs)}</div>`;
  const overdue =
    late > 0 &&
    html`<div><span class="tag bad">▲ ${late.toLocaleString("en")} not published ${verb(late, "is", "are")} over the goal already</span></div>`;
  if (!ended?.freshness) return html`<span class="soft">nothing published</span>${overdue}${goal}`;
  const { p50, p95, p99 } = ended.freshness;
  // What is compared is what is shown.
  const missed = goalMs !== undefined && p95 > goalMs && span(p95) !== span(goalMs);
  const met = goalMs !== undefined && (missed || late === 0);
  return html`<span class="n">${span(p50)} / ${span(p95)} / ${span(p99)}</span>${met && html` <span class="tag ${missed ? "bad" : "good"}">${missed ? "▲ over goal" : "✓ in goal"}</span>`}${overdue}${goal}`;
}
