import { access, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { rowsOf } from "../demo/rows.ts";
import { createLiveScreen, createPlainScreen } from "../demo/screen.ts";
import type { GroupView, TaskView } from "../demo/views.ts";
import { startScript } from "./support/processes.ts";
import { releaseLater } from "./support/release.ts";

const DEMO = "demo/main.ts";
const WHOLE_RUN_MS = 60_000;

describe("npm run demo", () => {
  test("with --once shows how each task gets published, and ends with 0", {
    timeout: WHOLE_RUN_MS,
  }, async () => {
    const demo = startScript(DEMO, { args: ["--once"] });
    const end = await demo.exited;
    const output = demo.output();

    expect({ ...end, output }).toEqual({ code: 0, signal: null, output });
    expect(output).toMatch(/Board +http:\/\/127\.0\.0\.1:\d+\/board/);
    expect(output).toContain("Published 8 of 8 tasks of 4 job groups.");
    const published = output.split("\n").filter((line) => line.endsWith(": published"));
    const targets = published.map((line) => line.replace(/.*-> ([a-z]+)\..*/, "$1"));
    expect(targets.toSorted().join(" ")).toBe("archive archive archive archive finance finance sales sales");
    expect(output).toMatch(/jobGroup 31 -> sales\.public\.orders \(load\): publishing \d+%/);
    expect(output).not.toMatch(/published \d+%/);
    expect(output).not.toContain("\u001b");
    await expectNothingLeft(output);
  });

  test("with --once ends with 1, in the platform's words, when a task is not published", {
    timeout: WHOLE_RUN_MS,
  }, async () => {
    const demo = startScript(DEMO, { args: ["--once", "--rules", await readOnlyRules()] });
    const end = await demo.exited;

    const output = demo.output();
    expect({ ...end, output }).toEqual({ code: 1, signal: null, output });
    expect(output).toMatch(/jobGroup 31 -> locked\.public\.orders \(load\): failed: .*answered 4\d\d/);
    expect(demo.output()).toContain("Published 0 of 4 tasks of 4 job groups.");
    await expectNothingLeft(demo.output());
  });

  test("goes on until Ctrl-C, beside a program that has its port", { timeout: WHOLE_RUN_MS }, async () => {
    await holdPort(3000);
    const demo = startScript(DEMO);
    await demo.line(/: published$/, WHOLE_RUN_MS);
    expect(demo.output()).toMatch(/Board .*\/board \(port 3000 is taken\)/);

    demo.signal("SIGINT");
    demo.signal("SIGINT");
    const end = await demo.exited;
    const output = demo.output();
    expect({ ...end, output }).toEqual({ code: 0, signal: null, output });
    await expectNothingLeft(output);
  });

  test("says how it is used when an option is wrong", async () => {
    const demo = startScript(DEMO, { args: ["--twice"] });
    expect((await demo.exited).code).toBe(2);
    expect(demo.output()).toMatch(/Unknown option '--twice'[^]*Usage: npm run demo/);
  });
});

const task = (change: Partial<TaskView> = {}): TaskView => ({
  id: "jobgroup-31-2-public-orders",
  place: "sales.public.orders",
  action: "load",
  state: "submitted",
  ended: false,
  stage: "publishing",
  percent: 43,
  seenAt: 0,
  ...change,
});
const group = (...tasks: TaskView[]): GroupView => ({
  id: 31,
  name: "orders",
  stage: "Job group 31: 1 new publish task",
  ended: false,
  tasks,
});
const plain = { columns: 80, colour: false, unicode: false };

describe("a row of the list", () => {
  test("says stage, percent and time in words, whatever the terminal can show", () => {
    const rows = rowsOf(group(task()), 2_100, plain);
    expect(rows).toEqual([
      "jobGroup 31 (orders)  Job group 31: 1 new publish task",
      "  > sales.public.orders  ####------  43%  2.1 s  publishing",
    ]);
  });

  test("never is wider than the terminal, in colour or without", () => {
    const failed = task({ state: "failed", ended: true, stage: "failed", words: "No ".repeat(60) });
    for (const columns of [20, 60, 80, 200]) {
      for (const colour of [true, false]) {
        for (const row of rowsOf(group(task(), failed), 0, { ...plain, columns, colour })) {
          expect(withoutColour(row).length).toBeLessThanOrEqual(columns);
        }
      }
    }
  });

  test("colours nothing that the words do not say", () => {
    const look = { ...plain, colour: true };
    const [, row = ""] = rowsOf(group(task({ state: "parked", ended: true, stage: "parked" })), 0, look);
    expect(row).toContain("\u001b[33m");
    expect(withoutColour(row)).toMatch(/! sales.*parked/);
  });
});

describe("the screen", () => {
  test("draws over what is under way, and never over what has ended", () => {
    const output = terminal();
    const screen = createLiveScreen(output, { colour: false, unicode: false });
    screen.update([group(task({ percent: 10 }))]);
    screen.say("hello");
    screen.update([group(task({ percent: 50 }))]);
    screen.ended(group(task({ state: "published", ended: true, stage: "published", percent: 100 })));
    screen.say("bye");
    screen.close();
    expect(output.seen().map((row) => row.replace(/ +[\d.]+ s/, ""))).toEqual([
      "hello",
      "jobGroup 31 (orders)  Job group 31: 1 new publish task",
      "  + sales.public.orders  ########## 100%  published",
      "bye",
    ]);
  });

  test("of a pipe is a line for each change", () => {
    let text = "";
    const screen = createPlainScreen({ write: (more: string) => (text += more) }, Date.now());
    for (const percent of [43, 43, 80]) screen.update([group(task({ percent }))]);
    expect(text.split("\n").map((line) => line.replace(/^ *[\d.]+ s {2}/, ""))).toEqual([
      "jobGroup 31 (orders): Job group 31: 1 new publish task",
      "jobGroup 31 -> sales.public.orders (load): publishing 43%",
      "jobGroup 31 -> sales.public.orders (load): publishing 80%",
      "",
    ]);
  });
});

// oxlint-disable-next-line no-control-regex
const withoutColour = (text: string): string => text.replaceAll(/\u001b\[\d+m/g, "");

/** As much of a terminal as the list needs: lines, "up", and "clear to the end". */
function terminal() {
  const lines: string[] = [];
  let at = 0;
  return {
    columns: 80,
    rows: 24,
    write(text: string) {
      // oxlint-disable-next-line no-control-regex
      for (const part of text.split(/(\u001b\[[?\d]*[A-Za-z]|\n)/)) {
        // oxlint-disable-next-line no-control-regex
        const [, count, command] = /^\u001b\[([?\d]*)([A-Za-z])$/.exec(part) ?? [];
        if (command === "A") at -= Number(count);
        else if (command === "J") lines.length = at;
        else if (part === "\n") at++;
        else if (command === undefined && part !== "")
          lines[at] = part + (lines[at] ?? "").slice(part.length);
      }
    },
    seen: () => lines,
  };
}

/** Rules whose target the simulated platform refuses to write to. */
async function readOnlyRules(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-demo-rules-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "rules.yaml");
  await writeFile(
    file,
    [
      "version: 1",
      "targets: { locked: { connection: 5, schema: public } }",
      "rules:",
      "  - { name: all, when: all, publish: [{ target: locked, table: orders, action: load }] }",
    ].join("\n"),
  );
  return file;
}

/** Listens on a port, unless somebody does already. */
async function holdPort(port: number): Promise<void> {
  const server = createServer();
  await new Promise((resolve) =>
    server.once("error", resolve).listen(port, "127.0.0.1", () => resolve(undefined)),
  );
  releaseLater(async () => void server.close());
}

/** Neither its files nor its servers. */
async function expectNothingLeft(output: string): Promise<void> {
  const folder = /All files are in (\S+),/.exec(output)?.[1] ?? "";
  await expect(access(folder)).rejects.toThrow("ENOENT");
  const ports = [...output.matchAll(/(?:redis|http):\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) =>
    Number(port),
  );
  expect(new Set(ports).size).toBe(3);
  // Somebody else may have taken the preferred one.
  const own = [...new Set(ports)].filter((port) => port !== 3000);
  expect(await Promise.all(own.map(isOpen))).toEqual(own.map(() => false));
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const open = await new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
  });
  socket.destroy();
  return open;
}
