import { type DestinationStream, type Logger, pino } from "pino";

const HIDDEN = "***";
/** Fields that nobody logs; whoever does by mistake, logs no secret. */
const FIELDS = ["authorization", "cookie", "password", "secretKey"];
const HAS_FIELD = new RegExp(`"(?:${FIELDS.join("|")})":`);

/**
 * The log of a process, as JSON lines. `destination` is where pino writes to, by default stdout, written at once, or who
 * takes each line. `secrets` are cut out of whatever line holds them: the last line of defence, as no line should.
 */
export function createLog(
  level: string,
  destination: Exclude<Parameters<typeof pino.destination>[0], undefined> | DestinationStream,
  secrets: readonly string[] = [],
): Logger {
  // As they stand in JSON.
  const written = secrets.map((secret) => JSON.stringify(secret).slice(1, -1));
  const hide = (line: string): string =>
    written.reduce((text, secret) => text.replaceAll(secret, HIDDEN), hideFields(line));
  return pino(
    {
      level,
      serializers: { err: withoutCommand },
      hooks: { streamWrite: hide },
    },
    typeof destination === "object" && "write" in destination ? destination : pino.destination(destination),
  );
}

/** Looks at the text first: next to no line has such a field, and pino's own `redact` costs each line more than writing it. */
function hideFields(line: string): string {
  if (!HAS_FIELD.test(line)) return line;
  const censored = (name: string, value: unknown): unknown => (FIELDS.includes(name) ? HIDDEN : value);
  return `${JSON.stringify(JSON.parse(line), censored)}\n`;
}

/** ioredis hangs the command that failed on its errors, and with it what was sent: passwords, labels. */
function withoutCommand(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { command: _command, ...told } = { ...pino.stdSerializers.err(error) } as Record<string, unknown>;
  return told;
}
