import type { IncomingMessage, ServerResponse } from "node:http";
import helmet from "helmet";

/** Sets the headers that every page of ours is sent with; for Express and for handlers of node:http. */
export type SecurityHeaders = (req: IncomingMessage, res: ServerResponse) => void;

/** No frame, no foreign script, no request elsewhere: the board's web font is left out, so it also loads offline. */
export function createSecurityHeaders(): SecurityHeaders {
  const protect = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "worker-src": ["'self'", "blob:"],
        "base-uri": ["'self'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
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
