import { z } from "zod";
import { parseDuration } from "../rules/duration.ts";

/** A moment in epoch milliseconds (`at`), or how far back it is (`backMs`), as people write it. */
export const moment = z.string().transform((value, context) => {
  const backMs = parseDuration(value);
  if (backMs !== undefined) return { backMs };
  if (z.iso.datetime({ offset: true }).safeParse(value).success) return { at: Date.parse(value) };
  const message = "must be a time with its zone like 2026-11-24T08:00:00Z, or a duration back like 2h";
  context.addIssue({ code: "custom", message });
  return z.NEVER;
});
