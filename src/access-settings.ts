import { z } from "zod";
import { type Account, ANYBODY } from "./http/accounts.ts";
import { HASH_MARK, readPasswordHash } from "./http/password-hash.ts";
import { readRange } from "./http/trusted-proxies.ts";

/** A setting that lists, separated by commas; unset, or of commas alone: nothing. */
export const list = z
  .string()
  .default("")
  .transform((value) =>
    value
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  );

const accounts = list.transform((given, context) => {
  const found: Account[] = [];
  const wrong = (message: string): void => context.addIssue({ code: "custom", message });
  for (const part of given) {
    const [, name = "", , password] = /^([^:]+)(:(.+))?$/.exec(part) ?? [];
    if (name === "") wrong("must be name:password pairs, separated by commas");
    else if (password?.startsWith(HASH_MARK) && !readPasswordHash(password))
      wrong(`has a password that begins with ${HASH_MARK} and is no hash of publish-relay hash-password`);
    else if (password !== undefined && name === ANYBODY) wrong(`must not give ${ANYBODY} a password`);
    else found.push({ name, ...(password !== undefined && { password }) });
  }
  return found;
});

/** Headers that say something else of a request. */
const NO_NAMES =
  /^(?:authorization|cookie|host|origin|referer|content-.*|sec-.*|x-forwarded-(?:for|host|proto|port))$/;

/** The settings that say who may do what on the pages and the board. */
export const accessSettings = {
  BOARD_OPERATORS: accounts,
  BOARD_VIEWERS: accounts,
  BOARD_DANGEROUS: z
    .enum(["true", "false"], { error: "must be true or false" })
    .default("false")
    .transform((value) => value === "true"),
  AUTH_PROXY_HEADER: z
    .string()
    .trim()
    .toLowerCase()
    .regex(/^[a-z0-9-]+$/, "must be the name of a header")
    .refine((name) => !NO_NAMES.test(name), "must be a header that names a person, like X-Forwarded-Email")
    .optional(),
  TRUST_PROXY: list.refine(
    (ranges) => ranges.every((range) => readRange(range) !== undefined),
    "must be addresses or ranges like 10.0.0.7, 10.1.0.0/16 or fd00::/8, separated by commas, and none wider than /8 (IPv6: /16, or fd00::/8)",
  ),
};

/**
 * What of the environment does not fit together, one line each with the setting's name first. What is wrong by itself
 * is told elsewhere.
 */
export function accessProblems(env: Readonly<Record<string, unknown>>): string[] {
  const parsed = z.object(accessSettings).safeParse(env);
  if (!parsed.success) return [];
  const { BOARD_OPERATORS: operators, BOARD_VIEWERS: viewers, AUTH_PROXY_HEADER: header } = parsed.data;
  const bare = (all: readonly Account[]): boolean => all.some(({ password }) => password === undefined);
  const lines = [
    operators.some(({ name }) => name === ANYBODY) &&
      `BOARD_OPERATORS must name each operator: ${ANYBODY} is for BOARD_VIEWERS alone`,
    header === undefined &&
      bare(operators) &&
      "BOARD_OPERATORS must be name:password pairs, separated by commas; names alone need AUTH_PROXY_HEADER",
    header === undefined &&
      bare(viewers) &&
      "BOARD_VIEWERS must be name:password pairs, separated by commas; names alone need AUTH_PROXY_HEADER",
    header !== undefined &&
      parsed.data.TRUST_PROXY.length === 0 &&
      "AUTH_PROXY_HEADER is set without TRUST_PROXY: set that to the addresses of the proxy, or nobody would be believed",
    header !== undefined &&
      !bare(operators) &&
      !bare(viewers) &&
      `AUTH_PROXY_HEADER is set, and no name without a password is in BOARD_OPERATORS or BOARD_VIEWERS: name whom the proxy may pass (${ANYBODY} in BOARD_VIEWERS: everybody)`,
  ];
  return lines.filter((line) => line !== false);
}
