import { z } from "zod";
import type { Problem } from "../producers/problem.ts";
import type { AuditQuery } from "../queues/audit-store.ts";

const MAX_LIMIT = 500;

/** What may stand behind `GET /v1/audit?`. */
export const auditParameters = z.object({
  limit: z.coerce
    .number("must be a whole number")
    .int("must be a whole number")
    .min(1, "must be at least 1")
    .max(MAX_LIMIT, `must be at most ${MAX_LIMIT}`)
    .default(50)
    .meta({ description: "Entries of one page." }),
  before: z
    .string()
    .regex(/^\d{1,15}-\d{1,15}$/, "must be the `next` of the page before")
    .optional()
    .meta({ description: "The `next` of the page before." }),
  jobGroup: z.coerce
    .number("must be a job group's id")
    .int("must be a job group's id")
    .positive("must be a job group's id")
    .optional()
    .meta({ description: "Only what is about this job group." }),
});

/** Reads the query of an address. */
export function readAuditQuery(url: string): AuditQuery | Problem {
  const query = new URL(url, "http://relay").searchParams;
  const parsed = auditParameters.safeParse(Object.fromEntries(query));
  if (!parsed.success) {
    const detail = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
    return { status: 400, detail: `${detail}.` };
  }
  const { limit, before, jobGroup } = parsed.data;
  return { limit, ...(before && { before }), ...(jobGroup !== undefined && { jobGroupId: jobGroup }) };
}
