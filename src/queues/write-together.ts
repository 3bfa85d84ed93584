import type { Socket } from "node:net";

/**
 * Sends what is written to a socket within one turn of the event loop in one system call. ioredis makes one of each
 * command, and these calls are most of what a busy relay's processor does. Order and contents stay as they are; when
 * nothing else is to be done the turn ends at once.
 */
export function writeTogether(socket: Pick<Socket, "write" | "cork" | "uncork">): void {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  let waiting = false;
  const send = (): void => {
    waiting = false;
    socket.uncork();
  };
  socket.write = (...args: unknown[]): boolean => {
    if (!waiting) {
      waiting = true;
      socket.cork();
      if (process.env["NT"]) process.nextTick(send);
      else setImmediate(send);
    }
    return write(...args);
  };
}
