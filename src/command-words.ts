import { type Command, InvalidArgumentError } from "commander";
import { runKey } from "./http/run-schema.ts";
import { wrapped } from "./look.ts";
import { NO_REASON, saysSomething } from "./producers/reason.ts";

/** The end of a command's help. */
export const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 wrong usage or a wrong setting.
Settings come from the environment; the README lists them.`;

/** As wide as commander wraps the rest where the terminal does not say. */
const HELP_COLUMNS = 80;

/** The end of a command's help, its paragraphs wrapped as the rest; what is indented stays as it is, to be copied. */
export function helpText(text: string): (context: { readonly command: Command }) => string {
  return ({ command }) => {
    const columns = command.configureOutput().getOutHelpWidth?.() ?? HELP_COLUMNS;
    // The lines of a paragraph are one; a heading and what is indented are not.
    const flowing = text.replace(/(?<=[^\n:])\n(?=[^\s])/g, " ");
    return flowing
      .split("\n")
      .flatMap((line) => (line.startsWith(" ") ? [line] : wrapped([line], { columns })))
      .join("\n");
  };
}

/** A text without the spaces around it; refuses an empty one. */
export function notEmpty(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("It is empty.");
  return text.trim();
}

/** A reason without the spaces around it; refuses one that says nothing. */
export function reason(text: string): string {
  if (!saysSomething(text)) throw new InvalidArgumentError(`It ${NO_REASON}.`);
  return text.trim();
}

/** What names a call, so that asking again does nothing twice. */
export function key(text: string): string {
  const parsed = runKey.safeParse(text);
  if (!parsed.success) throw new InvalidArgumentError("It must have 1 to 200 characters of ASCII.");
  return parsed.data;
}

/** An id: a whole number from 1. */
export function wholeNumber(text: string): number {
  const number = /^[1-9]\d*$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw new InvalidArgumentError("It must be a whole number from 1.");
  return number;
}

/** A name of BOARD_OPERATORS or BOARD_VIEWERS. */
export function accountName(text: string): string {
  if (!/^[^\s,:*](?:[^,:\p{Cc}]*[^\s,:])?$/u.test(text))
    throw new InvalidArgumentError("It must have no comma, no colon, and no space around it.");
  return text;
}
