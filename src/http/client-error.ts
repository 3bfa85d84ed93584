import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** The rest of what was refused is taken and thrown away for so long, so that its sender can read why. */
const DRAIN_MS = 2_000;

/** Requests that never became one: no response object exists, so the answer is written by hand. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const { _httpMessage: answer } = socket as { _httpMessage?: ServerResponse | null };
  // What came wrong stands behind a request that is whole: that one has its answer to come.
  if (answer && !answer.writableEnded && answer.req.complete) {
    answer.once("finish", () => hangUp(socket));
    return;
  }
  // An answer that is half written must not get another one in its middle.
  if (answer?.headersSent === true) {
    socket.destroy();
    return;
  }
  const [status, detail] = clientErrorWords(error.code);
  const title = STATUS_CODES[status] ?? "Error";
  const body = JSON.stringify({ type: "about:blank", title, status, detail });
  hangUp(
    socket,
    `HTTP/1.1 ${status} ${title}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/** Closed with bytes unread, the sender would see a reset instead of the answer. */
function hangUp(socket: Duplex, last = ""): void {
  socket.end(last);
  socket.resume();
  const cut = setTimeout(() => socket.destroy(), DRAIN_MS);
  cut.unref();
  socket.once("close", () => clearTimeout(cut));
}

function clientErrorWords(code: string | undefined): [number, string] {
  switch (code ?? "") {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return [408, "The request did not arrive in time: send it faster, in one piece."];
    case "HPE_HEADER_OVERFLOW":
      return [431, "The headers are too large: send fewer or shorter ones."];
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return [413, "The chunk extensions are too large: send the body with Content-Length."];
    default:
      return [
        400,
        "This is not a request in HTTP/1.1: check the client, and whether it speaks TLS to a plain port.",
      ];
  }
}
