import { type Config, ConfigError } from "./config.ts";
import { createDesignerCloud, type WebhookTask } from "./designer-cloud/client.ts";
import { PlatformError } from "./errors.ts";
import type { Look } from "./look.ts";
import { DEFAULT_HEADER } from "./producers/signatures.ts";
import { tokenOf } from "./relay-platform.ts";
import { completeUrl } from "./webhook-url.ts";

/** What `webhook create` was asked for. */
export interface WebhookCreateArguments {
  readonly flow: number;
  readonly url: string;
  readonly name: string;
  readonly event: "success" | "done";
  /** Only tell what to type into the form. */
  readonly print: boolean;
  readonly json: boolean;
}

/** What came of it. */
export interface WebhookCreated {
  /** For people. */
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
  /** Where the task sends its reports. */
  readonly url: string;
  /** Absent: it was not created. */
  readonly webhookTaskId?: number;
}

const BODY = '{"jobId":"$jobId","jobStatus":"$jobStatus"}';

/**
 * Creates a flow's webhook task on the platform, or tells what to type into its form: when that was asked for, and when
 * the tenant has no such route. Throws when it failed; after an `unknown` failure it may have been created.
 */
export async function runWebhookCreate(
  args: WebhookCreateArguments,
  config: Config,
): Promise<WebhookCreated> {
  const { url, warnings } = completeUrl(args.url, config);
  const credential = credentialOf(config);
  if (args.print) return { lines: notCreated("as --print asks for", args, url, credential), url, warnings };
  const secret = config.webhook.secrets[0];
  if (credential.kind !== "none" && secret === undefined) {
    throw new ConfigError(["WEBHOOK_SECRETS is not set: the task gets the first of them"]);
  }
  const { url: baseUrl } = config.platform;
  if (!baseUrl)
    throw new ConfigError(["DESIGNER_CLOUD_URL is not set: there is no platform to create the task on"]);
  const token = tokenOf(config);
  const client = createDesignerCloud({ baseUrl, token: () => token.current(), tokenFrom: token.from });
  try {
    const { id } = await client.createWebhookTask(taskOf(args, url, credential, secret ?? ""));
    const lines = [
      `CREATED: webhook task ${id} "${args.name}" of flow ${args.flow} tells ${url}.`,
      "Press Test in the flow, or run it: the relay answers 200 to a test.",
    ];
    return { lines, url, warnings, webhookTaskId: id };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    if (hasNoRoute(error)) {
      const why = "this tenant has no route for it (POST /v4/webhookFlowTasks)";
      return { lines: notCreated(why, args, url, credential), url, warnings };
    }
    throw new Error(`${error.message}. ${whatNow(error, args)}`, { cause: error });
  } finally {
    await client.close();
  }
}

/** Tenants and the proxies before them say it in many ways. */
function hasNoRoute({ failure: { status, code } }: PlatformError): boolean {
  if (status === 405 || status === 501) return true;
  return (status === 404 || status === 410) && code !== "DataNotFoundException";
}

function whatNow({ failure }: PlatformError, { flow }: WebhookCreateArguments): string {
  switch (failure.next) {
    case "unknown":
      return `It may have been created: look at the webhook tasks of flow ${flow} before you do this again`;
    case "refused":
      return "It was not created; --print tells what to type into the form of the flow";
    case "gate":
    case "busy":
    case "retry":
    case "not-sent":
      return "It was not created: do it again when the platform answers";
  }
}

/** For people. */
export function tellWebhook({ lines, webhookTaskId }: WebhookCreated, { paint }: Look): string {
  const style = webhookTaskId === undefined ? "warn" : "good";
  return lines.join("\n").replace(/^(?:NOT )?CREATED/, (word) => paint(style, word));
}

/** As JSON, for scripts. */
export function toWebhookJson({ lines, warnings, url, webhookTaskId }: WebhookCreated): object {
  const created = webhookTaskId !== undefined;
  return { created, url, warnings, ...(created ? { webhookTaskId } : { form: lines }) };
}

/** How a request shows that it comes from the platform. */
type Credential =
  | { readonly kind: "signature" }
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "none" };

function credentialOf({ webhook: { scheme, header } }: Config): Credential {
  switch (scheme) {
    case "designer-cloud":
      return { kind: "signature" };
    case "header":
      return { kind: "header", name: header ?? DEFAULT_HEADER.header };
    case "none":
      return { kind: "none" };
    case "standard-webhooks":
    case "github":
      throw new ConfigError([
        `WEBHOOK_AUTH is ${scheme}, which Designer Cloud cannot send: set designer-cloud or header`,
      ]);
  }
}

function taskOf(
  args: WebhookCreateArguments,
  url: string,
  credential: Credential,
  secret: string,
): WebhookTask {
  return {
    name: args.name,
    flowId: args.flow,
    url,
    method: "post",
    triggerEvent: args.event === "success" ? "onJobSuccess" : "onJobDone",
    triggerObject: "any",
    body: BODY,
    headers: {
      "Content-Type": "application/json",
      ...(credential.kind === "header" && { [credential.name]: secret }),
    },
    ...(credential.kind === "signature" && { secretKey: secret }),
    sslVerification: true,
    retryOnFailure: true,
  };
}

/** The form, field by field. The secret is named, never shown: a terminal is kept in scrollbacks and logs. */
function notCreated(
  why: string,
  args: WebhookCreateArguments,
  url: string,
  credential: Credential,
): string[] {
  const secret = "the first of WEBHOOK_SECRETS";
  return [
    `NOT CREATED: ${why}. In Designer Cloud, open flow ${args.flow}, add a webhook task and type:`,
    `  Name:          ${args.name}`,
    `  URL:           ${url}`,
    "  Method:        POST",
    "  Header:        Content-Type: application/json",
    ...(credential.kind === "header" ? [`  Header:        ${credential.name}: <${secret}>`] : []),
    `  Body:          ${BODY}`,
    `  Secret key:    ${credential.kind === "signature" ? `<${secret}>` : "leave it empty"}`,
    `  Trigger:       ${args.event === "success" ? "when a job succeeds" : "when a job is done, whatever its outcome"}, any output`,
    "  SSL:           validate the certificate",
    "  Retry:         on failure",
    "Then press Test: the relay answers 200 and says what it understood.",
  ];
}
