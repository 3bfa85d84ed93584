import { parseArgs } from "node:util";
import { settingsSchema } from "./settings.ts";
import { createSimulator } from "./simulator.ts";
import { webhookSchema } from "./webhook-task.ts";

const USAGE = `Usage: npm run simulator -- [options]

A Designer Cloud to try the relay on; simulator/README.md tells the rest.

  --port <port>            3005; 0 is a free one
  --host <address>         127.0.0.1
  --webhook-url <url>      where reports of finished jobs are sent (default: nowhere)
  --webhook-secret <text>  what they are signed with
  --webhook-scheme <name>  designer-cloud (default), header or none
  --settings <json>        as POST /_control/settings takes them
  --open-control           let other machines use /_control
  -h, --help               this
`;

const OPTIONS = {
  help: { type: "boolean", short: "h", default: false },
  port: { type: "string", default: "3005" },
  host: { type: "string", default: "127.0.0.1" },
  "webhook-url": { type: "string" },
  "webhook-secret": { type: "string" },
  "webhook-scheme": { type: "string" },
  settings: { type: "string", default: "{}" },
  "open-control": { type: "boolean", default: false },
} as const;

function readArguments() {
  try {
    return parseArgs({ options: OPTIONS }).values;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return process.exit(2);
  }
}

const values = readArguments();
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}

const simulator = createSimulator({
  port: Number(values.port),
  host: values.host,
  openControl: values["open-control"],
  settings: settingsSchema.parse(JSON.parse(values.settings)),
  webhook: webhookSchema.parse({
    ...(values["webhook-url"] && { url: values["webhook-url"] }),
    ...(values["webhook-secret"] && { secret: values["webhook-secret"] }),
    ...(values["webhook-scheme"] && { scheme: values["webhook-scheme"] }),
  }),
});

const url = await simulator.start();
process.stdout.write(
  `Designer Cloud, simulated, at ${url} (token simulator-token, control at ${url}/_control)\n`,
);
process.stdout.write(`${JSON.stringify({ ready: true, url, pid: process.pid })}\n`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    simulator.stop().catch(() => process.exit(1));
  });
}
