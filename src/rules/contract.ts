import { z } from "zod";
import { rulesFile } from "./schema.ts";

/**
 * The rules file as JSON Schema, for editors: what it refuses, `parseRules` refuses too. Draft-07, which editors know best.
 *
 * Left to `parseRules`: references between the parts, limits of durations, and Redshift's rules for names.
 */
export function rulesFileSchema(): object {
  const { $schema, ...schema } = z.toJSONSchema(rulesFile, { io: "input", target: "draft-7" });
  return { $schema, $id: "urn:publish-relay:rules", title: "publish-relay rules file", ...schema };
}
