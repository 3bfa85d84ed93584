/** Redshift cuts or refuses longer names (Amazon Redshift guide, "Names and identifiers"). */
const MAX_BYTES = 127;

/** Amazon Redshift guide, "Reserved words": good names in double quotes alone. */
const RESERVED = new Set(
  (
    "AES128 AES256 ALL ALLOWOVERWRITE ANALYSE ANALYZE AND ANY ARRAY AS ASC AUTHORIZATION AZ64 BACKUP BETWEEN BINARY " +
    "BLANKSASNULL BOTH BYTEDICT BZIP2 CASE CAST CHECK COLLATE COLUMN CONSTRAINT CREATE CREDENTIALS CROSS CURRENT_DATE " +
    "CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER CURRENT_USER_ID DEFAULT DEFERRABLE DEFLATE DEFRAG DELTA DELTA32K DESC " +
    "DISABLE DISTINCT DO ELSE EMPTYASNULL ENABLE ENCODE ENCRYPT ENCRYPTION END EXCEPT EXPLICIT FALSE FOR FOREIGN FREEZE " +
    "FROM FULL GLOBALDICT256 GLOBALDICT64K GRANT GROUP GZIP HAVING IDENTITY IGNORE ILIKE IN INITIALLY INNER INTERSECT " +
    "INTERVAL INTO IS ISNULL JOIN LANGUAGE LEADING LEFT LIKE LIMIT LOCALTIME LOCALTIMESTAMP LUN LUNS LZO LZOP MINUS " +
    "MOSTLY16 MOSTLY32 MOSTLY8 NATURAL NEW NOT NOTNULL NULL NULLS OFF OFFLINE OFFSET OID OLD ON ONLY OPEN OR ORDER OUTER " +
    "OVERLAPS PARALLEL PARTITION PERCENT PERMISSIONS PIVOT PLACING PRIMARY RAW READRATIO RECOVER REFERENCES REJECTLOG " +
    "RESORT RESPECT RESTORE RIGHT SELECT SESSION_USER SIMILAR SNAPSHOT SOME SYSDATE SYSTEM TABLE TAG TDES TEXT255 TEXT32K " +
    "THEN TIMESTAMP TO TOP TRAILING TRUE TRUNCATECOLUMNS UNION UNIQUE UNNEST UNPIVOT USER USING VERBOSE WALLET WHEN WHERE " +
    "WITH WITHOUT"
  ).split(" "),
);

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

/** What is allowed in a name and makes work for whoever reads the table with SQL; the end of a sentence that starts with the name. */
export function identifierWarning(name: string): string | undefined {
  if (RESERVED.has(name.toUpperCase()))
    return `is a reserved word of Redshift: SQL has to write it in double quotes. Another name saves that, say ${name}_data`;
  if (name.includes("-")) return "has a -: SQL has to write it in double quotes. A _ in its place saves that";
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
