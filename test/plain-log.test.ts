import { expect, test } from "vitest";
import { createLook, type Look, PLAIN } from "../src/look.ts";
import { createPlainLog } from "../src/plain-log.ts";
import { startScript } from "./support/processes.ts";
import { openSite } from "./support/relay.ts";

const MAIN = new URL("../src/main.ts", import.meta.url);

function logTo(look: Look, secrets?: readonly string[]) {
  let text = "";
  const log = createPlainLog({ write: (more) => (text += more) }, look, secrets);
  return { log, text: () => text };
}

test("warnings and errors are lines of plain words, with why and about what; the rest is not said", () => {
  const { log, text } = logTo(PLAIN);
  log.info("new rules are in force");
  log.warn("rules.yaml:7:3 targets.spare: no rule publishes to it");
  log.warn({ err: new Error("connect ECONNREFUSED") }, "Redis cannot be reached: trying again");
  log.error({ connection: "work", audit: { who: "ada" } }, "it does not answer");
  expect(text().split("\n")).toEqual([
    "warning: rules.yaml:7:3 targets.spare: no rule publishes to it",
    "warning: Redis cannot be reached: trying again: connect ECONNREFUSED",
    'error: it does not answer (connection work, audit {"who":"ada"})',
    "",
  ]);
});

test("on a terminal the kind is painted, and nothing that others wrote moves the cursor", () => {
  const { log, text } = logTo(createLook({ isTTY: true }, undefined));
  log.warn("no target \u001b[2J\u202edlo");
  expect(text()).toBe("\u001b[33mwarning:\u001b[39m no target  [2J‹U+202E›dlo\n");
});

test("a secret is in no line", () => {
  const { log, text } = logTo(PLAIN, ['s3"cret']);
  log.warn({ header: 'x s3"cret' }, 'refused s3"cret');
  expect(text()).toBe("warning: refused *** (header x ***)\n");
});

test("a command tells the warnings of the rules file in plain words; the relay itself logs JSON", async () => {
  const spare = { connection: 2, schema: "public" };
  const publish = [{ target: "sales", table: "orders", action: "create" }];
  const rules = [{ name: "orders", when: { recipe: 27 }, publish }];
  const site = await openSite({ rules: { targets: { sales: spare, spare }, rules } });
  const command = startScript(MAIN, { args: ["replay", "31"], env: site.env });
  const relay = startScript(MAIN, { args: ["start"], env: { ...site.env, PORT: "0" } });
  await command.exited;
  expect(command.output()).toMatch(/^warning: rules\.yaml:\d+:\d+.*spare/m);
  expect(command.output()).not.toMatch(/^\{/m);
  const [line] = await relay.line(/^\{.*spare.*\}$/m);
  expect(JSON.parse(line)).toMatchObject({ level: 40 });
  await relay.kill();
});
