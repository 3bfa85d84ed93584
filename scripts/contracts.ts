import { writeFile } from "node:fs/promises";
import { completionMessageSchema } from "../src/producers/contracts.ts";
import { rulesFileSchema } from "../src/rules/contract.ts";

// Writes the contracts in docs/contracts anew from the schemas that the relay checks with.
const contracts = { "completion-message": completionMessageSchema(), rules: rulesFileSchema() };
for (const [name, schema] of Object.entries(contracts)) {
  const path = new URL(`../docs/contracts/${name}.schema.json`, import.meta.url);
  await writeFile(path, `${JSON.stringify(schema, null, 2)}\n`);
}
