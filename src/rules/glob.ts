/**
 * Does `name` match a pattern with `*` (any text) and `?` (one character)? A backslash makes the next `*`, `?` or backslash literal.
 *
 * Case counts: two flows of the platform may differ in case alone, and a rule that takes one too many publishes data.
 * No regular expression: after a mismatch only the last `*` is tried again, so the time is at most name x pattern.
 */
export function globMatches(pattern: string, name: string): boolean {
  return compileGlob(pattern)(name);
}

/** `globMatches` of one pattern, read once for many names. */
export function compileGlob(pattern: string): (name: string) => boolean {
  const { text: start, exact } = literalStart(pattern);
  if (exact) return (name) => name.normalize("NFC") === start;
  const tokens = tokenize(pattern.normalize("NFC"));
  const end = literalsOf(tokens.slice(tokens.findLastIndex(({ kind }) => kind !== "literal") + 1));
  return (name) => {
    const normal = name.normalize("NFC");
    // Most names fail here, long before they are taken apart.
    return normal.startsWith(start) && normal.endsWith(end) && tokensMatch(tokens, Array.from(normal));
  };
}

/** The text that every name which matches begins with; `exact`: it is the whole of the only one that does. In NFC. */
export function literalStart(pattern: string): { readonly text: string; readonly exact: boolean } {
  const normal = pattern.normalize("NFC");
  // Most patterns are plain names.
  if (!/[*?\\]/.test(normal)) return { text: normal, exact: true };
  const tokens = tokenize(normal);
  const wildcard = tokens.findIndex(({ kind }) => kind !== "literal");
  return { text: literalsOf(wildcard < 0 ? tokens : tokens.slice(0, wildcard)), exact: wildcard < 0 };
}

function literalsOf(tokens: readonly Token[]): string {
  return tokens.map(({ literal }) => literal ?? "").join("");
}

function tokensMatch(tokens: readonly Token[], characters: readonly string[]): boolean {
  let token = 0;
  let character = 0;
  let star = -1;
  let starCharacter = 0;
  while (character < characters.length) {
    const current = tokens[token];
    if (current?.kind === "star") {
      star = token++;
      starCharacter = character;
    } else if (current?.kind === "one" || current?.literal === characters[character]) {
      token++;
      character++;
    } else if (star >= 0) {
      token = star + 1;
      character = ++starCharacter;
    } else {
      return false;
    }
  }
  return tokens.slice(token).every(({ kind }) => kind === "star");
}

/** Nothing but `*`: it asks only that there is something. */
export function matchesAnything(pattern: string): boolean {
  return /^\*+$/.test(pattern);
}

/** Does the name decide whether the pattern holds? A text of digits may be a name too. */
export function asksForName(pattern: number | string): boolean {
  return typeof pattern === "string" && !matchesAnything(pattern);
}

interface Token {
  readonly kind: "star" | "one" | "literal";
  readonly literal?: string;
}

function tokenize(pattern: string): Token[] {
  const tokens: Token[] = [];
  const characters = Array.from(pattern);
  for (let index = 0; index < characters.length; index++) {
    const character = characters[index] ?? "";
    const next = characters[index + 1];
    if (character === "*") tokens.push({ kind: "star" });
    else if (character === "?") tokens.push({ kind: "one" });
    else if (character === "\\" && (next === "*" || next === "?" || next === "\\")) {
      tokens.push({ kind: "literal", literal: next });
      index++;
    } else tokens.push({ kind: "literal", literal: character });
  }
  return tokens;
}
