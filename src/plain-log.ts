import type { Logger } from "pino";
import { createLog } from "./log.ts";
import { type Look, shown } from "./look.ts";

const ERROR = 50;
/** What pino puts into each line. */
const ALWAYS = new Set(["level", "time", "pid", "hostname", "msg", "err"]);

/**
 * The log of a command, for a person: warnings and errors alone, each as a line of plain words. `secrets` are cut out of
 * whatever line holds them.
 */
export function createPlainLog(
  out: { write(text: string): unknown },
  look: Look,
  secrets: readonly string[] = [],
): Logger {
  return createLog("warn", { write: (line: string) => void out.write(`${tellLine(line, look)}\n`) }, secrets);
}

/** `warning: what went wrong: why (field value)`. */
function tellLine(line: string, { paint }: Look): string {
  const entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const { level, msg, err } = entry;
  const isError = Number(level) >= ERROR;
  const why = typeof err === "object" && err !== null && "message" in err ? String(err.message) : "";
  const fields = Object.entries(entry)
    .filter(([name]) => !ALWAYS.has(name))
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`);
  const [head = "", ...more] = [msg, why].filter(Boolean).join(": ").split("\n").map(shown);
  const words = `${head}${fields.length > 0 ? shown(` (${fields.join(", ")})`) : ""}`;
  const kind = paint(isError ? "bad" : "warn", isError ? "error:" : "warning:");
  // What a message shows of a file stands on lines of its own.
  return [`${kind} ${words}`, ...more].join("\n");
}
