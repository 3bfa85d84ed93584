import { readFile } from "node:fs/promises";

/** How long a token read from a file is used before the file is looked at again. */
const FILE_RECHECK_MS = 1_000;

/** Where the access token comes from: the value itself, or a file that holds it and may be replaced at any time. */
interface TokenSettings {
  readonly token?: string;
  readonly file?: string;
  readonly now?: () => number;
}

/** Hands out the access token. */
interface TokenSource {
  /** Where it comes from, as messages name it. */
  readonly from: string;
  /** The token of now; throws an error that says what to set when there is none. */
  current(): Promise<string>;
  /** The platform refused the token: a file is read again at the next call, and its last good content no longer counts. */
  refresh(): void;
}

/** A token source; with a file, its content is read again at most once a second, so that a rotated token is noticed. */
export function createTokenSource({ token, file, now = Date.now }: TokenSettings): TokenSource {
  if (file === undefined) {
    const fixed = token?.trim() ?? "";
    return {
      from: "DESIGNER_CLOUD_TOKEN",
      async current() {
        if (fixed === "")
          throw new Error("no access token: set DESIGNER_CLOUD_TOKEN or DESIGNER_CLOUD_TOKEN_FILE");
        return fixed;
      },
      refresh() {},
    };
  }

  let lastGood = "";
  let readAtMs = Number.NEGATIVE_INFINITY;

  return {
    from: `${file} (DESIGNER_CLOUD_TOKEN_FILE)`,
    async current() {
      if (lastGood !== "" && now() - readAtMs < FILE_RECHECK_MS) return lastGood;
      const found = await readToken(file);
      readAtMs = now();
      if ("token" in found) {
        lastGood = found.token;
      } else if (lastGood === "") {
        throw new Error(found.problem);
      }
      // A file that is gone or empty for a moment is being replaced: the last good token goes on until it is refused.
      return lastGood;
    },
    refresh() {
      lastGood = "";
    },
  };
}

async function readToken(file: string): Promise<{ token: string } | { problem: string }> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    return {
      problem: `cannot read the access token from ${file} (${code}): check DESIGNER_CLOUD_TOKEN_FILE`,
    };
  }
  const token = text.trim();
  return token === ""
    ? { problem: `${file} (DESIGNER_CLOUD_TOKEN_FILE) holds no access token: put it there` }
    : { token };
}
