/** Redshift cuts or refuses longer names (Amazon Redshift guide, "Names and identifiers"). */
const MAX_BYTES = 127;

const WHOLE_NAME = /^[\p{L}_][\p{L}\p{M}\p{Nd}_$-]*$/u;
const PART = /^[\p{L}\p{M}\p{Nd}_$-]+$/u;

/** What is wrong with a schema's or table's name, as the end of a sentence that starts with the name; undefined when it is good. */
export function identifierProblem(name: string): string | undefined {
  if (name === "") return "is empty";
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_BYTES) return `has ${bytes} bytes, Redshift takes ${MAX_BYTES}: shorten it`;
  if (name.includes(".")) return "has a dot: write the schema in `schema` and the table alone in `table`";
  if (!WHOLE_NAME.test(name)) {
    return "must start with a letter or _ and go on with letters, digits, _ $ or -";
  }
  return undefined;
}

/** May this text stand inside a name (not at its start)? */
export function isIdentifierPart(text: string): boolean {
  return PART.test(text);
}

/**
 * The name as Redshift compares it. Redshift folds ASCII letters alone, also in quoted names; folding more would
 * take two tables for one. (A cluster with `enable_case_sensitive_identifier` tells more tables apart than we do: the safe side.)
 */
export function foldIdentifier(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}
