import { type Condition, conditionsOf, type Fact } from "./conditions.ts";
import { literalStart, matchesAnything } from "./glob.ts";
import { ruleMatches } from "./match-rules.ts";
import type { JobGroupFacts, Pattern, Rule } from "./model.ts";

/** What a fact must have for a pattern to hold: this id, this name, or a name that begins so. */
interface Key {
  readonly kind: "id" | "name" | "start";
  readonly text: string;
}

/** The rules found under one field; numbers are places in the file. */
interface FieldIndex {
  readonly factOf: Condition["factOf"];
  readonly byKey: Readonly<Record<Key["kind"], Map<string, number[]>>>;
  /** The lengths of the starts, each once. */
  readonly startLengths: Set<number>;
}

/**
 * A look-up of the rules that match, in file order; says the same as asking each rule.
 *
 * Each rule stands under the keys of one of its conditions, the one that it shares with the fewest rules, and only the rules
 * whose key a job group has are asked. A rule without such a condition (`all`, `*_orders`) is asked each time.
 */
export function indexRules(rules: readonly Rule[]): (facts: JobGroupFacts) => Rule[] {
  const { always, fields } = build(rules);
  return (facts) => {
    const found = new Set(always);
    for (const field of fields.values()) collect(field, field.factOf(facts), found);
    return [...found]
      .sort((a, b) => a - b)
      .flatMap((at) => {
        const rule = rules[at];
        return rule !== undefined && ruleMatches(rule, facts) ? [rule] : [];
      });
  };
}

function collect({ byKey, startLengths }: FieldIndex, { id, name }: Fact, found: Set<number>): void {
  const add = (places: readonly number[] | undefined) => {
    for (const place of places ?? []) found.add(place);
  };
  if (id !== undefined) add(byKey.id.get(String(id)));
  if (name === undefined) return;
  const normal = name.normalize("NFC");
  add(byKey.name.get(normal));
  for (const length of startLengths) {
    if (length <= normal.length) add(byKey.start.get(normal.slice(0, length)));
  }
}

function build(rules: readonly Rule[]): { always: number[]; fields: Map<string, FieldIndex> } {
  const keyed = rules.map((rule) => conditionsOf(rule).flatMap(withKeys));
  const shared = new Map<string, number>();
  for (const candidates of keyed) {
    for (const { ids } of candidates) {
      for (const id of ids) shared.set(id, (shared.get(id) ?? 0) + 1);
    }
  }
  const always: number[] = [];
  const fields = new Map<string, FieldIndex>();
  for (const [place, candidates] of keyed.entries()) {
    if (rules[place]?.enabled === false) continue;
    let best: { candidate: Keyed; most: number } | undefined;
    for (const candidate of candidates) {
      const most = candidate.ids.reduce((count, id) => Math.max(count, shared.get(id) ?? 0), 0);
      if (best === undefined || most < best.most) best = { candidate, most };
    }
    if (best === undefined) always.push(place);
    else put(fields, best.candidate, place);
  }
  return { always, fields };
}

interface Keyed {
  readonly condition: Condition;
  readonly keys: readonly Key[];
  /** Each key beside its field, as one text. */
  readonly ids: readonly string[];
}

function put(fields: Map<string, FieldIndex>, { condition, keys }: Keyed, place: number): void {
  const field = fields.get(condition.field) ?? {
    factOf: condition.factOf,
    byKey: { id: new Map(), name: new Map(), start: new Map() },
    startLengths: new Set(),
  };
  fields.set(condition.field, field);
  for (const { kind, text } of keys) {
    const places = field.byKey[kind].get(text);
    if (places === undefined) field.byKey[kind].set(text, [place]);
    else places.push(place);
    if (kind === "start") field.startLengths.add(text.length);
  }
}

/** The condition with its keys, unless one of its patterns has none: then no key can tell that it does not hold. */
function withKeys(condition: Condition): Keyed[] {
  const each = condition.wanted.map(keysOf);
  if (each.some((keys) => keys.length === 0)) return [];
  const keys = each.flat();
  return [{ condition, keys, ids: keys.map(({ kind, text }) => `${kind} ${condition.field} ${text}`) }];
}

function keysOf(pattern: Pattern): Key[] {
  if (typeof pattern === "number") return [{ kind: "id", text: String(pattern) }];
  if (matchesAnything(pattern)) return [];
  const { text, exact } = literalStart(pattern);
  if (exact) {
    return [
      { kind: "id", text: pattern },
      { kind: "name", text },
    ];
  }
  return text === "" ? [] : [{ kind: "start", text }];
}
