/** How much of a long line is shown, in characters; a file of JSON may be a single line. */
const WIDTH = 100;
/** Of them before the place, when the line is cut. */
const BEFORE = 60;
const CUT = [".", ".", "."];

/**
 * A line of a text, and a second one that marks a place in it with carets. `line` and `column` count from 1, `column`
 * and `length` in UTF-16 units as in editors; what goes beyond the line's end is not marked.
 */
export function excerptOf(text: string, line: number, column: number, length: number): string {
  const at = column - 1;
  const before = Array.from(text.slice(Math.max(0, at - 2 * WIDTH), at));
  const marked = Array.from(text.slice(at, at + Math.min(length, 2 * WIDTH)));
  const after = Array.from(text.slice(at + length, at + length + 2 * WIDTH));
  const tooLong = before.length + marked.length + after.length > WIDTH;
  const head = tooLong && before.length > BEFORE ? [...CUT, ...before.slice(-BEFORE)] : before;
  const room = Math.max(1, WIDTH - head.length);
  const rest = [...marked, ...after];
  const tail = rest.length > room ? [...rest.slice(0, room), ...CUT] : rest;
  const carets = "^".repeat(Math.max(1, widthOf(marked.slice(0, room))));
  const number = String(line);
  return [
    `  ${number} | ${[...head, ...tail].map(shownOf).join("")}`.trimEnd(),
    `  ${" ".repeat(number.length)} | ${" ".repeat(widthOf(head))}${carets}`,
  ].join("\n");
}

const HIDDEN = /^[\p{Cc}\p{Cf}\u2028\u2029]$/u;
const WIDE =
  /^[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]$/u;

/** A tab, and what a terminal would obey, as a space. */
const shownOf = (letter: string): string => (HIDDEN.test(letter) ? " " : letter);

/** Columns of a terminal. */
function widthOf(letters: readonly string[]): number {
  return letters.reduce((sum, letter) => sum + (WIDE.test(letter) ? 2 : /^\p{M}$/u.test(letter) ? 0 : 1), 0);
}
