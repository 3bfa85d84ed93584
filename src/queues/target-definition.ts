import { z } from "zod";
import type { Target } from "../rules/model.ts";

/** Of no rules file: somebody had to run the target's tasks. */
export const NO_VERSION = "-";

const definition = z.object({
  v: z.literal(1),
  /** Of the rules file that defined it last. */
  version: z.string(),
  connection: z.number(),
  schema: z.string(),
  concurrency: z.number().int().positive(),
  description: z.string().optional(),
  rateLimit: z.object({ max: z.number(), perMs: z.number(), burst: z.boolean() }).optional(),
  freshnessMs: z.number().optional(),
});

/** A target as the fleet last defined it. */
export interface RegisteredTarget {
  readonly target: Target;
  readonly version: string;
  /** As it stands in Redis. */
  readonly json: string;
}

/** What stands in Redis for a target of a rules file. */
export function writeDefinition(target: Target, version: string): string {
  // Undefined is left out: the name is the hash's field.
  return JSON.stringify({ v: 1, version, ...target, name: undefined });
}

/** Undefined when it cannot be read, say because it is of a later version of the relay. */
export function readDefinition(name: string, json: string): RegisteredTarget | undefined {
  const parsed = definition.safeParse(parse(json));
  if (!parsed.success) return undefined;
  const { version, connection, schema, concurrency, description, rateLimit, freshnessMs } = parsed.data;
  const target: Target = {
    name,
    connection,
    schema,
    concurrency,
    ...(description !== undefined && { description }),
    ...(rateLimit !== undefined && { rateLimit }),
    ...(freshnessMs !== undefined && { freshnessMs }),
  };
  return { target, version, json };
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
