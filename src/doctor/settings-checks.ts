import { stat } from "node:fs/promises";
import type { Config } from "../config.ts";
import { missingSettings } from "../config-summary.ts";
import { readTextFile } from "../watch-file.ts";
import { type DoctorFinding, findingsOf } from "./finding.ts";

const { ok, warning, error } = findingsOf("settings");

/** What to do where the words of a missing setting do not say it. */
const ADVICE: Readonly<Record<string, string>> = {
  DESIGNER_CLOUD_URL: "Set it to the address of your tenant.",
  DESIGNER_CLOUD_TOKEN: "Make an access token in Designer Cloud, and set it.",
  WEBHOOK_SECRETS: "Set it to a secret (openssl rand -hex 32 makes one) and give it to the flow's webhook.",
  WEBHOOK_AUTH: "Set WEBHOOK_SECRETS and a scheme, or let nobody else reach the port.",
  API_TOKENS: "Set it if backend services or scripts use /v1; leave it if none does.",
  BOARD_OPERATORS: "Set it, or BOARD_VIEWERS (publish-relay hash-password makes an entry).",
};

/** Are the settings there that a relay with these ROLES needs, and can the file with the token be used? */
export async function checkSettings(config: Config): Promise<DoctorFinding[]> {
  const missing = missingSettings(config).map((words) => {
    const [name = ""] = words.split(" ");
    return warning(name, words, ADVICE[name]);
  });
  const { tokenFile } = config.platform;
  return [
    ...(missing.length > 0
      ? missing
      : [ok("set", "no setting is missing that a relay with these ROLES needs")]),
    ...(tokenFile === undefined ? [] : [await checkTokenFile(tokenFile)]),
  ];
}

const TOKEN_FILE = "DESIGNER_CLOUD_TOKEN_FILE";
/** Everybody on this machine may read it. */
const OTHERS_READ = 0o004;

async function checkTokenFile(path: string): Promise<DoctorFinding> {
  const read = await readTextFile(path);
  switch (read.kind) {
    case "absent":
      return error(
        TOKEN_FILE,
        `${path} is not there`,
        "Put the access token into it, or correct the setting.",
      );
    case "unreadable":
      return error(
        TOKEN_FILE,
        `${path} cannot be read: ${read.words}`,
        "Name a file that this user may read.",
      );
    case "text":
      break;
  }
  const token = read.text.trim();
  if (token === "")
    return error(TOKEN_FILE, `${path} is empty`, "Put the access token into it, and nothing else.");
  if (!/^[\x21-\x7e]+$/.test(token))
    return error(
      TOKEN_FILE,
      `${path} holds more than a token: there are spaces, lines or other characters in it that a token has not`,
      "Put the access token into it, and nothing else.",
    );
  const mode = await stat(path).then(
    (found) => found.mode,
    () => 0,
  );
  if ((mode & OTHERS_READ) !== 0)
    return warning(TOKEN_FILE, `every user of this machine may read ${path}`, `Close it: chmod o-r ${path}`);
  return ok(TOKEN_FILE, `${path} holds one word, and other users of this machine may not read it`);
}
