import { parseArgs } from "node:util";
import { settingsSchema } from "./settings.ts";
import { createSimulator } from "./simulator.ts";
import { webhookSchema } from "./webhook-task.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "3005" },
    host: { type: "string", default: "127.0.0.1" },
    "webhook-url": { type: "string" },
    "webhook-secret": { type: "string" },
    "webhook-scheme": { type: "string" },
    settings: { type: "string", default: "{}" },
    "open-control": { type: "boolean", default: false },
  },
});

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
