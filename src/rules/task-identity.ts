import { foldIdentifier } from "./identifier.ts";

/** Where a publish ends up; the database is fixed by the connection. */
export interface TablePlace {
  readonly connection: number;
  readonly schema: string;
  readonly table: string;
}

/**
 * The key of a table: the field of the job group's record, `2/public/test_table2`.
 *
 * Connection, schema and table are exactly what decides where rows land. The target's name is not in it: two targets may share a
 * connection, and one renamed while a publish runs must not publish again. Neither are action and format: the same
 * results in the same table twice is a double publish, whichever way they got there.
 * Two places have one key only if Redshift takes them for the same table.
 */
export function taskKey(place: TablePlace): string {
  return `${place.connection}/${escapePart(place.schema)}/${escapePart(place.table)}`;
}

/** The BullMQ id of a publish task, `jobgroup-31-2-public-test_table2`; `key` comes from `taskKey`. */
export function taskId(jobGroupId: number, key: string): string {
  return `${completionId(jobGroupId)}-${key.replaceAll("/", "-")}`;
}

/** The BullMQ id of a completion and of a job group's parent. The word in front is needed: BullMQ refuses ids that are numbers. */
export function completionId(jobGroupId: number): string {
  return `jobgroup-${jobGroupId}`;
}

/**
 * Leaves `a-z 0-9 _ .` and writes every other byte as `~hh`, so a part holds none of the separators `/` and `-` and
 * nothing that BullMQ (`:`), an URL or a shell reads in its own way. Not percent-encoding: a task id is pasted
 * into URLs, where `%2d` would be decoded.
 */
function escapePart(name: string): string {
  return foldIdentifier(name).replaceAll(/[^a-z0-9_.]/gu, (character) =>
    Array.from(Buffer.from(character), (byte) => `~${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}
