/** One mistake in a rules file; `line` and `column` count from 1. */
export interface RulesProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A rules file that cannot be used; `message` has one line per problem, `rules.yaml:12:7 what to change`. */
export class RulesError extends Error {
  override readonly name = "RulesError";
  readonly problems: readonly RulesProblem[];

  constructor(fileName: string, problems: readonly RulesProblem[]) {
    super(problems.map((problem) => describeProblem(fileName, problem)).join("\n"));
    this.problems = problems;
  }
}

/** `rules.yaml:12:7 message`: the form that terminals and editors turn into a link. */
export function describeProblem(fileName: string, problem: RulesProblem): string {
  return `${fileName}:${problem.line}:${problem.column} ${problem.message}`;
}
