/** No real token is shorter; a shorter one would be cut out of ordinary words. */
const TOKEN_MIN = 8;
/** `//user:password@`; an address and its password are no longer than this. */
const PASSWORD = /(:\/\/[^\s/:@"'<>\\]{0,200}):[^\s/"'<>\\]{1,500}@/g;

/** Takes the token, other secrets, and whatever follows "Bearer", out of a text. */
export function hiding(secrets: readonly string[]): (text: string) => string {
  const cut = cutOut(secrets);
  return (text) => cut(text).replace(/\bBearer\s+[^\s"'<,;]+/gi, "Bearer ***");
}

/**
 * Takes the secrets, in whatever spelling, and passwords in addresses out, and leaves all else as it is: JSON stays
 * JSON.
 */
function cutOut(secrets: readonly string[]): (text: string) => string {
  const all = secrets.filter((secret) => secret.length >= TOKEN_MIN).flatMap(spellingsOf);
  const hidden = [...new Set(all)];
  return (text) =>
    hidden
      .reduce((left, secret) => left.replaceAll(secret, "***"), text)
      .replace(PASSWORD, (_all, before: string) => `${before}:***@`);
}

/** What takes a token out of texts. */
export interface TokenHiding {
  /** As `hiding`: for words. */
  readonly redact: (text: string) => string;
  /** As `cutOut`: for JSON. */
  readonly cut: (text: string) => string;
}

/** Remembers what takes out the last token, which seldom changes: to make it costs more than a call's other work with it. */
export function createTokenHiding(): (token: string) => TokenHiding {
  let last: (TokenHiding & { readonly token: string }) | undefined;
  return (token) => {
    if (last?.token !== token) last = { token, redact: hiding([token]), cut: cutOut([token]) };
    return last;
  };
}

/** As it is, as JSON, an address, and base64 write it. */
function spellingsOf(secret: string): string[] {
  const inBase64 = [0, 1, 2].map((before) => base64Of(secret, before));
  const escaped = encodeURIComponent(secret);
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    escaped,
    escaped.replace(/%../g, (code) => code.toLowerCase()),
    ...inBase64,
    ...inBase64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
  ];
}

/** What base64 makes of a secret behind so many other bytes, without the characters that it shares with its neighbours. */
function base64Of(secret: string, before: number): string {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(secret)]);
  const whole = bytes.toString("base64");
  return whole.slice(Math.ceil((before * 8) / 6), Math.floor((bytes.length * 8) / 6));
}
