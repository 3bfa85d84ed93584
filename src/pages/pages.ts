import type { IncomingMessage, ServerResponse } from "node:http";
import { within } from "../producers/accept-report.ts";
import type { Handler, Problem } from "../producers/problem.ts";
import { type Answer, problemAnswer, sendAnswer, sendText } from "./answer.ts";
import { ASSETS } from "./assets.ts";
import { type Asker, changeAt, type ChangesDeps, type Person } from "./changes.ts";
import type { Draft } from "./decision-form.ts";
import type { Frame } from "./layout.ts";
import { overviewMessage, storyMessage } from "./messages.ts";
import { overviewPage } from "./overview-page.ts";
import { searchPage } from "./search-page.ts";
import { fieldsOf, readSearch } from "./search-query.ts";
import { storyPage } from "./story-page.ts";
import type { Found, Overview, Search, StoryView } from "./view.ts";

/** What the pages show, and what can be done on them. */
export interface PagesDeps extends Omit<ChangesDeps, "storyWith"> {
  /** Who asks, or why the pages are not for them. */
  readonly identify: (req: IncomingMessage) => Promise<Person | Problem>;
  /** The id of a request, as the log and the audit trail tell it. */
  readonly nameRequest: (req: IncomingMessage, res: ServerResponse) => string;
  /** Sets the headers that keep a page to itself, and out of caches. */
  readonly setHeaders: (req: IncomingMessage, res: ServerResponse) => void;
  readonly overview: () => Promise<Overview>;
  readonly search: (search: Search) => Promise<Found>;
  /** Undefined when nothing is known of it. */
  readonly story: (jobGroupId: number) => Promise<StoryView | undefined>;
  /** Names to choose from. */
  readonly names: () => { readonly targets: readonly string[]; readonly rules: readonly string[] };
  /** Redis is away: nothing can be shown. */
  readonly isAway: () => boolean;
  readonly environment?: string | undefined;
  readonly platformUrl?: string | undefined;
  readonly log: { warn(fields: object, message: string): void };
}

/** How long a page may take before it says that Redis does not answer. */
const TIMEOUT_MS = 8_000;
const OVERVIEW_S = 10;
const STORY_S = 5;
const AWAY_S = 5;
const FOR_EVER = "private, max-age=31536000, immutable";

/** The handler of the operators' pages; which paths are theirs `isPagePath` says. */
export function createPages(deps: PagesDeps): Handler {
  return (req, res) => {
    deps.setHeaders(req, res);
    serve(deps, req, res).catch((error: unknown) => {
      deps.log.warn({ err: error, url: req.url }, "a page could not be shown: answered 503");
      sendAnswer(res, frameOf(deps), away(req));
    });
  };
}

/** Is this path one of the pages'? */
export const isPagePath = (path: string): boolean =>
  path === "/" || path === "/parked" || /^\/(?:job-groups(?:$|\/)|targets\/|pages\/)/.test(path);

async function serve(deps: PagesDeps, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const who = await deps.identify(req);
  if ("status" in who) {
    const title = who.status === 401 ? "Sign in" : "Not for you";
    return sendAnswer(res, frameOf(deps), problemAnswer(who, title));
  }
  const { pathname, searchParams } = new URL(req.url ?? "/", "http://relay");
  const asset = ASSETS.get(pathname);
  if (asset) return sendText(res, 200, asset.type, asset.text, { "cache-control": FOR_EVER });
  const asker = { ...who, requestId: deps.nameRequest(req, res) };
  const answer = await answerTo(deps, req, asker, pathname, searchParams);
  sendAnswer(res, frameOf(deps, who), answer);
}

const frameOf = ({ environment, platformUrl }: PagesDeps, who?: Person): Frame => ({
  ...(who && { who }),
  ...(environment !== undefined && { environment }),
  ...(platformUrl !== undefined && { platformUrl }),
});

async function answerTo(
  deps: PagesDeps,
  req: IncomingMessage,
  who: Asker,
  path: string,
  query: URLSearchParams,
): Promise<Answer> {
  const change = changeAt(path, { ...deps, storyWith: (...args) => storyWith(deps, ...args) });
  if (req.method !== "GET" && req.method !== "HEAD") {
    if (!change || req.method !== "POST") return notAllowed(change ? "POST" : "GET");
    const problem = deps.mayChange(req, who, "form");
    if (problem) {
      deps.log.warn(
        { ...who, method: req.method, url: req.url, detail: problem.detail },
        "a change was refused",
      );
      // Never what viewers and other sites' pages try: they could fill the trail.
      if (problem.status === 415)
        await deps.tellRefused({ action: "a change that is no form", sent: path }, problem.detail, who);
      return problemAnswer(problem, "Refused");
    }
    return deps.isAway() ? away(req) : within(TIMEOUT_MS, change(req, who));
  }
  if (change) return notAllowed("POST");
  const page = pageAt(deps, who, path, query);
  if (!page)
    return problemAnswer({ status: 404, detail: "There is nothing under this address." }, "Nothing here");
  return deps.isAway() ? away(req) : within(TIMEOUT_MS, page());
}

