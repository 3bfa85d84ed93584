import { type Answer, exception, ok } from "./answer.ts";
import type { JobGroup, Platform } from "./platform.ts";
import type { Settings } from "./settings.ts";
import { groupStatus, isVisible, jobGroupView } from "./views.ts";

const SORTS = new Set(["id", "createdAt", "updatedAt"]);
const DATE_FILTER = /^dateFilter\[(createdAt|updatedAt)\]\[(gte|lte|gt|lt)\]$/;

type Test = (group: JobGroup, now: number) => boolean;

/** `GET /v4/jobLibrary`: pages of 25, newest first, unless asked otherwise. */
export function jobLibrary(query: URLSearchParams, platform: Platform, settings: Settings): Answer {
  if (query.has("embed")) return invalid("embed is not supported by the job library");
  const limit = Number(query.get("limit") ?? 25);
  const offset = Number(query.get("offset") ?? 0);
  const sort = query.get("sort") ?? "-id";
  const field = sort.replace(/^-/, "");
  if (!Number.isInteger(limit) || limit < 1) return invalid("limit must be a positive integer");
  if (!Number.isInteger(offset) || offset < 0) return invalid("offset must be an integer from 0");
  if (!SORTS.has(field)) return invalid(`sort by one of ${[...SORTS].join(", ")}`);
  const tests = testsOf(query);
  if (tests === undefined) return invalid("a dateFilter takes epoch milliseconds");

  const size = Math.min(limit, settings.maxLimit ?? limit);
  const now = Date.now();
  const page: JobGroup[] = [];
  const wantsCount = query.get("includeCount") === "true";
  let count = 0;
  for (const group of inOrder(platform, field, sort.startsWith("-"))) {
    if (!isVisible(group, now) || !tests.every((test) => test(group, now))) continue;
    count++;
    if (count > offset && page.length < size) page.push(group);
    if (page.length === size && !wantsCount) break;
  }
  const fields = query.get("fields")?.split(";");
  const data = page.map((group) => pick(jobGroupView(group, now), fields));
  return ok(wantsCount ? { data, count } : { data });
}

function testsOf(query: URLSearchParams): Test[] | undefined {
  const tests: Test[] = [];
  const status = query.get("status");
  const ranfor = query.get("ranfor");
  const ranfrom = query.get("ranfrom");
  if (status) tests.push((group, now) => groupStatus(group, now) === status);
  if (ranfor) tests.push((group) => group.ranfor === ranfor);
  if (ranfrom) tests.push((group) => group.ranfrom === ranfrom);
  if (query.get("runBy") === "currentUser") tests.push((group) => group.creatorId === 1);
  for (const [key, value] of query) {
    const [, field, comparison] = DATE_FILTER.exec(key) ?? [];
    if (field === undefined) continue;
    const bound = Number(value);
    if (Number.isNaN(bound)) return undefined;
    tests.push((group) =>
      compare(field === "createdAt" ? group.createdAt : group.updatedAt, comparison, bound),
    );
  }
  return tests;
}

function compare(at: number, comparison: string | undefined, bound: number): boolean {
  if (comparison === "gte") return at >= bound;
  if (comparison === "lte") return at <= bound;
  return comparison === "gt" ? at > bound : at < bound;
}

function* inOrder(platform: Platform, field: string, descending: boolean): Generator<JobGroup> {
  const { jobGroups, jobGroupIds } = platform;
  if (field === "id") {
    const ids = descending ? jobGroupIds.toReversed() : jobGroupIds;
    for (const id of ids) yield jobGroups.get(id)!;
    return;
  }
  const at = (group: JobGroup): number => (field === "createdAt" ? group.createdAt : group.updatedAt);
  const sorted = [...jobGroups.values()].sort((a, b) => at(a) - at(b));
  yield* descending ? sorted.reverse() : sorted;
}

function pick(view: object, fields: readonly string[] | undefined): object {
  if (fields === undefined) return view;
  return Object.fromEntries(Object.entries(view).filter(([name]) => name === "id" || fields.includes(name)));
}

function invalid(details: string): Answer {
  return exception(400, "ApiValidationFailed", "The query is not valid", details);
}
