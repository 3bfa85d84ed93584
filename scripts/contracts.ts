import { writeFile } from "node:fs/promises";
import { completionMessageSchema } from "../src/producers/contracts.ts";

// Writes the contracts in docs/contracts anew from the schemas that the relay checks with.
const path = new URL("../docs/contracts/completion-message.schema.json", import.meta.url);
await writeFile(path, `${JSON.stringify(completionMessageSchema(), null, 2)}\n`);
