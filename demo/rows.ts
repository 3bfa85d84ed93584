import type { GroupView, TaskView } from "./views.ts";

/** How rows are drawn. */
export interface Look {
  readonly columns: number;
  readonly colour: boolean;
  readonly unicode: boolean;
}

const BAR = 10;
/** From here on there is room for the action beside the table. */
const WIDE = 110;
const ANSI = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
type Colour = keyof typeof ANSI;

/** The rows of a job group: itself, then a row for each task. No row is wider than the terminal. */
export function rowsOf(group: GroupView, nowMs: number, look: Look): string[] {
  const title = `jobGroup ${group.id}${group.name === undefined ? "" : ` (${group.name})`}`;
  const places = group.tasks.map((task) => nameOf(task, look));
  const width = Math.max(0, ...places.map((place) => place.length));
  return [
    paint(look, [
      ["bold", title],
      ["dim", `  ${group.stage}`],
    ]),
    ...group.tasks.map((task, i) => rowOf(task, (places[i] ?? "").padEnd(width), nowMs, look)),
  ];
}

function nameOf({ place, action }: TaskView, { columns }: Look): string {
  return columns < WIDE ? place : `${place} (${action})`;
}

/** Mark and words say what the colour says, for those who cannot see it. */
function rowOf(task: TaskView, name: string, nowMs: number, look: Look): string {
  const elapsedMs = Math.max(0, (task.endedAt ?? nowMs) - task.seenAt);
  const elapsed = `${(elapsedMs / 1_000).toFixed(1)} s`.padStart(6);
  const percent = `${task.percent}%`.padStart(4);
  const [mark, colour] = markOf(task, look);
  const why = task.ended && task.state !== "published" && task.words ? `: ${task.words}` : "";
  return paint(look, [
    [colour, `  ${mark} `],
    [undefined, name],
    ["dim", `  ${bar(task.percent, look)} ${percent} ${elapsed}  `],
    [colour, `${task.stage}${why}`],
  ]);
}

function markOf({ state }: TaskView, { unicode }: Look): [string, Colour] {
  switch (state) {
    case "published":
      return [unicode ? "✓" : "+", "green"];
    case "failed":
      return [unicode ? "✗" : "x", "red"];
    case "parked":
      return ["!", "yellow"];
    case "superseded":
      return ["=", "dim"];
    case "submitting":
    case "submitted":
      return [unicode ? "▸" : ">", "cyan"];
    default:
      return [unicode ? "·" : ".", "dim"];
  }
}

function bar(percent: number, { unicode }: Look): string {
  const full = Math.round((percent / 100) * BAR);
  return (unicode ? "█" : "#").repeat(full) + (unicode ? "░" : "-").repeat(BAR - full);
}

/** Cuts at the terminal's width, then colours: escape codes take no room. */
function paint({ columns, colour, unicode }: Look, parts: readonly [Colour | undefined, string][]): string {
  const ellipsis = unicode ? "…" : "~";
  const total = parts.reduce((sum, [, text]) => sum + text.length, 0);
  let room = total > columns ? columns - 1 : columns;
  const cut = parts.map(([name, text]) => {
    const kept = text.slice(0, room);
    room -= kept.length;
    return colour && name && kept !== "" ? `\u001b[${ANSI[name]}m${kept}\u001b[0m` : kept;
  });
  return cut.join("") + (total > columns ? ellipsis : "");
}
