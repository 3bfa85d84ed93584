/** What one check of the doctor found. `ok` is said of nothing that was not tested. */
export interface DoctorFinding {
  readonly part: "settings" | "redis" | "platform" | "rules" | "webhook";
  readonly check: string;
  readonly verdict: "ok" | "warning" | "error" | "not tested";
  /** What was found. */
  readonly words: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** Makes the findings of one part. */
export function findingsOf(part: DoctorFinding["part"]) {
  const make =
    (verdict: DoctorFinding["verdict"]) =>
    (check: string, words: string, advice?: string): DoctorFinding => ({
      part,
      check,
      verdict,
      words,
      ...(advice !== undefined && { advice }),
    });
  return { ok: make("ok"), warning: make("warning"), error: make("error"), notTested: make("not tested") };
}
