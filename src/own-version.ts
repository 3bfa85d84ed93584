import { readFileSync } from "node:fs";

/** The version of this program; `package.json` lies beside the folder of this file in the sources and in what is built. */
export function ownVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return version;
}
