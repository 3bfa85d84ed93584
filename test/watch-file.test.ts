import { appendFile, mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type FileRead, readTextFile, watchFile, type WatchFileOptions } from "../src/watch-file.ts";
import { eventually } from "./support/eventually.ts";
import { releaseLater } from "./support/release.ts";

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "publish-relay-watch-"));
  releaseLater(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** What is told of the file, as it comes; by default it never looks by itself. */
async function listen(path: string, options: Partial<WatchFileOptions> = {}): Promise<FileRead[]> {
  const told: FileRead[] = [];
  const known = await readTextFile(path);
  const stop = watchFile(path, (read) => told.push(read), {
    known,
    everyMs: 600_000,
    settleMs: 100,
    ...options,
  });
  releaseLater(async () => stop());
  return told;
}

const text = (words: string): FileRead => ({ kind: "text", text: words });
const untilTold = (told: FileRead[], count: number) =>
  eventually(() => told.length >= count, { timeoutMs: 2_000, what: `${count} contents told` });

test("a file that is written in place is told", async () => {
  const path = join(await newFolder(), "rules.yaml");
  await writeFile(path, "one");
  const told = await listen(path);
  await writeFile(path, "two");
  await untilTold(told, 1);
  expect(told).toEqual([text("two")]);
});

test("so is one that an editor renames over the old one, time after time", async () => {
  const folder = await newFolder();
  const path = join(folder, "rules.yaml");
  await writeFile(path, "0");
  const told = await listen(path);
  for (const n of [1, 2, 3]) {
    await writeFile(join(folder, ".rules.yaml.swp"), String(n));
    await rename(join(folder, ".rules.yaml.swp"), path);
    await untilTold(told, n);
  }
  expect(told).toEqual(["1", "2", "3"].map(text));
});

test("so is a ConfigMap, whose files are links through a folder that is swapped", async () => {
  const folder = await newFolder();
  const path = join(folder, "rules.yaml");
  const put = async (name: string): Promise<void> => {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "rules.yaml"), name);
    await symlink(name, join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
  };
  await put("..2026_1");
  await symlink(join("..data", "rules.yaml"), path);
  const told = await listen(path);
  await put("..2026_2");
  await rm(join(folder, "..2026_1"), { recursive: true });
  await untilTold(told, 1);
  expect(told).toEqual([text("..2026_2")]);
});

test("a file that is written piece by piece is told when it is whole", async () => {
  const path = join(await newFolder(), "rules.yaml");
  await writeFile(path, "old");
  const told = await listen(path, { settleMs: 500 });
  await writeFile(path, "");
  for (const piece of ["a", "b", "c"]) await appendFile(path, piece);
  await untilTold(told, 1);
  expect(told).toEqual([text("abc")]);
});

test("a file that is written slowly is told when it has stood still, however often it is looked at", async () => {
  const path = join(await newFolder(), "rules.yaml");
  await writeFile(path, "old");
  const told = await listen(path, { settleMs: 300, everyMs: 20 });
  await writeFile(path, "");
  for (let piece = 0; piece < 12; piece++) {
    await appendFile(path, "x");
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  await untilTold(told, 1);
  expect(told).toEqual([text("x".repeat(12))]);
});

test("a file that is touched all the time is told within 1.5 s after its last piece, and never by half", async () => {
  const path = join(await newFolder(), "rules.yaml");
  await writeFile(path, "old");
  const told = await listen(path, { settleMs: 200 });
  const touching = setInterval(() => void utimes(path, new Date(), new Date()), 50);
  releaseLater(async () => clearInterval(touching));
  await writeFile(path, "half, ");
  await new Promise((resolve) => setTimeout(resolve, 600));
  await appendFile(path, "whole");
  await eventually(() => told.length > 0, { timeoutMs: 1_500, what: "the content told" });
  expect(told).toEqual([text("half, whole")]);
  // Nor is the next one missed.
  await writeFile(path, "next");
  await untilTold(told, 2);
  expect(told[1]).toEqual(text("next"));
});

test("a change that nobody tells of is found by looking", async () => {
  // The link's folder hears nothing of what happens to the file that it leads to.
  const [here, there] = [await newFolder(), await newFolder()];
  const path = join(here, "rules.yaml");
  await writeFile(join(there, "rules.yaml"), "one");
  await symlink(join(there, "rules.yaml"), path);
  const told = await listen(path, { everyMs: 100 });
  await writeFile(join(there, "rules.yaml"), "two");
  await untilTold(told, 1);
  expect(told).toEqual([text("two")]);
});

test("a file that goes, and comes back, is told both times; one that is only touched is not", async () => {
  const path = join(await newFolder(), "rules.yaml");
  await writeFile(path, "one");
  const told = await listen(path);
  await writeFile(path, "one");
  await rm(path);
  await untilTold(told, 1);
  await writeFile(path, "one");
  await untilTold(told, 2);
  expect(told).toEqual([{ kind: "absent" }, text("one")]);
});

test("a folder that is not there yet is looked into when it comes", async () => {
  const path = join(await newFolder(), "later", "rules.yaml");
  const told = await listen(path, { everyMs: 50 });
  await mkdir(join(path, ".."));
  await writeFile(path, "one");
  await untilTold(told, 1);
  expect(told).toEqual([text("one")]);
});
