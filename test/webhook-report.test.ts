import { describe, expect, it } from "vitest";
import { type ParsedReport, parseReport } from "../src/producers/report.ts";

const read = (body: unknown): ParsedReport => parseReport(body, "webhook");
const detail = (body: unknown): string => {
  const parsed = read(body);
  return parsed.kind === "malformed" ? parsed.detail : `not malformed but ${parsed.kind}`;
};

describe("a report of a completion", () => {
  it("is read as the platform's webhook sends it, with the id as a string", () => {
    expect(read({ jobId: "31", jobStatus: "Complete" })).toEqual({
      kind: "report",
      report: { jobGroupId: 31, status: "Complete", labels: {}, source: "webhook" },
    });
  });

  it("is read as backend services write it", () => {
    expect(parseReport({ jobGroupId: 31, status: "Complete", labels: { env: "prod" } }, "message")).toEqual({
      kind: "report",
      report: { jobGroupId: 31, status: "Complete", labels: { env: "prod" }, source: "message" },
    });
  });

  it("keeps every other field as a label, whatever its type", () => {
    const body = {
      jobId: 31,
      env: "prod",
      size: 3,
      urgent: true,
      owner: { team: "sales" },
      list: [1, "a"],
      none: null,
      labels: { env: "stage", n: 4 },
    };
    expect(read(body)).toEqual({
      kind: "report",
      report: {
        jobGroupId: 31,
        labels: {
          env: "stage",
          size: "3",
          urgent: "true",
          owner: '{"team":"sales"}',
          list: '[1,"a"]',
          n: "4",
        },
        source: "webhook",
      },
    });
  });

  it("is a test delivery while $jobId is not replaced", () => {
    expect(read({ jobId: "$jobId", jobStatus: "$jobStatus", env: "prod" })).toEqual({
      kind: "test",
      mark: '"$jobId" was not replaced',
      labels: { env: "prod" },
    });
    expect(read({ jobGroupId: "$jobId", status: "Complete" })).toMatchObject({
      kind: "test",
      status: "Complete",
    });
  });

  it("is no test delivery when one of the two ids is real", () => {
    for (const ids of [
      { jobId: "$jobId", jobGroupId: 31 },
      { jobId: 31, jobGroupId: "$jobId" },
    ]) {
      expect(read(ids)).toMatchObject({ kind: "report", report: { jobGroupId: 31 } });
    }
  });

  it("is a test delivery when the mark stands beside an empty id", () => {
    expect(read({ test: true, jobId: "" })).toMatchObject({ kind: "test" });
    expect(read({ test: true, jobId: null })).toMatchObject({ kind: "test" });
    expect(read({ jobId: "" })).toMatchObject({ kind: "malformed" });
  });

  it.each([
    [{ test: true }],
    [{ test: "true" }],
    [{ type: "test" }],
    [{ event: "Test" }],
    [{ type: "ping" }],
  ])("is a test delivery with %j and no job id", (mark) => {
    expect(read({ ...mark, jobStatus: "Complete" })).toMatchObject({ kind: "test", status: "Complete" });
    // A mark beside an id is a label: no real report is lost by it.
    expect(read({ ...mark, jobId: 31 })).toMatchObject({ kind: "report", report: { jobGroupId: 31 } });
  });

  it.each([
    [{ test: false }],
    [{ test: 1 }],
    [{ type: "testing" }],
    [{ type: ["test"] }],
    [{ type: { toString: 1 } }],
  ])("is no test delivery with %j and no job id", (body) => {
    expect(detail(body)).toContain('"jobId" is missing');
  });

  it("has no status when only $jobStatus was left as it is", () => {
    expect(read({ jobId: "31", jobStatus: "$jobStatus" })).toEqual({
      kind: "report",
      report: { jobGroupId: 31, labels: {}, source: "webhook" },
    });
  });

  it("takes the largest id that a number can hold and no larger one", () => {
    expect(read({ jobId: "9007199254740991" })).toMatchObject({ report: { jobGroupId: 9007199254740991 } });
    expect(detail({ jobId: "9007199254740992" })).toContain('"jobId" must be the job group\'s id');
  });

  it.each([
    ["no object", "x", "must be a JSON object"],
    ["null", null, "must be a JSON object"],
    ["a list", [{ jobId: 31 }], "must be a JSON object"],
    ["no id", { jobStatus: "Complete" }, '"jobId" is missing'],
    ["a mistyped placeholder", { jobId: "$jobID" }, '"jobId" must be the job group\'s id'],
    ["zero", { jobId: 0 }, "positive whole number"],
    ["a negative id", { jobId: -1 }, "positive whole number"],
    ["a fraction", { jobId: 1.5 }, "not 1.5"],
    ["an id with a leading zero", { jobId: "031" }, 'not "031"'],
    ["an id in a list", { jobGroupId: [31] }, '"jobGroupId" must be'],
    ["an empty id", { jobId: "" }, '"jobId" must be'],
    ["two different ids", { jobId: 31, jobGroupId: 32 }, "send one of them"],
    ["a status that is no string", { jobId: 31, jobStatus: 3 }, '"jobStatus" must be a string'],
    ["half of a character in a label", { jobId: 31, note: "a\ud800" }, "half of a character"],
    ["half of a character in a name", { jobId: 31, "a\udc00": 1 }, "half of a character"],
    ["half of a character in labels", { jobId: 31, labels: { note: "\ud83d" } }, "half of a character"],
    ["half of a character in its status", { jobId: 31, jobStatus: "\ud800" }, "half of a character"],
    ["a test delivery whose labels could not be taken", { jobId: "$jobId", note: "v".repeat(1_001) }, "1001"],
    ["labels in a list", { jobId: 31, labels: ["a"] }, '"labels" must be an object'],
    ["labels as text", { jobId: 31, labels: "a" }, '"labels" must be an object'],
    ["a long name", { jobId: 31, ["n".repeat(101)]: 1 }, "must have 1 to 100 characters"],
    ["an empty name", { jobId: 31, "": 1 }, "must have 1 to 100 characters"],
    ["a long value", { jobId: 31, note: "v".repeat(1_001) }, 'Field "note" has 1001 characters'],
    ["a long value in labels", { jobId: 31, labels: { note: "v".repeat(1_001) } }, 'Field "note"'],
  ])("is refused with %s", (_what, body, words) => {
    expect(detail(body)).toContain(words);
  });

  it("is refused with more than 50 labels, counted over both places", () => {
    const many = (n: number, prefix: string) =>
      Object.fromEntries(Array.from({ length: n }, (_, i) => [`${prefix}${i}`, "x"]));
    expect(read({ jobId: 31, ...many(25, "a"), labels: many(25, "b") })).toMatchObject({ kind: "report" });
    expect(detail({ jobId: 31, ...many(25, "a"), labels: many(26, "b") })).toContain("more than 50 fields");
  });

  it("cannot reach a prototype", () => {
    expect(detail(JSON.parse('{"jobId":31,"__proto__":{"polluted":"yes"}}'))).toContain("__proto__");
    expect(detail(JSON.parse('{"jobId":31,"labels":{"__proto__":"x"}}'))).toContain("__proto__");
    const parsed = read(JSON.parse('{"jobId":31,"constructor":{"prototype":{"polluted":"yes"}}}'));
    expect(parsed).toMatchObject({ report: { labels: { constructor: '{"prototype":{"polluted":"yes"}}' } } });
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it("is refused, not fatal, when it nests deeper than the stack", () => {
    const deep = JSON.parse(`${"[".repeat(30_000)}${"]".repeat(30_000)}`) as unknown;
    expect(detail({ jobId: 31, deep })).toMatch(/Field "deep" (is nested too deeply|has \d+ characters)/);
    expect(detail({ jobId: deep })).toContain('"jobId" must be');
    expect(detail({ jobId: 31, labels: { deep } })).toContain('Field "deep"');
  });
});
