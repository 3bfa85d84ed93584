import { checkRules } from "../check-rules.ts";
import type { Config } from "../config.ts";
import { count } from "../pages/words.ts";
import type { Rules } from "../rules/model.ts";
import { readTextFile } from "../watch-file.ts";
import { type DoctorFinding, findingsOf } from "./finding.ts";

const { ok, warning, error } = findingsOf("rules");

/** Reads the rules file as a start does. */
export async function checkRulesFile({
  rulesFile,
  rulesFileNamed,
}: Config): Promise<{ findings: DoctorFinding[]; rules: Rules | undefined }> {
  const read = await readTextFile(rulesFile);
  switch (read.kind) {
    case "absent": {
      const words = `${rulesFile} is not there`;
      const advice = "Write one: publish-relay init";
      const finding = rulesFileNamed
        ? error("file", words, advice)
        : warning("file", `${words}: what is reported waits`, advice);
      return { findings: [finding], rules: undefined };
    }
    case "unreadable":
      return {
        findings: [
          error(
            "file",
            `${rulesFile} cannot be read: ${read.words}`,
            "Name a file in RULES_FILE that this user may read.",
          ),
        ],
        rules: undefined,
      };
    case "text": {
      const { rules, errors, warnings, notes } = checkRules(read.text, rulesFile);
      const advice = `Correct it; publish-relay check ${rulesFile} shows the lines.`;
      const findings = [
        ...errors.map(({ line, column, message }) =>
          error("file", `${rulesFile}:${line}:${column}: ${message}`, advice),
        ),
        ...(rules
          ? [
              ok(
                "file",
                `${rulesFile} is good: ${count(rules.targets.length, "target")}, ${count(rules.rules.length, "rule")}`,
              ),
            ]
          : []),
        ...warnings.map(({ line, column, message }) =>
          warning(
            "file",
            `${rulesFile}:${line}:${column}: ${message}`,
            "Correct it, or leave it if it is meant so.",
          ),
        ),
      ];
      findings.push(...notes.map((words) => warning("published", words, "Switch one on, or write one.")));
      return { findings, rules };
    }
  }
}
