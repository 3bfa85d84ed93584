import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { Writable } from "node:stream";
import { hashPassword } from "./http/password-hash.ts";

/** Where a password comes from. */
export type PasswordSource = Readable & { readonly isTTY?: boolean };

const MAX_LENGTH = 1_024;

/**
 * Reads a password, hidden from a terminal or the first line of what is piped in, and resolves to `name:hash` for
 * BOARD_OPERATORS or BOARD_VIEWERS. Throws when there is none, or the two that were typed differ.
 */
export async function runHashPassword(
  name: string,
  source: PasswordSource,
  say: (text: string) => void,
): Promise<string> {
  const password = source.isTTY === true ? await askTwice(name, source, say) : await readLine(source);
  if (password === "") throw new Error("No password came: type one, or pipe it in.");
  if (password.length > MAX_LENGTH) throw new Error(`The password is longer than ${MAX_LENGTH} characters.`);
  return `${name}:${await hashPassword(password)}`;
}

async function readLine(source: Readable): Promise<string> {
  const [line = "", ...more] = (await text(source)).split(/\r?\n/);
  if (more.some((other) => other !== "")) throw new Error("More than one line came: pipe in one password.");
  return line;
}

async function askTwice(name: string, source: Readable, say: (text: string) => void): Promise<string> {
  const first = await ask(`Password of ${name}: `, source, say);
  const second = await ask("The same once more: ", source, say);
  if (first !== second) throw new Error("The two are not the same: start again.");
  return first;
}

function ask(prompt: string, input: Readable, say: (text: string) => void): Promise<string> {
  // Readline would write what is typed.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const line = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  say(prompt);
  return new Promise((resolve, reject) => {
    let typed: string | undefined;
    line.once("line", (given) => {
      typed = given;
      line.close();
    });
    line.once("SIGINT", () => line.close());
    line.once("close", () => {
      say("\n");
      if (typed === undefined) reject(new Error("No password was typed."));
      else resolve(typed);
    });
  });
}
