/** OpenSSL's words: an address, `error`, a number, library, function, reason, file and line. */
const OPENSSL = /(?:[0-9A-F]+:)?error:[0-9A-F]+:[^:]*:[^:]*:([^:]*)(?::[^;]*)?/g;

/** The reason in the words of a failed connection, without OpenSSL's addresses, files and lines. */
export function readableReason(words: string): string {
  return words.replace(OPENSSL, "$1").trim();
}
