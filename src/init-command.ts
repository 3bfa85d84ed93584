import { stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Config } from "./config.ts";
import type { Said } from "./explain-command.ts";
import { checkWords, firstRules, type Tenant } from "./first-rules.ts";
import { type Look, PLAIN, shown, wrapped } from "./look.ts";
import { count } from "./pages/words.ts";
import { isSound, type SurveyedConnection, surveyConnections } from "./processors/survey-connections.ts";
import { surveyRecipes } from "./processors/survey-recipes.ts";
import { parseRules } from "./rules/parse-rules.ts";
import { withPlatform } from "./with-platform.ts";

/** A first file is to be read by a person. */
const RECIPES = 10;

/** What `init` was asked for. */
export interface InitArguments {
  /** Default: `RULES_FILE`. */
  readonly file?: string;
  /** Replace the file that is there. */
  readonly force: boolean;
  /** The connection that the rules publish to; default: the only one there is. */
  readonly connection?: number;
}

/**
 * Writes a first rules file from what the tenant has; needs no Redis. Throws when the file is there and is not to be
 * replaced, when there is no connection to publish to, or when the platform does not answer; nothing was written then.
 */
export async function runInit(args: InitArguments, config: Config, look: Look = PLAIN): Promise<Said> {
  const { force, file = config.rulesFile } = args;
  await refusePlace(file, force);
  const tenant = await surveyTenant(args, file, config);
  const text = firstRules(tenant);
  // What init writes has to be good, whatever names the tenant has: better to fail here than at a start.
  const { rules } = parseRules(text, file);
  await writeFile(file, text, { flag: force ? "w" : "wx" }).catch(explainWrite(file));
  const { recipes, chosen, enabled } = tenant;
  const target = rules.targets.find(({ connection }) => connection === chosen)?.name;
  const { paint } = look;
  const lines = [
    `${paint("good", "WRITTEN")}: ${file}: ${count(rules.targets.length, "target")}, ${count(recipes.length, "rule")}${recipes.length > 0 ? `, all to ${target}` : ""}.`,
    ...(recipes.length === 0
      ? ["No job group of a recipe is complete yet, so there is no rule: the file shows what one looks like."]
      : [enabled ? NEW_TABLES : `${paint("warn", "SWITCHED OFF")}: ${switchedOffWords(tenant)}`]),
    ...tellDoubts(tenant, paint),
    ...recipes.flatMap(({ id, hasAvro }) =>
      hasAvro === false
        ? [
            `${paint("warn", "NO AVRO")}: the last results of recipe ${id} have none, and Redshift needs it: add an Avro output to the recipe.`,
          ]
        : [],
    ),
    "Whether a connection may be written to is not known before something is published.",
    "",
    `Next: read the file, then  ${checkWords(file)}`,
  ];
  return { text: wrapped(lines, look).join("\n"), ok: true };
}

const NEW_TABLES = "Each rule makes a new table at each run and touches none that is there.";

/** What speaks against the chosen one; of the others the file tells it. */
function tellDoubts({ connections, chosen }: Tenant, paint: Look["paint"]): string[] {
  const doubtful = connections.filter(({ doubts }) => doubts.length > 0);
  const others = doubtful.filter(({ id }) => id !== chosen).map(({ id }) => id);
  const look = paint("warn", "LOOK");
  return [
    ...doubtful
      .filter(({ id }) => id === chosen)
      .flatMap(({ id, doubts }) => doubts.map((words) => `${look}: connection ${id}: ${shown(words)}.`)),
    ...(others.length > 0
      ? [
          `${look}: something speaks against ${others.length === 1 ? "connection" : "connections"} ${others.join(", ")}: the file says what.`,
        ]
      : []),
  ];
}

function switchedOffWords({ connections, chosen, named }: Tenant): string {
  const one = connections.find(({ id }) => id === chosen);
  if (one && !isSound(one)) {
    const why = `connection ${chosen} is not known to be good`;
    const several =
      named || connections.length === 1
        ? ""
        : `, and there are ${connections.length} Redshift connections (--force --connection <id> chooses one)`;
    return `${why}${several}, so no rule publishes until you have looked at it and taken each \`enabled: false\` out.`;
  }
  return `there are ${connections.length} Redshift connections, so no rule publishes until you choose its target and take its \`enabled: false\` out (or say --force --connection <id>).`;
}

function surveyTenant({ connection }: InitArguments, file: string, config: Config): Promise<Tenant> {
  return withPlatform(config, "init", async (platform, signal) => {
    const found = await surveyConnections(platform, signal);
    const named = found.find(({ id }) => id === connection);
    if (connection !== undefined && !named)
      throw new Error(`There is no connection ${connection}: publish-relay connections lists them`);
    if (named?.target === "no")
      throw new Error(
        `Connection ${named.id}: ${named.doubts.join("; ")}: name one that publish-relay connections lists`,
      );
    const connections = found.filter((one) => one.target === "yes" || one === named);
    // One that the platform does not reach is never chosen by itself while another one is there.
    const chosen = named ?? connections.find(isSound) ?? connections[0];
    if (!chosen) throw new Error(noConnection(found.filter(({ target }) => target === "unknown")));
    const recipes = await surveyRecipes(platform, RECIPES, signal);
    const enabled = isSound(chosen) && (named !== undefined || connections.length === 1);
    return {
      url: config.platform.url ?? "",
      file,
      connections,
      recipes,
      chosen: chosen.id,
      named: named !== undefined,
      enabled,
    };
  });
}

function noConnection(ofUnknownKind: readonly SurveyedConnection[]): string {
  if (ofUnknownKind.length === 0)
    return "The token's user sees no Redshift connection: make one in Designer Cloud, then do this again";
  const ids = ofUnknownKind.map(({ id }) => id).join(", ");
  return `The platform tells of no connection that it is a Redshift one; it does not tell the kind of ${ids}. If it is one of them: --connection <id>`;
}

/** Asked before the platform is, so that nobody waits for a refusal. */
async function refusePlace(file: string, force: boolean): Promise<void> {
  const there = await kindOf(file);
  if (there === "folder")
    throw new Error(`${file} is a folder: name a file in it, such as ${join(file, "rules.yaml")}`);
  if (there !== "nothing" && !force) throw new Error(alreadyThere(file));
  if (there !== "nothing") return;
  const folder = dirname(file);
  const above = await kindOf(folder);
  if (above === "nothing")
    throw new Error(`${file} cannot be written: there is no folder ${folder}: make it, or name another file`);
  if (above === "file")
    throw new Error(`${file} cannot be written: ${folder} is a file, no folder: name another file`);
}

async function kindOf(path: string): Promise<"folder" | "file" | "nothing"> {
  const there = await stat(path).catch(() => undefined);
  if (!there) return "nothing";
  return there.isDirectory() ? "folder" : "file";
}

const alreadyThere = (file: string): string =>
  `${file} is there already, and was left as it is: --force replaces it, or name another file`;

const explainWrite =
  (file: string) =>
  (error: unknown): never => {
    if (error instanceof Error && "code" in error && error.code === "EEXIST")
      throw new Error(alreadyThere(file));
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `${file} cannot be written: let this user write there, or name another file (${shown(why)})`,
    );
  };
