import { type DestinationStream, type Logger, pino } from "pino";

const HIDDEN = "***";
/** Fields that nobody logs; whoever does by mistake, logs no secret. */
const FIELDS = ["authorization", "cookie", "password", "secretKey"];

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
    written.reduce((text, secret) => text.replaceAll(secret, HIDDEN), line);
  return pino(
    {
      level,
      serializers: { err: withoutCommand },
      redact: { paths: FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: HIDDEN },
      ...(written.length > 0 && { hooks: { streamWrite: hide } }),
    },
    typeof destination === "object" && "write" in destination ? destination : pino.destination(destination),
  );
}

/** ioredis hangs the command that failed on its errors, and with it what was sent: passwords, labels. */
function withoutCommand(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { command: _command, ...told } = { ...pino.stdSerializers.err(error) } as Record<string, unknown>;
  return told;
}
