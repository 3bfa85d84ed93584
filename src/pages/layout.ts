import { SCRIPT_PATH, STYLE_PATH } from "./assets.ts";
import { html, type Html } from "./html.ts";

/** Who looks, as the page needs to know it. */
export interface Viewer {
  readonly name: string;
  readonly role: "operator" | "viewer";
}

/** What all pages show around their own part. */
export interface Frame {
  /** Absent on a page for somebody who did not sign in. */
  readonly who?: Viewer;
  /** Shown as a badge; `prod` is red. */
  readonly environment?: string;
  readonly platformUrl?: string;
}

export interface PageParts {
  readonly title: string;
  /** The entry of the menu that this is. */
  readonly here?: "overview" | "job-groups";
  readonly body: Html;
  /** The page asks for itself again after so many seconds, at this address. */
  readonly refresh?: { readonly seconds: number; readonly from: string };
}

/** The whole page. */
export function layout(frame: Frame, { title, here, body, refresh }: PageParts): string {
  const { who, environment, platformUrl } = frame;
  const name = environment === undefined ? "publish-relay" : `publish-relay ${environment}`;
  const link = (to: string, words: string, id: string) =>
    html`<li><a href="${to}"${id === here && html` aria-current="page"`}>${words}</a></li>`;
  const attributes = refresh && html` data-refresh="${refresh.seconds}" data-from="${refresh.from}"`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · ${name}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${STYLE_PATH}">
${
  refresh &&
  html`<noscript><meta http-equiv="refresh" content="${refresh.seconds};url=${refresh.from}"></noscript>
<script src="${SCRIPT_PATH}" defer></script>`
}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<strong>publish-relay</strong>
${environment !== undefined && html`<span class="env${isProduction(environment) && " prod"}">${environment}</span>`}
<nav aria-label="Pages"><ul>
${link("/", "Overview", "overview")}
${link("/job-groups", "Job groups", "job-groups")}
${link("/board", "Board", "board")}
${platformUrl !== undefined && link(platformUrl, "Designer Cloud", "platform")}
</ul></nav>
${who && html`<span class="who">${who.name} (${who.role}${who.role === "viewer" && ": may look, not change"})</span>`}
</header>
<main id="main" tabindex="-1"${attributes}>
${body}
</main>
<footer><p id="refresh-state" role="status"></p><p>All times are UTC.</p></footer>
</body>
</html>
`.text;
}

/** The names that warn: whatever is done there counts. */
export const isProduction = (environment: string): boolean => /^prod/i.test(environment);
