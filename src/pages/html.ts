/** Text that may stand in a page as it is. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template; undefined, false and null leave nothing. */
type Part = Html | string | number | boolean | null | undefined | readonly Part[];

/** Makes HTML of a template; whatever is put in is escaped, but for what is HTML already. Attributes need double quotes. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(texts.reduce((all, text, i) => all + write(parts[i - 1]) + text));
}

function write(part: Part): string {
  if (part === undefined || part === null || typeof part === "boolean") return "";
  if (part instanceof Html) return part.text;
  if (typeof part === "string") return escape(part);
  return typeof part === "number" ? String(part) : part.map(write).join("");
}

/** Also what is not to be seen, but for line breaks and the joiners that letters and emoji need: it turns text around or hides it. */
const ESCAPED = /[&<>"'`]|(?![\t\n\r\u200c\u200d])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

const escape = (text: string): string =>
  text.replaceAll(ESCAPED, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return /[&<>"'`]/.test(character)
      ? `&#${code};`
      : `‹U+${code.toString(16).toUpperCase().padStart(4, "0")}›`;
  });
