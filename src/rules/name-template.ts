import { bracedFormat, DEFAULT_DATE_FORMAT, dateFormatProblem, formatDate } from "./date-format.ts";
import { foldIdentifier, identifierProblem, isIdentifierPart } from "./identifier.ts";
import type { JobGroupFacts } from "./model.ts";
import { didYouMean } from "./suggest.ts";

const PLACEHOLDERS = ["jobGroupId", "date", "recipe", "flow"];
const DATE_WITH_FORMAT = /^date:(.*)$/su;

/** As a regular expression, what every good template looks like; for editors, which cannot ask `templateProblems`. */
export const TEMPLATE_PATTERN = `^([^{}.\\s]|\\{(${PLACEHOLDERS.join("|")}|date:[YMDH_-]+|labels\\.[^{}]+)\\})+$`;

/** Fixed text, or the name of a placeholder. */
type Part = { readonly text: string } | { readonly placeholder: string };

/** What is wrong with the `table` or `schema` of a publication before any job group is known. */
export function templateProblems(template: string): string[] {
  const parts = splitTemplate(template);
  const wrong = parts.flatMap((part) => ("placeholder" in part ? placeholderProblems(part.placeholder) : []));
  if (wrong.length > 0) return wrong;
  for (const part of parts) {
    const [brace] = ("text" in part && /[{}]/.exec(part.text)) || [];
    if (brace === "{") return ["has a { that is not closed: placeholders are written {date}"];
    if (brace === "}") return ["has a } without its {: placeholders are written {date}"];
  }
  const shortest = parts.map((part) => ("text" in part ? part.text : shortestValue(part.placeholder)));
  const [first] = parts;
  if (first !== undefined && "placeholder" in first && /^\d/.test(shortest[0] ?? "")) {
    return [
      `starts with {${first.placeholder}}, a number: a name must start with a letter or _, say "t_${template}"`,
    ];
  }
  const problem = identifierProblem(shortest.join(""));
  return problem === undefined ? [] : [problem];
}

/** The name for one job group, or why there is none. */
export function fillTemplate(template: string, facts: JobGroupFacts): { name: string } | { problem: string } {
  let name = "";
  for (const part of splitTemplate(template)) {
    if ("text" in part) {
      name += part.text;
      continue;
    }
    const value = placeholderValue(part.placeholder, facts);
    if (value === undefined)
      return { problem: `{${part.placeholder}} has no value: ${whyUnknown(part.placeholder)}` };
    // Refused, never repaired: two values repaired to the same name would share a table.
    if (!isIdentifierPart(value)) {
      const shown = JSON.stringify(value.slice(0, 80));
      return {
        problem: `{${part.placeholder}} is ${shown}; a name takes letters, digits, _ $ and - only`,
      };
    }
    name += value;
  }
  const problem = identifierProblem(name);
  return problem === undefined ? { name } : { problem: `the name ${JSON.stringify(name)} ${problem}` };
}

/** The names of the placeholders in a template: `recipe`, `labels.env`, `date:YYYY`. */
export function placeholdersOf(template: string): string[] {
  return splitTemplate(template).flatMap((part) => ("placeholder" in part ? [part.placeholder] : []));
}

/** Two templates with the same fold fill to what Redshift takes for the same name, for every job group. */
export function foldTemplate(template: string): string {
  return splitTemplate(template)
    .map((part) => {
      if ("text" in part) return foldIdentifier(part.text);
      const format = dateFormatOf(part.placeholder);
      return format === undefined ? `{${part.placeholder}}` : bracedFormat(format);
    })
    .join("");
}

function splitTemplate(template: string): Part[] {
  return template
    .split(/(\{[^{}]*\})/)
    .filter((piece) => piece !== "")
    .map((piece) => (/^\{[^{}]*\}$/.test(piece) ? { placeholder: piece.slice(1, -1) } : { text: piece }));
}

/** `YYYYMMDD` of `date`, what follows the colon of `date:...`, undefined for other placeholders. */
function dateFormatOf(placeholder: string): string | undefined {
  return placeholder === "date" ? DEFAULT_DATE_FORMAT : DATE_WITH_FORMAT.exec(placeholder)?.[1];
}

function placeholderProblems(name: string): string[] {
  const format = dateFormatOf(name);
  if (format !== undefined) {
    const problem = dateFormatProblem(format);
    return problem === undefined ? [] : [`has {${name}}, but {date:...} ${problem}`];
  }
  if (PLACEHOLDERS.includes(name) || /^labels\..+$/su.test(name)) return [];
  const known = PLACEHOLDERS.map((placeholder) => `{${placeholder}}`).join(" ");
  const hint = labelHint(name) || didYouMean(name, PLACEHOLDERS);
  return [
    `has the unknown placeholder {${name}}; the placeholders are ${known} {date:YYYY_MM} {labels.name}.${hint}`,
  ];
}

function labelHint(name: string): string {
  const [, word = "", label] = /^([^.]+)\.(.+)$/su.exec(name) ?? [];
  return didYouMean(word, ["labels"]) && ` Did you mean {labels.${label}}?`;
}

/** Names and labels stand for at least one letter. */
function shortestValue(placeholder: string): string {
  const format = dateFormatOf(placeholder);
  if (format !== undefined) return formatDate(format, 0);
  return placeholder === "jobGroupId" ? "1" : "x";
}

function placeholderValue(name: string, facts: JobGroupFacts): string | undefined {
  const format = dateFormatOf(name);
  // Of the finish, never of now: planning again must give the same table.
  if (format !== undefined) return formatDate(format, facts.finishedAt);
  switch (name) {
    case "jobGroupId":
      return String(facts.jobGroupId);
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
