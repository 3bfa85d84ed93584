import { readOptions, USAGE } from "./options.ts";
import { runChaos } from "./run-chaos.ts";
import { drawTable, verdictLine } from "./table.ts";
import { judgeRun } from "./verdict.ts";

const EXIT = { good: 0, notGood: 1, wrongUse: 2 } as const;

async function main(args: readonly string[]): Promise<number> {
  let options: ReturnType<typeof readOptions>;
  try {
    options = readOptions(args);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return EXIT.wrongUse;
  }
  if (options === "help") {
    process.stdout.write(USAGE);
    return EXIT.good;
  }
  const report = await runChaos(options, say);
  const verdict = judgeRun(report);
  for (const story of report.stories) say(`\n${story}`);
  say(`\n${drawTable(report, verdict)}\n`);
  say(verdictLine(report, verdict));
  return verdict.problems.length === 0 ? EXIT.good : EXIT.notGood;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(EXIT.notGood));

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(EXIT.notGood);
  },
);
