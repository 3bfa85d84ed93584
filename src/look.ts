import { styleText } from "node:util";
import CliTable from "cli-table3";
import stringWidth from "string-width";

/** What a word is painted as. */
export type Style = "good" | "bad" | "warn" | "dim" | "bold";

/** How what a command says is laid out. */
export interface Look {
  readonly paint: (style: Style, text: string) => string;
  /** Columns of the terminal; absent where lines may be of any length. */
  readonly columns?: number;
}

const FORMATS = { good: "green", bad: "red", warn: "yellow", dim: "dim", bold: "bold" } as const;

/** For files, pipes and whoever asks for no colours. */
export const PLAIN: Look = { paint: (_style, text) => text };

/**
 * Colours and line breaks on a terminal alone; `noColor` is NO_COLOR of the environment, any text but an empty one, and
 * `term` its TERM: one that is dumb shows no colours.
 */
export function createLook(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  noColor: string | undefined,
  term?: string,
): Look {
  if (stream.isTTY !== true) return PLAIN;
  const { columns } = stream;
  // Later versions of Node would ask stdout whether it takes colours, whatever `stream` is.
  const paint: Look["paint"] = (style, text) => styleText(FORMATS[style], text, { validateStream: false });
  return {
    paint: noColor || term === "dumb" ? PLAIN.paint : paint,
    ...(columns !== undefined && { columns }),
  };
}

/**
 * What others wrote, as one line that moves no cursor: line breaks and control characters as spaces, what is not to be
 * seen or turns text around by its number, `‹U+202E›`. The joiners that letters and emoji need stay.
 */
export function shown(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").replace(/(?![\u200c\u200d])\p{Cf}/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `‹U+${code.toString(16).toUpperCase().padStart(4, "0")}›`;
  });
}

/**
 * Lines that stand in no table, wrapped at their spaces to the terminal's width; what has a label goes on under its
 * words. No word is broken: what is longer than a line can still be copied.
 */
export function wrapped(lines: readonly string[], { columns = Infinity }: Pick<Look, "columns">): string[] {
  return lines.flatMap((line) => {
    if (stringWidth(line) <= columns) return [line];
    const lead = /^ *(?:[\w ]+: {2,})?/.exec(line)?.[0] ?? "";
    const indent = " ".repeat(Math.min(lead.length, columns / 2));
    const [first = "", ...words] = line.slice(lead.length).split(" ");
    const broken = [`${lead}${first}`];
    for (const word of words) {
      const longer = `${broken.at(-1)} ${word}`;
      if (stringWidth(longer) <= columns) broken.splice(-1, 1, longer);
      else broken.push(`${indent}${word}`);
    }
    return broken.map((one) => one.trimEnd());
  });
}

/** A cell of a table. */
export type Cell = string | { readonly text: string; readonly style: Style };

/** The last column gets at least so much room, if it needs that, or a line of its own; and its longest word does. */
const LAST_LEAST = 24;
const INDENT = 2;
const GAP = 2;

/**
 * The lines of a table with its title, after an empty line; none without rows. On a terminal the cells are wrapped to its
 * width, the last column first; where that has no room it stands under the others. No word is broken but one in the
 * last that is longer than a line.
 */
export function table(
  title: string,
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  look: Look,
): string[] {
  if (rows.length === 0) return [];
  const { columns = Infinity } = look;
  const all = [head.map((text): Cell => ({ text: text.toUpperCase(), style: "dim" })), ...rows];
  const cells = all.map((row) => row.map(clean));
  const last = head.length - 1;
  const indent = INDENT + 2;
  const lasts = cells.map((row) => row[last]?.text ?? "");
  const words = lasts
    .flatMap((text) => text.split(" "))
    .filter((word) => stringWidth(word) <= columns - indent);
  const least = Math.max(Math.min(LAST_LEAST, widest(lasts)), widest(words));
  const beside = fit(cells, last, columns - INDENT - least);
  const room = columns - INDENT - beside.reduce((sum, width) => sum + width + GAP, 0);
  if (room >= least) return ["", `${title}:`, ...draw(cells, [...beside, room], INDENT, look)];
  // The others have the line to themselves.
  const above = fit(cells, last, columns - INDENT + GAP);
  const under = [Math.max(LAST_LEAST, columns - indent)];
  const lines = cells.flatMap((row) => [
    ...draw([row.slice(0, last)], above, INDENT, look),
    ...(row[last]?.text ? draw([row.slice(last)], under, indent, look) : []),
  ]);
  return ["", `${title}:`, ...lines];
}

type Clean = Exclude<Cell, string> | { readonly text: string; readonly style?: undefined };

const clean = (cell: Cell): Clean =>
  typeof cell === "string" ? { text: shown(cell) } : { ...cell, text: shown(cell.text) };

const widest = (texts: readonly string[]): number =>
  texts.reduce((most, text) => Math.max(most, stringWidth(text)), 0);

/** The widths of the first `count` columns: as wide as they like, the widest narrowed as long as no word breaks. */
function fit(rows: readonly (readonly Clean[])[], count: number, room: number): number[] {
  const columns = Array.from({ length: count }, (_, column) => rows.map((row) => row[column]?.text ?? ""));
  const least = columns.map((texts) => widest(texts.flatMap((text) => text.split(" "))));
  const widths = columns.map((texts) => widest(texts));
  for (let over = widths.reduce((sum, width) => sum + width + GAP, 0) - room; over > 0; over--) {
    const spare = widths.map((width, column) => (width > (least[column] ?? 0) ? width : 0));
    const at = spare.indexOf(Math.max(...spare));
    if (!spare[at]) break;
    widths[at] = (widths[at] ?? 0) - 1;
  }
  return widths;
}

/** No borders; a column of endless width is as wide as what is in it. */
function draw(
  rows: readonly (readonly Clean[])[],
  widths: readonly number[],
  indent: number,
  look: Look,
): string[] {
  const drawn = new CliTable({
    chars: BORDERLESS,
    style: { "padding-left": 0, "padding-right": GAP, head: [], border: [], compact: true },
    colWidths: widths.map((width) => (width === Infinity ? null : width + GAP)),
    wordWrap: true,
  });
  drawn.push(...rows.map((row) => row.map((cell, column) => paintWords(cell, widths[column], look))));
  return drawn
    .toString()
    .split("\n")
    .map((line) => `${" ".repeat(indent)}${line.trimEnd()}`.trimEnd());
}

const BORDERLESS = Object.fromEntries(
  ["top", "bottom", "left", "right", "mid"]
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
    .concat("middle")
    .map((name) => [name, ""]),
);

/** Each word for itself: then no colour goes on over a line break. */
function paintWords({ text, style }: Clean, width: number | undefined, { paint }: Look): string {
  const whole = breakWords(text, width ?? Infinity);
  return style ? whole.replace(/\S+/g, (word) => paint(style, word)) : whole;
}

const LETTERS = new Intl.Segmenter();

/** What is longer than a line goes on in the next; the library would cut it off. */
function breakWords(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  return text.replace(/\S+/g, (word) => {
    if (stringWidth(word) <= width) return word;
    const lines = [""];
    for (const { segment } of LETTERS.segment(word)) {
      const line = lines.pop() ?? "";
      if (stringWidth(line + segment) > width) lines.push(line, segment);
      else lines.push(line + segment);
    }
    return lines.join("\n");
  });
}
