import { foldIdentifier, identifierProblem, isIdentifierPart } from "./identifier.ts";
import type { JobGroupFacts } from "./model.ts";
import { didYouMean } from "./suggest.ts";

const PLACEHOLDERS = ["jobGroupId", "date", "recipe", "flow"];

/** Fixed text, or the name of a placeholder. */
type Part = { readonly text: string } | { readonly placeholder: string };

/** What is wrong with the `table` of a publication before any job group is known. */
export function templateProblems(template: string): string[] {
  const parts = splitTemplate(template);
  const names = parts.flatMap((part) => ("placeholder" in part ? [part.placeholder] : []));
  const unknown = names.filter((name) => !isPlaceholder(name)).map(unknownPlaceholder);
  if (unknown.length > 0) return unknown;
  const [first] = parts;
  if (first !== undefined && "placeholder" in first && ["date", "jobGroupId"].includes(first.placeholder)) {
    return [
      `starts with {${first.placeholder}}, a number: a table's name must start with a letter or _, say "t_${template}"`,
    ];
  }
  // Every placeholder stands for at least one letter.
  const shortest = parts.map((part) => ("text" in part ? part.text : "x")).join("");
  const problem = identifierProblem(shortest);
  return problem === undefined ? [] : [problem];
}

/** The table's name for one job group, or why there is none. */
export function fillTemplate(
  template: string,
  facts: JobGroupFacts,
): { table: string } | { problem: string } {
  let table = "";
  for (const part of splitTemplate(template)) {
    if ("text" in part) {
      table += part.text;
      continue;
    }
    const value = placeholderValue(part.placeholder, facts);
    if (value === undefined)
      return { problem: `{${part.placeholder}} has no value: ${whyUnknown(part.placeholder)}` };
    // Refused, never repaired: two values repaired to the same name would share a table.
    if (!isIdentifierPart(value)) {
      const shown = JSON.stringify(value.slice(0, 80));
      return {
        problem: `{${part.placeholder}} is ${shown}; a table's name takes letters, digits, _ $ and - only`,
      };
    }
    table += value;
  }
  const problem = identifierProblem(table);
  return problem === undefined
    ? { table }
    : { problem: `the table's name ${JSON.stringify(table)} ${problem}` };
}

/** The names of the placeholders in a template: `recipe`, `labels.env`. */
export function placeholdersOf(template: string): string[] {
  return splitTemplate(template).flatMap((part) => ("placeholder" in part ? [part.placeholder] : []));
}

/** Two templates with the same fold fill to the same table for every job group. */
export function foldTemplate(template: string): string {
  return splitTemplate(template)
    .map((part) => ("text" in part ? foldIdentifier(part.text) : `{${part.placeholder}}`))
    .join("");
}

function splitTemplate(template: string): Part[] {
  return template
    .split(/(\{[^{}]*\})/)
    .filter((piece) => piece !== "")
    .map((piece) => (/^\{[^{}]*\}$/.test(piece) ? { placeholder: piece.slice(1, -1) } : { text: piece }));
}

function isPlaceholder(name: string): boolean {
  return PLACEHOLDERS.includes(name) || /^labels\..+$/su.test(name);
}

function unknownPlaceholder(name: string): string {
  const known = `the placeholders are ${PLACEHOLDERS.map((placeholder) => `{${placeholder}}`).join(" ")} {labels.name}`;
  return `has the unknown placeholder {${name}}; ${known}.${didYouMean(name, PLACEHOLDERS)}`;
}

function placeholderValue(name: string, facts: JobGroupFacts): string | undefined {
  switch (name) {
    case "jobGroupId":
      return String(facts.jobGroupId);
    case "date":
      // Of the finish, never of now: planning again must give the same table.
      return new Date(facts.finishedAt).toISOString().slice(0, 10).replaceAll("-", "");
    case "recipe":
      return facts.recipe?.name;
    case "flow":
      return facts.flow?.name;
    default: {
      const label = name.slice("labels.".length);
      return Object.hasOwn(facts.labels, label) ? facts.labels[label] : undefined;
    }
  }
}

function whyUnknown(name: string): string {
  if (name.startsWith("labels."))
    return `the report of the job group has no label ${JSON.stringify(name.slice("labels.".length))}`;
  return `the platform names no ${name} for this job group`;
}
