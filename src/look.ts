/** What a word is painted as. */
export type Style = "good" | "bad" | "warn" | "dim" | "bold";

/** How what a command says is laid out. */
export interface Look {
  readonly paint: (style: Style, text: string) => string;
  /** Columns of the terminal; absent where lines may be of any length. */
  readonly columns?: number;
}

const CODES: Readonly<Record<Style, readonly [number, number]>> = {
  good: [32, 39],
  bad: [31, 39],
  warn: [33, 39],
  dim: [2, 22],
  bold: [1, 22],
};

/** For files, pipes and whoever asks for no colours. */
export const PLAIN: Look = { paint: (_style, text) => text };

/** Colours and line breaks on a terminal alone; `noColor` is NO_COLOR of the environment, any text but an empty one. */
export function createLook(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  noColor: string | undefined,
): Look {
  if (stream.isTTY !== true) return PLAIN;
  const { columns } = stream;
  const paint: Look["paint"] = (style, text) => {
    const [on, off] = CODES[style];
    return `\u001b[${on}m${text}\u001b[${off}m`;
  };
  return { paint: noColor ? PLAIN.paint : paint, ...(columns !== undefined && { columns }) };
}

/** A cell of a table. */
export type Cell = string | { readonly text: string; readonly style: Style };

/** The last column gets at least so much room, however narrow the terminal is. */
const LAST_LEAST = 24;

/** The lines of a table with its title, after an empty line; none without rows. On a terminal the last column is wrapped. */
export function table(
  title: string,
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  look: Look,
): string[] {
  if (rows.length === 0) return [];
  const all = [head.map((cell): Cell => ({ text: cell.toUpperCase(), style: "dim" })), ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => textOf(row[column]).length)));
  const last = head.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + 2, 2);
  const room = look.columns === undefined ? Infinity : Math.max(LAST_LEAST, look.columns - before);
  const lines = all.flatMap((row) => {
    const [first = "", ...more] = wrap(textOf(row[last]), room);
    const cells = row.map((cell, column) =>
      column === last ? first : textOf(cell).padEnd(widths[column] ?? 0),
    );
    const painted = cells.map((text, column) => {
      const cell = row[column];
      return typeof cell === "object" && text.trim() !== "" ? look.paint(cell.style, text) : text;
    });
    return [`  ${painted.join("  ")}`.trimEnd(), ...more.map((text) => `${" ".repeat(before)}${text}`)];
  });
  return ["", `${title}:`, ...lines];
}

/** What others wrote moves no cursor. */
const textOf = (cell: Cell | undefined): string =>
  (typeof cell === "object" ? cell.text : (cell ?? "")).replace(/\p{Cc}+/gu, " ");

function wrap(text: string, room: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (rest.length > room) {
    const space = rest.lastIndexOf(" ", room);
    const end = space > 0 ? space : room;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end).trimStart();
  }
  return [...lines, rest];
}
