import { z } from "zod";
import { type Answer, exception } from "./answer.ts";
import type { JobGroup } from "./platform.ts";
import type { World } from "./world.ts";

const bodySchema = z.looseObject({
  connection: z.looseObject({ id: z.int() }),
  path: z.array(z.string().min(1)).length(1, "path holds the schema alone"),
  table: z.string().min(1),
  action: z.enum(["create", "load", "createAndLoad", "truncateAndLoad", "dropAndLoad", "upsert"]),
  inputFormat: z.string().min(1),
  flowNodeId: z.int().exactOptional(),
});

/** `PUT /v4/jobGroups/{id}/publish`: what must be so before the rules on repeated publishes are asked. */
export function publishRoute(group: JobGroup, body: unknown, mayPublish: boolean, world: World): Answer {
  if (!mayPublish) {
    return exception(
      403,
      "AccessControlException",
      "You do not have the permission to publish",
      "missing scope",
    );
  }
  const parsed = bodySchema.safeParse(body);
  if (!parsed.success) {
    return exception(400, "ApiValidationFailed", "The request is not valid", z.prettifyError(parsed.error));
  }
  const { path, table, action, inputFormat, flowNodeId } = parsed.data;
  const connection = world.platform.connections.get(parsed.data.connection.id);
  if (connection === undefined) {
    return exception(
      400,
      "DataNotFoundException",
      "Connection not found",
      `No connection ${parsed.data.connection.id}`,
    );
  }
  if (!connection.write) {
    return exception(403, "AccessControlException", `Connection ${connection.id} does not allow writing`);
  }
  if (group.ranfor !== "recipe" || group.status !== "Complete") {
    return invalid(`Job group ${group.id} has no results to publish: ${group.ranfor}, ${group.status}`);
  }
  if (flowNodeId !== undefined && flowNodeId !== group.recipeId) {
    return invalid(`Job group ${group.id} did not run from flow node ${flowNodeId}`);
  }
  if (connection.vendor === "redshift" && inputFormat !== "avro") {
    return invalid("Redshift takes Avro results: inputFormat must be avro");
  }
  if (!group.formats.includes(inputFormat))
    return invalid(`Job group ${group.id} has no ${inputFormat} results`);

  const where = { connection: connection.id, schema: path[0]!, table };
  return world.publishing.request({ ...where, jobGroupId: group.id, action, by: "api" }, () =>
    world.faults.ofPublish({ on: "publish", jobGroupId: group.id, connection: connection.id, table }),
  );
}

function invalid(message: string): Answer {
  return exception(400, "DataServiceInvalidRequest", message);
}
