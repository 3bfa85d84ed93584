import type { IncomingMessage, ServerResponse } from "node:http";
import helmet from "helmet";

/** Sets the headers that every page of ours is sent with; for Express and for handlers of node:http. */
export type SecurityHeaders = (req: IncomingMessage, res: ServerResponse) => void;

/** What Bull Board's page needs beyond what ours do; its web font is left out, so it also loads offline. */
const BOARD = {
  "style-src": ["'self'", "'unsafe-inline'"],
  "font-src": ["'self'"],
  "worker-src": ["'self'", "blob:"],
};

/** No frame, no foreign script, no request elsewhere; no inline style either but on the board. */
export function createSecurityHeaders(of: "board" | "pages"): SecurityHeaders {
  const protect = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "connect-src": ["'self'"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
        ...(of === "board" && BOARD),
      },
    },
    crossOriginOpenerPolicy: { policy: "same-origin" },
    crossOriginResourcePolicy: { policy: "same-origin" },
    referrerPolicy: { policy: "same-origin" },
    xFrameOptions: { action: "deny" },
    // Whether this name is served over TLS alone is the proxy's to say: here it would bind its other ports as well.
    strictTransportSecurity: false,
  });
  return (req, res) => {
    protect(req, res, () => {});
    // Job data must not stay in caches; the files have names that change with their content.
    if (!(req.url ?? "").split("?", 1)[0]?.includes("/static/")) res.setHeader("cache-control", "no-store");
  };
}
