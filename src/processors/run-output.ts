import type { RunDeps, RunOrder, RunResult } from "./run-recipe.ts";

const RECENT = 50;

/**
 * The output that a run has to ask for so that its results have the format: none when the recipe's last results have it.
 * Rejects with `PlatformError` when the platform does not tell.
 */
export async function chooseOutput(
  { recipeId, format, path }: RunOrder,
  { platform, signal }: Pick<RunDeps, "platform" | "signal">,
): Promise<{ path: string; format: string } | RunResult | undefined> {
  if (format === undefined) return undefined;
  if (path !== undefined) return { path, format };
  const recent = await platform.listRecent(RECENT, signal);
  const last = recent.find((group) => group.recipeId === recipeId);
  const { files } = last ? await platform.listOutputs(last.id, signal) : { files: [] };
  if (files.some(({ uri }) => endingOf(uri) === format)) return undefined;
  const primary = files.find(({ isPrimaryOutput }) => isPrimaryOutput) ?? files[0];
  if (primary) return { path: beside(primary.uri, format), format };
  const words = `Where the ${format} result is to be written cannot be told: recipe ${recipeId} has no results among the last ${RECENT} job groups. Say where as path.`;
  return { kind: "refused", words };
}

const endingOf = (uri: string): string | undefined => /\.([^./]+)$/.exec(uri)?.[1]?.toLowerCase();

/** `s3://bucket/orders.csv` becomes `s3://bucket/orders.avro`; a folder gets the format behind its name. */
function beside(uri: string, format: string): string {
  const bare = uri.replace(/\/+$/, "");
  return `${endingOf(bare) === undefined ? bare : bare.slice(0, bare.lastIndexOf("."))}.${format}`;
}
