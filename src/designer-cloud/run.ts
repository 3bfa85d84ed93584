import { PlatformError } from "../errors.ts";
import { idAnswer } from "./answers.ts";
import { type CallDeps, callPlatform } from "./call.ts";

/** A run of a recipe. Source: POST /v4/jobGroups. Overrides are not validated: a wrong one fails the job later. */
export interface RunRequest {
  readonly recipeId: number;
  readonly parameters: Readonly<Record<string, string>>;
  /** Written in place of the recipe's own outputs. */
  readonly output?: { readonly path: string; readonly format: string };
}

/** `ran already`: this execution id was used before, and nothing was started. */
export type RunStarted =
  | { readonly kind: "started"; readonly jobGroupId: number }
  | { readonly kind: "ran already" };

/** Sends the POST at most once. After a failure `unknown` it may be sent again with the same execution id, and only so. */
export async function startRun(
  deps: CallDeps,
  { recipeId, parameters, output }: RunRequest,
  executionId: string,
  signal?: AbortSignal,
): Promise<RunStarted> {
  const data = Object.entries(parameters).map(([key, value]) => ({ key, value }));
  const body = JSON.stringify({
    wrangledDataset: { id: recipeId },
    ...(output && { overrides: { writesettings: [{ ...output, ...AS_NEW_FILE }] } }),
    ...(data.length > 0 && { runParameters: { overrides: { data } } }),
  });
  const name = { kind: "run", method: "POST", path: "/v4/jobGroups" } as const;
  const headers = { "x-execution-id": executionId };
  try {
    // A parameter may be a secret, and a platform that refuses may repeat what it was sent.
    const secrets = Object.values(parameters);
    const { value } = await callPlatform(deps, name, idAnswer, { body, headers, signal, secrets });
    return { kind: "started", jobGroupId: value.id };
  } catch (error) {
    if (error instanceof PlatformError && error.failure.status === 304) return { kind: "ran already" };
    throw error;
  }
}

const AS_NEW_FILE = { action: "create", compression: "none", header: false, asSingleFile: false };
