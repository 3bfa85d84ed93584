import type { IncomingMessage } from "node:http";
import type { Problem } from "../producers/problem.ts";
import { createAdmit, type BoardAccess } from "./board-access.ts";

/** Who may look at the pages and who may act on them: the board's logins, for forms in place of JSON. */
export function createPageAccess(access: BoardAccess) {
  const admit = createAdmit(access);
  const seen = (req: IncomingMessage, more: object) =>
    ({ headers: { ...req.headers, ...more } }) as IncomingMessage;
  return {
    identify: async (req: IncomingMessage) => {
      const who = admit(Object.assign(seen(req, {}), { method: "GET" }));
      return "status" in who
        ? who
        : { ...who, name: nameOf(req), from: req.socket.remoteAddress ?? "unknown" };
    },
    mayChange: (req: IncomingMessage): Problem | undefined => {
      const { origin, "content-type": type = "", "sec-fetch-site": site } = req.headers;
      if (!/^\s*application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) {
        return {
          status: 415,
          detail:
            "Send changes as the page's form does, with Content-Type: application/x-www-form-urlencoded.",
        };
      }
      if (origin === undefined && site === undefined) {
        return {
          status: 403,
          detail: "This change does not say which site asked for it: use the relay's own page.",
        };
      }
      const who = admit(Object.assign(seen(req, { "content-type": "application/json" }), { method: "POST" }));
      return "status" in who ? who : undefined;
    },
  };
}

function nameOf({ headers }: IncomingMessage): string {
  const encoded = /^basic +([A-Za-z0-9+/=]+)\s*$/i.exec(headers.authorization ?? "")?.[1];
  return encoded === undefined
    ? "local"
    : (Buffer.from(encoded, "base64").toString("utf8").split(":")[0] ?? "local");
}
