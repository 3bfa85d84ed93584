import { globMatches, literalStart } from "./glob.ts";
import type { Pattern, When } from "./model.ts";

/**
 * Does a field that both conditions have tell them apart, so that no job group can meet both? False also where that cannot
 * be told from the patterns alone (an id and a name, two fields). A text of digits is taken for an id here.
 */
export function excludeEachOther(one: When, other: When): boolean {
  if (one === "all" || other === "all") return false;
  const [{ labels: ownLabels = {}, ...own }, { labels: theirLabels = {}, ...theirs }] = [one, other];
  return (
    differSomewhere(own, theirs, areDisjoint) || differSomewhere(ownLabels, theirLabels, areDisjointTexts)
  );
}

type Fields = Readonly<Record<string, readonly Pattern[] | undefined>>;

function differSomewhere(one: Fields, other: Fields, differ: (a: Pattern, b: Pattern) => boolean): boolean {
  return Object.entries(one).some(([field, patterns]) => {
    const others = Object.hasOwn(other, field) ? other[field] : undefined;
    return patterns?.every((a) => others?.every((b) => differ(a, b))) ?? false;
  });
}

function areDisjoint(a: Pattern, b: Pattern): boolean {
  const [isId, isOtherId] = [a, b].map((pattern) => /^\d+$/.test(String(pattern)));
  if (isId && isOtherId) return Number(a) !== Number(b);
  return !isId && !isOtherId && areDisjointTexts(a, b);
}

function areDisjointTexts(one: Pattern, other: Pattern): boolean {
  const [a, b] = [String(one), String(other)];
  const [start, otherStart] = [literalStart(a), literalStart(b)];
  if (start.exact) return !globMatches(b, start.text);
  if (otherStart.exact) return !globMatches(a, otherStart.text);
  return !start.text.startsWith(otherStart.text) && !otherStart.text.startsWith(start.text);
}
