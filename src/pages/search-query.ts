import { GROUP_STATES, type GroupState } from "../queues/group-index.ts";
import type { Search } from "./view.ts";

/** The fields of the search form as they were sent, to be shown again. */
export type SearchFields = Readonly<Record<(typeof FIELDS)[number], string>>;

export const FIELDS = ["job", "table", "target", "rule", "state"] as const;

export type ReadSearch =
  | { readonly kind: "search"; readonly search: Search }
  /** One job group was asked for, perhaps one of its tasks. */
  | { readonly kind: "job-group"; readonly jobGroupId: number; readonly taskId?: string }
  | { readonly kind: "wrong"; readonly field: (typeof FIELDS)[number] | "before"; readonly words: string };

export const fieldsOf = (query: URLSearchParams): SearchFields => ({
  job: query.get("job")?.trim() ?? "",
  table: query.get("table")?.trim() ?? "",
  target: query.get("target")?.trim() ?? "",
  rule: query.get("rule")?.trim() ?? "",
  state: query.get("state")?.trim() ?? "",
});

const CURSOR = /^\d{1,16}-\d{1,16}$/;
const TOO_LONG = 300;

/** Reads what is searched for, or says what is wrong with it. */
export function readSearch(query: URLSearchParams): ReadSearch {
  const { job, table, target, rule, state } = fieldsOf(query);
  const long = FIELDS.find((field) => fieldsOf(query)[field].length > TOO_LONG);
  if (long)
    return { kind: "wrong", field: long, words: `This is longer than ${TOO_LONG} characters: shorten it.` };
  if (job !== "") return readJob(job);
  const before = query.get("before") ?? "";
  if (before !== "" && !CURSOR.test(before)) {
    return {
      kind: "wrong",
      field: "before",
      words: "The page's address is not whole: start again from the first page.",
    };
  }
  const known = GROUP_STATES.find((one) => one === state);
  if (state !== "" && !known) {
    return {
      kind: "wrong",
      field: "state",
      words: `There is no state "${state}": use ${GROUP_STATES.join(", ")}.`,
    };
  }
  const parts = table.split(".");
  if (parts.length > 2 || (table !== "" && parts.some((part) => part === ""))) {
    return {
      kind: "wrong",
      field: "table",
      words: "Write the table as orders, or with its schema as public.orders.",
    };
  }
  const name = parts.at(-1) ?? "";
  const schema = parts.length === 2 ? parts[0] : undefined;
  return {
    kind: "search",
    search: {
      ...(target !== "" && { target: target.toLowerCase() }),
      ...(rule !== "" && { rule }),
      ...(name !== "" && { table: name }),
      ...(schema !== undefined && { schema }),
      ...(known && { state: known satisfies GroupState }),
      ...(before !== "" && { before }),
    },
  };
}

/** `31`, `jobgroup-31`, or a task's id. */
function readJob(text: string): ReadSearch {
  const [, id, rest] = /^(?:jobgroup-)?([1-9]\d{0,15})(-.+)?$/.exec(text) ?? [];
  const jobGroupId = Number(id);
  if (id === undefined || !Number.isSafeInteger(jobGroupId)) {
    return {
      kind: "wrong",
      field: "job",
      words: "Write a job group's id like 31, or a task's id like jobgroup-31-2-public-orders.",
    };
  }
  return { kind: "job-group", jobGroupId, ...(rest !== undefined && { taskId: text }) };
}

/** The address of another page of the same search. */
export function searchAddress(fields: SearchFields, before?: string): string {
  const query = new URLSearchParams();
  for (const field of FIELDS) if (fields[field] !== "") query.set(field, fields[field]);
  if (before !== undefined) query.set("before", before);
  const text = query.toString();
  return text === "" ? "/job-groups" : `/job-groups?${text}`;
}
