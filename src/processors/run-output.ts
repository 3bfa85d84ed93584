/** What is asked of the platform to choose an output. */
export interface OutputPlatform {
  listRecent(
    limit: number,
    signal?: AbortSignal,
  ): Promise<readonly { readonly id: number; readonly recipeId?: number }[]>;
  listOutputs(
    jobGroupId: number,
    signal?: AbortSignal,
  ): Promise<{ readonly files: readonly { readonly uri: string; readonly isPrimaryOutput?: boolean }[] }>;
}

const RECENT = 50;

/**
 * The output that a run has to ask for so that its results have the format: none when the recipe's last results have it
 * by the recipe's own outputs. A run of the relay's tells nothing of these, for it may have asked for an output itself.
 * Rejects with `PlatformError` when the platform does not tell.
 */
export async function chooseOutput(
  { recipeId, format, path }: { readonly recipeId: number; readonly format?: string; readonly path?: string },
  {
    platform,
    startedBy,
    signal,
  }: {
    readonly platform: OutputPlatform;
    readonly startedBy: (jobGroupId: number) => Promise<string | undefined>;
    readonly signal: AbortSignal;
  },
): Promise<{ path: string; format: string } | NoOutput | undefined> {
  if (format === undefined) return undefined;
  const recent = (await platform.listRecent(RECENT, signal)).filter((group) => group.recipeId === recipeId);
  let own: (typeof recent)[number] | undefined;
  for (const group of recent) {
    if ((await startedBy(group.id)) !== undefined) continue;
    own = group;
    break;
  }
  const last = own ?? recent[0];
  const { files } = last ? await platform.listOutputs(last.id, signal) : { files: [] };
  if (own && files.some(({ uri }) => endingOf(uri) === format)) return undefined;
  if (path !== undefined) return { path, format };
  const primary = files.find(({ isPrimaryOutput }) => isPrimaryOutput) ?? files[0];
  if (primary) return { path: beside(primary.uri, format), format };
  const words = `Where the ${format} result is to be written cannot be told: recipe ${recipeId} has no results among the last ${RECENT} job groups. Say where as path.`;
  return { kind: "refused", mayRun: false, words };
}

/** Nothing can be asked for. */
interface NoOutput {
  readonly kind: "refused";
  readonly mayRun: false;
  readonly words: string;
}

const endingOf = (uri: string): string | undefined => /\.([^./]+)$/.exec(uri)?.[1]?.toLowerCase();

/** `s3://bucket/orders.csv` becomes `s3://bucket/orders.avro`; a folder gets the format behind its name. */
function beside(uri: string, format: string): string {
  const bare = uri.replace(/\/+$/, "");
  return `${endingOf(bare) === undefined ? bare : bare.slice(0, bare.lastIndexOf("."))}.${format}`;
}
