import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createTokenSource } from "../src/designer-cloud/token.ts";
import { releaseLater } from "./support/release.ts";

async function tokenFile(text?: string) {
  const folder = await mkdtemp(join(tmpdir(), "token-"));
  releaseLater(() => rm(folder, { recursive: true }));
  const file = join(folder, "token");
  if (text !== undefined) await writeFile(file, text);
  let nowMs = 0;
  const source = createTokenSource({ file, now: () => nowMs });
  return { file, source, later: () => (nowMs += 1_000) };
}

test("a token that was set is handed out, trimmed", async () => {
  expect(await createTokenSource({ token: " abc\n" }).current()).toBe("abc");
});

test("no token at all says what to set", async () => {
  await expect(createTokenSource({}).current()).rejects.toThrow(/set DESIGNER_CLOUD_TOKEN/);
  await expect(createTokenSource({ token: " " }).current()).rejects.toThrow(/set DESIGNER_CLOUD_TOKEN/);
});

test("a replaced file is noticed within a second", async () => {
  const { file, source, later } = await tokenFile("first\n");
  expect(await source.current()).toBe("first");
  await writeFile(file, "second");
  expect(await source.current()).toBe("first");
  later();
  expect(await source.current()).toBe("second");
});

test("a refused token is looked up again at once", async () => {
  const { file, source } = await tokenFile("first");
  await source.current();
  await writeFile(file, "second");
  source.refresh();
  expect(await source.current()).toBe("second");
});

test("a file that is empty for a moment leaves the last token in use, until that is refused", async () => {
  const { file, source, later } = await tokenFile("first");
  await source.current();
  await writeFile(file, "");
  later();
  expect(await source.current()).toBe("first");
  source.refresh();
  await expect(source.current()).rejects.toThrow(/holds no access token/);
  await writeFile(file, "second");
  expect(await source.current()).toBe("second");
});

test("a file that is not there says so", async () => {
  const { file, source } = await tokenFile();
  await expect(source.current()).rejects.toThrow(`cannot read the access token from ${file} (ENOENT)`);
});
