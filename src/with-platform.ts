import { type Config, ConfigError } from "./config.ts";
import { createDesignerCloud, type DesignerCloud } from "./designer-cloud/client.ts";
import { PlatformError } from "./errors.ts";
import { explainAddress } from "./processors/check-live.ts";
import { tokenOf } from "./relay-platform.ts";

/** An address that is not the platform's is told as that: what came of the call alone misleads. */
function explained(error: unknown, baseUrl: string): unknown {
  if (!(error instanceof PlatformError) || error.failure.address === undefined) return error;
  return new PlatformError(
    `${baseUrl}: ${explainAddress(error.failure.address, error.message)}`,
    error.failure,
  );
}

/** For all questions of one command together. */
const WITHIN_MS = 120_000;

/** Opens the platform for one command, which asks it past the gate. Throws `ConfigError` when a setting is missing. */
export async function withPlatform<T>(
  config: Config,
  what: string,
  use: (platform: DesignerCloud, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { url: baseUrl, token, tokenFile } = config.platform;
  if (!baseUrl) throw new ConfigError([`DESIGNER_CLOUD_URL is not set: ${what} asks the platform`]);
  if (!token && !tokenFile)
    throw new ConfigError([`DESIGNER_CLOUD_TOKEN is not set: ${what} asks the platform with it`]);
  const source = tokenOf(config);
  const client = createDesignerCloud({ baseUrl, token: () => source.current(), tokenFrom: source.from });
  try {
    return await use(client, AbortSignal.timeout(WITHIN_MS));
  } catch (error) {
    throw explained(error, baseUrl);
  } finally {
    await client.close();
  }
}
