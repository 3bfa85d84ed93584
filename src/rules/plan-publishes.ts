import type { JobGroupFacts, Publication, PublishPlan, Rule, Rules, Target } from "./model.ts";
import { fillTemplate } from "./name-template.ts";
import { mayBe, type OpenPlace, openPlaceOf } from "./open-place.ts";
import { indexRules } from "./rule-index.ts";
import { taskKey } from "./task-identity.ts";
import type { UndecidedRule } from "./undecided.ts";

/** A publication that an earlier one of the same table keeps from being sent. */
interface PlanConflict {
  readonly rule: string;
  readonly target: string;
  readonly schema: string;
  readonly table: string;
  /** The rule whose publication is sent in its place. */
  readonly keptRule: string;
  readonly message: string;
}

/** A publication whose schema or table could not be told for this job group. */
interface PlanProblem {
  readonly rule: string;
  readonly target: string;
  /** The template as it stands in the rules file. */
  readonly table: string;
  readonly message: string;
}

/** A publication whose table an earlier one may take, once what is not told is told. */
export interface HeldPlan {
  readonly plan: PublishPlan;
  readonly message: string;
}

export interface PublishPlans {
  /** In file order; no two have the same `taskKey`. */
  readonly plans: readonly PublishPlan[];
  /** What is not to be sent before the undecided rules are decided; none of them has the `taskKey` of a plan. */
  readonly held: readonly HeldPlan[];
  readonly conflicts: readonly PlanConflict[];
  readonly problems: readonly PlanProblem[];
  /** Names of the rules that matched, in file order. */
  readonly matched: readonly string[];
}

/**
 * What has to be published for a finished job group.
 *
 * The same facts and rules always give the same plans: nothing here looks at the clock. When publications of several rules
 * name the same table, the first in file order is sent; each other one is a conflict, also when it would send the
 * same: its own attempts or deadline do not count then. A problem or conflict holds up no other publication.
 *
 * `undecided` are the rules about which the facts do not say enough: what they do not touch is planned all the same, and a
 * publication is held only if one of theirs that comes before it may name the same table.
 */
export function planPublishes(
  rules: Rules,
  facts: JobGroupFacts,
  undecided: readonly UndecidedRule[] = [],
): PublishPlans {
  const plans = new Map<string, PublishPlan>();
  const held = new Map<string, HeldPlan>();
  const open: OpenPlace[] = [];
  const conflicts: PlanConflict[] = [];
  const problems: PlanProblem[] = [];
  const { matching: match, targets } = preparedOf(rules);
  const matching = match(facts);
  const undecidedNames = new Set(undecided.map(({ rule }) => rule));
  for (const rule of inFileOrder(rules, matching, undecidedNames)) {
    const matches = matching.includes(rule);
    for (const publication of rule.publish) {
      const target = targets.get(publication.target);
      const place = undecidedNames.has(rule.name) && openPlaceOf(publication, rule, target, facts, matches);
      if (place) open.push(place);
      if (place || !matches) continue;
      const made = planOf(publication, rule, rules, target, facts);
      if ("problem" in made) {
        const message = `rule ${JSON.stringify(rule.name)}, ${made.problem}`;
        problems.push({ rule: rule.name, target: publication.target, table: publication.table, message });
        continue;
      }
      const { plan } = made;
      const key = taskKey(plan);
      const kept = plans.get(key) ?? held.get(key)?.plan;
      const before = open.filter((one) => mayBe(one, plan));
      if (kept !== undefined) conflicts.push(conflictOf(plan, kept));
      else if (before.length > 0) held.set(key, heldOf(plan, before));
      else plans.set(key, plan);
    }
  }
  return {
    plans: [...plans.values()],
    held: [...held.values()],
    conflicts,
    problems,
    matched: matching.map(({ name }) => name),
  };
}

/** The rules that match, and those that are undecided; the index has found the first already. */
function inFileOrder(rules: Rules, matching: readonly Rule[], undecided: ReadonlySet<string>) {
  if (undecided.size === 0) return matching;
  return rules.rules.filter((rule) => matching.includes(rule) || undecided.has(rule.name));
}

interface Prepared {
  matching(facts: JobGroupFacts): Rule[];
  readonly targets: ReadonlyMap<string, Target>;
}

/** Made once for each file that is read. */
const prepared = new WeakMap<Rules, Prepared>();

function preparedOf(rules: Rules): Prepared {
  const before = prepared.get(rules);
  if (before !== undefined) return before;
  const made = {
    matching: indexRules(rules.rules),
    targets: new Map(rules.targets.map((target) => [target.name, target])),
  };
  prepared.set(rules, made);
  return made;
}

function planOf(
  publication: Publication,
  rule: Rule,
  rules: Rules,
  target: Target | undefined,
  facts: JobGroupFacts,
): { plan: PublishPlan } | { problem: string } {
  if (target === undefined) return { problem: `target ${publication.target}: there is no such target` };
  const schema = filledName("schema", publication.schema ?? target.schema, target.name, facts);
  if ("problem" in schema) return schema;
  const table = filledName("table", publication.table, target.name, facts);
  if ("problem" in table) return table;
  const { action, format, attempts, backoff, deadlineMs, settleAfterMs, priority, stale } = publication;
  const plan: PublishPlan = {
    v: 1,
    jobGroupId: facts.jobGroupId,
    finishedAt: facts.finishedAt,
    ...(facts.recipe !== undefined && { flowNodeId: facts.recipe.id }),
    rule: rule.name,
    rulesVersion: rules.version,
    target: target.name,
    connection: target.connection,
    schema: schema.name,
    table: table.name,
    action,
    format,
    attempts,
    backoff,
    deadlineMs,
    settleAfterMs,
    priority,
    stale,
    serialize: rules.serializeJobGroups,
  };
  return { plan };
}

function filledName(
  what: "schema" | "table",
  template: string,
  target: string,
  facts: JobGroupFacts,
): { name: string } | { problem: string } {
  const filled = fillTemplate(template, facts);
  if ("name" in filled) return filled;
  return { problem: `${what} ${JSON.stringify(template)} of target ${target}: ${filled.problem}` };
}

function heldOf(plan: PublishPlan, before: readonly OpenPlace[]): HeldPlan {
  const { rule, target, schema, table } = plan;
  const names = [...new Set(before.map((one) => JSON.stringify(one.rule)))].join(", ");
  const message =
    `rule ${JSON.stringify(rule)}, ${schema}.${table} of target ${target}: held back, for what comes earlier in the file ` +
    `and cannot be judged yet may publish there (rule ${names})`;
  return { plan, message };
}

function conflictOf(plan: PublishPlan, kept: PublishPlan): PlanConflict {
  const { rule, target, schema, table } = plan;
  const whose =
    kept.rule === rule
      ? "an earlier publication of the same rule"
      : `rule ${JSON.stringify(kept.rule)}, earlier in the file,`;
  const same = kept.action === plan.action && kept.format === plan.format;
  const others = same
    ? ", the same; this one is not sent a second time"
    : ` (${kept.action}, ${kept.format}); this one (${plan.action}, ${plan.format}) is not sent`;
  const message =
    `rule ${JSON.stringify(rule)}, ${schema}.${table} of connection ${plan.connection}: ${whose} publishes there already` +
    `${others}. Give it another table, or remove it`;
  return { rule, target, schema, table, keptRule: kept.rule, message };
}
