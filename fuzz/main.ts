import { readOptions, USAGE } from "./options.ts";
import { runFuzz, tellReport } from "./run-fuzz.ts";

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
  say(`seed ${options.seed}, ${options.requests} requests`);
  const report = await runFuzz(options, say);
  say(tellReport(report));
  if (report.signed * 2 < report.requests) say("BAD: fewer than half were signed");
  return report.violations.length === 0 && report.signed * 2 >= report.requests ? EXIT.good : EXIT.notGood;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exit(EXIT.notGood);
  },
);
