import { pino } from "pino";
import { expect } from "vitest";
import { readConfig } from "../../src/config.ts";
import type { DoctorFinding } from "../../src/doctor/finding.ts";
import { runDoctor } from "../../src/doctor-command.ts";
import type { Site } from "./relay.ts";

/** What `doctor` found. */
export interface Found {
  readonly ok: boolean;
  /** `redis eviction`: verdict. */
  readonly verdicts: Readonly<Record<string, DoctorFinding["verdict"]>>;
  readonly of: (name: string) => DoctorFinding;
  readonly findings: readonly DoctorFinding[];
}

/** Runs `doctor` in this process; `now` is its clock. */
export async function examine(
  site: Pick<Site, "env">,
  more: Readonly<Record<string, string>> = {},
  now?: () => number,
): Promise<Found> {
  const config = readConfig({ ...site.env, ...more });
  const said = await runDoctor({ json: true }, config, pino({ level: "silent" }), undefined, now);
  const { ok, findings } = JSON.parse(said.text) as { ok: boolean; findings: DoctorFinding[] };
  expect(said.ok).toBe(ok);
  const named = new Map(
    findings.toReversed().map((finding) => [`${finding.part} ${finding.check}`, finding]),
  );
  // But for the mistakes of a rules file.
  const others = findings.filter(({ part }) => part !== "rules");
  expect(new Set(others.map(({ part, check }) => `${part} ${check}`)).size).toBe(others.length);
  return {
    ok,
    findings,
    verdicts: Object.fromEntries([...named].map(([name, { verdict }]) => [name, verdict])),
    of: (name) => {
      const found = named.get(name);
      if (!found) throw new Error(`no ${name} among ${[...named.keys()].join(", ")}`);
      return found;
    },
  };
}
