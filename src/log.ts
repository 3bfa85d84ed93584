import { type Logger, pino } from "pino";

/** The log of a process, as JSON lines. `destination` is pino's: by default stdout, written at once. */
export function createLog(level: string, destination: Parameters<typeof pino.destination>[0]): Logger {
  return pino({ level, serializers: { err: withoutCommand } }, pino.destination(destination));
}

/** ioredis hangs the command that failed on its errors, and with it what was sent: passwords, labels. */
function withoutCommand(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { command: _command, ...told } = { ...pino.stdSerializers.err(error) } as Record<string, unknown>;
  return told;
}