function pageAt(
  deps: PagesDeps,
  who: Person,
  path: string,
  query: URLSearchParams,
): (() => Promise<Answer>) | undefined {
  if (path === "/") return () => overviewAnswer(deps, who, query);
  if (path === "/job-groups") return () => searchAnswer(deps, query);
  if (path === "/parked") return async () => ({ kind: "moved", to: "/job-groups?state=parked" });
  const [, id, json] = /^\/job-groups\/([1-9]\d{0,15})(\.json)?$/.exec(path) ?? [];
  const jobGroupId = Number(id);
  if (id === undefined || !Number.isSafeInteger(jobGroupId)) return undefined;
  return json === undefined
    ? () => storyAnswer(deps, jobGroupId, who, { done: query.get("done") })
    : async () => {
        const view = await deps.story(jobGroupId);
        return view ? { kind: "json", value: view.story } : notKnown(jobGroupId);
      };
}

async function overviewAnswer(deps: PagesDeps, who: Person, query: URLSearchParams): Promise<Answer> {
  const refreshes = query.get("refresh") !== "off";
  const view = await deps.overview();
  const message = overviewMessage(query.get("done"), view);
  const body = overviewPage(view, { mayAct: who.role === "operator", refreshes, message });
  return {
    kind: "page",
    status: 200,
    page: {
      title: "Overview",
      here: "overview",
      body,
      ...(refreshes && { refresh: { seconds: OVERVIEW_S, from: "/" } }),
    },
  };
}

async function searchAnswer(deps: PagesDeps, query: URLSearchParams): Promise<Answer> {
  const asked = readSearch(query);
  if (asked.kind === "job-group") {
    const { jobGroupId, taskId } = asked;
    const place = taskId === undefined ? "" : `#${encodeURIComponent(taskId)}`;
    return { kind: "moved", to: `/job-groups/${jobGroupId}${place}` };
  }
  const found = asked.kind === "search" ? await deps.search(asked.search) : asked;
  const later = query.has("before");
  const body = searchPage(found, { fields: fieldsOf(query), ...deps.names(), now: Date.now(), later });
  const status = asked.kind === "wrong" ? 400 : 200;
  return { kind: "page", status, page: { title: "Job groups", here: "job-groups", body } };
}

async function storyAnswer(
  deps: PagesDeps,
  jobGroupId: number,
  who: Person,
  { done = null, draft, status = 200 }: { done?: string | null; draft?: Draft; status?: number },
): Promise<Answer> {
  const view = await deps.story(jobGroupId);
  if (!view) return notKnown(jobGroupId);
  const mayAct = who.role === "operator";
  const { platformUrl } = deps;
  const body = storyPage(view, { mayAct, platformUrl, draft, message: storyMessage(done, view.story) });
  const { tasks, completion } = view.story;
  const moves =
    tasks.some(({ endedAt }) => endedAt === undefined) ||
    (tasks.length === 0 && completion?.outcome === "open");
  const hasForm = mayAct && tasks.some(({ state }) => state === "parked");
  return {
    kind: "page",
    status,
    page: {
      title: `Job group ${jobGroupId}`,
      here: "job-groups",
      body,
      // Never while somebody may be filling in the form.
      ...(moves && !hasForm && { refresh: { seconds: STORY_S, from: `/job-groups/${jobGroupId}` } }),
    },
  };
}

const storyWith = (deps: PagesDeps, jobGroupId: number, who: Person, draft: Draft, status: number) =>
  storyAnswer(deps, jobGroupId, who, { draft, status });

const notKnown = (jobGroupId: number): Answer =>
  problemAnswer(
    {
      status: 404,
      detail: `Nothing is known of job group ${jobGroupId}: nobody reported it, or its record is older than LEDGER_RETENTION.`,
    },
    `Job group ${jobGroupId} is not known`,
    { here: "job-groups" },
  );

const notAllowed = (allow: string): Answer =>
  problemAnswer({ status: 405, detail: `Use ${allow} for this address.`, headers: { allow } }, "Not so");

function away(req: IncomingMessage): Answer {
  const isRead = req.method === "GET" || req.method === "HEAD";
  const detail = isRead
    ? "Redis does not answer just now, so nothing can be shown. Nothing is lost: publishes go on when it is back. This page tries again by itself."
    : "Redis does not answer just now. Whether the change was made is not known: look at the page once it shows again.";
  return problemAnswer(
    { status: 503, detail, headers: { "retry-after": String(AWAY_S) } },
    "Redis does not answer",
    isRead ? { refresh: { seconds: AWAY_S, from: req.url ?? "/" } } : {},
  );
}
