import { createHash } from "node:crypto";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";

const nameOf = (name: string, text: string, ending: string): string =>
  `/pages/${name}-${createHash("sha256").update(text).digest("hex").slice(0, 12)}.${ending}`;

export const STYLE_PATH = nameOf("style", STYLE, "css");
export const SCRIPT_PATH = nameOf("refresh", SCRIPT, "js");

/** The files of the pages, by their paths: a name changes with its content, so they may be kept for ever. */
export const ASSETS: ReadonlyMap<string, { readonly type: string; readonly text: string }> = new Map([
  [STYLE_PATH, { type: "text/css; charset=utf-8", text: STYLE }],
  [SCRIPT_PATH, { type: "text/javascript; charset=utf-8", text: SCRIPT }],
]);
