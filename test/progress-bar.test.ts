import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { createProgressBar } from "../src/progress-bar.ts";
import { eventually } from "./support/eventually.ts";

const WIPED = "\u001b[1G\u001b[2K";

function pretend(isTTY: boolean) {
  const written: string[] = [];
  const out = new Writable({
    decodeStrings: false,
    write: (text: string, _encoding, done) => {
      written.push(text);
      done();
    },
  });
  return { out: Object.assign(out, { isTTY, columns: 80 }), text: () => written.join("") };
}

test("a terminal is shown how far it is, on one line that is wiped away at the end", async () => {
  const { out, text } = pretend(true);
  const bar = createProgressBar(out);
  bar.draw("looked at", 1, 2);
  expect(stripVTControlCharacters(text())).toContain(
    "[###############---------------] 1 of 2 job groups looked at",
  );
  bar.waits(11_200, 1, 2);
  await eventually(() =>
    stripVTControlCharacters(text()).includes("1 of 2 job groups (quota used up: 12 s)"),
  );
  bar.draw("replayed", 4, 4);
  bar.end();
  expect(stripVTControlCharacters(text())).toContain(`[${"#".repeat(30)}] 4 of 4 job groups replayed`);
  expect(text()).not.toContain("\n");
  expect(text().endsWith(WIPED)).toBe(true);
});

test("a replay that was over before anything was drawn leaves the terminal as it was", () => {
  const { out, text } = pretend(true);
  createProgressBar(out).end();
  expect(text()).toBe("");
});

test("what is no terminal is shown nothing but what is waited for", () => {
  const { out, text } = pretend(false);
  const bar = createProgressBar(out);
  bar.draw("looked at", 1, 2);
  bar.waits(11_200, 1, 2);
  bar.end();
  expect(text()).toBe("The platform's quota is used up: waits 12 s\n");
});
