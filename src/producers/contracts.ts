import { z } from "zod";
import { REPORT_EXAMPLE, reportSchema } from "./report-schema.ts";

/** What a message on the queue `completions` carries, as JSON Schema (draft 2020-12) for senders in any language. */
export function completionMessageSchema(): object {
  const message = reportSchema
    .extend({ merged: z.never().optional().meta({ description: "The relay's own mark: leave it out." }) })
    .meta({
      ...reportSchema.meta(),
      title: "Completion message",
      examples: [{ jobGroupId: 31 }, REPORT_EXAMPLE],
    });
  const { $schema, ...schema } = z.toJSONSchema(message, { io: "input" });
  return { $schema, $id: "urn:publish-relay:completion-message", ...schema };
}
