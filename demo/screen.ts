import { rowsOf } from "./rows.ts";
import type { GroupView } from "./views.ts";

/** Where the demo shows what happens. */
export interface Screen {
  /** Text that stays. */
  say(text: string): void;
  /** The job groups that are under way. */
  update(underWay: readonly GroupView[]): void;
  /** A job group whose tasks have ended. */
  ended(group: GroupView): void;
  close(): void;
}

/** The part of a terminal or pipe that is used. */
export interface Output {
  write(text: string): unknown;
  readonly columns?: number;
  readonly rows?: number;
}

const REDRAW_MS = 100;
const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;
const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";

/**
 * A list that is redrawn in place, for a terminal. A job group that has ended moves up, out of the list, for good;
 * so the list stays as short as what is under way.
 */
export function createLiveScreen(
  output: Output,
  { colour, unicode }: { colour: boolean; unicode: boolean },
): Screen {
  let underWay: readonly GroupView[] = [];
  let drawn = 0;
  const lookNow = () => ({ columns: output.columns ?? DEFAULT_COLUMNS, colour, unicode });

  /** One write for each picture, so that nothing half drawn is seen. */
  const draw = (above: readonly string[] = []): void => {
    const look = lookNow();
    const all = underWay.flatMap((group) => rowsOf(group, Date.now(), look));
    // What is higher than the terminal could not be drawn over.
    const room = Math.max(1, (output.rows ?? DEFAULT_ROWS) - 1);
    const rows = all.slice(-room);
    const back = drawn > 0 ? `\u001b[${drawn}A` : "";
    output.write(`${back}\u001b[J${[...above, ...rows].map((row) => `${row}\n`).join("")}`);
    drawn = rows.length;
  };

  output.write(HIDE_CURSOR);
  const timer = setInterval(draw, REDRAW_MS);
  return {
    say: (text) => draw(text.split("\n")),
    update: (groups) => {
      underWay = groups;
    },
    ended: (group) => {
      underWay = underWay.filter(({ id }) => id !== group.id);
      draw(rowsOf(group, Date.now(), lookNow()));
    },
    close: () => {
      clearInterval(timer);
      draw();
      output.write(SHOW_CURSOR);
    },
  };
}

/** A line for each change, for pipes and logs. */
export function createPlainScreen(output: Output, startedAt = Date.now()): Screen {
  const last = new Map<string, string>();
  const line = (key: string, text: string): void => {
    if (last.get(key) === text) return;
    last.set(key, text);
    const at = ((Date.now() - startedAt) / 1_000).toFixed(1).padStart(5);
    output.write(`${at} s  ${text}\n`);
  };
  const tell = ({ id, name, stage, tasks }: GroupView): void => {
    line(`${id}`, `jobGroup ${id}${name === undefined ? "" : ` (${name})`}: ${stage}`);
    for (const task of tasks) {
      const title = `jobGroup ${id} -> ${task.place} (${task.action})`;
      const why = task.ended && task.state !== "published" && task.words ? `: ${task.words}` : "";
      const percent = task.ended || task.percent === 0 ? "" : ` ${task.percent}%`;
      line(task.id, `${title}: ${task.stage}${percent}${why}`);
    }
  };
  return {
    say: (text) => void output.write(`${text}\n`),
    update: (groups) => groups.forEach(tell),
    ended: (group) => {
      tell(group);
      for (const key of [`${group.id}`, ...group.tasks.map(({ id }) => id)]) last.delete(key);
    },
    close: () => {},
  };
}
