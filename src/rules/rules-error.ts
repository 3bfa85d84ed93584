/** One mistake in a rules file; `line` and `column` count from 1. */
export interface RulesProblem {
  /** Where in the file's structure, `rules[0].publish[1].table`; absent when that cannot be told. */
  readonly path?: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** The text, number or switch that stands there, when it is what is wrong. */
  readonly value?: string | number | boolean;
  /** What was probably meant, as it stands in `message`. */
  readonly suggestion?: string;
  /** The line in the file, and a second one with carets under the place. */
  readonly excerpt?: string;
}

/** A rules file that cannot be used; `message` has one line per problem, `rules.yaml:12:7 rules[0].name: what to change`. */
export class RulesError extends Error {
  override readonly name = "RulesError";
  readonly problems: readonly RulesProblem[];

  private readonly fileName: string;

  constructor(fileName: string, problems: readonly RulesProblem[]) {
    super(problems.map((problem) => describeProblem(fileName, problem)).join("\n"));
    this.problems = problems;
    this.fileName = fileName;
  }

  /** Each problem as a compiler shows it. */
  show(): string[] {
    return this.problems.map((problem) => showProblem(this.fileName, "error", problem));
  }
}

/** `rules.yaml:12:7 rules[0].name: message`: the form that terminals and editors turn into a link. */
export function describeProblem(fileName: string, problem: RulesProblem): string {
  const { line, column, path, message } = problem;
  return `${fileName}:${line}:${column} ${path === undefined ? "" : `${path}: `}${message}`;
}

/** `rules.yaml:12:7: error: rules[0].name: message`, and under it the line with carets at the place. */
export function showProblem(fileName: string, kind: "error" | "warning", problem: RulesProblem): string {
  const { line, column, path, message, excerpt } = problem;
  const words = `${fileName}:${line}:${column}: ${kind}: ${path === undefined ? "" : `${path}: `}${message}`;
  return excerpt === undefined ? words : `${words}\n${excerpt}`;
}
