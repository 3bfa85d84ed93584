import { type Demo, PREFERRED_PORT } from "./open-demo.ts";
import { allPublished, type GroupView } from "./views.ts";

export const USAGE = `Usage: npm run demo [-- [--once] [--rules FILE]]

  --once         end when the tasks of the first jobs have ended: 0 if all are published, 1 if not
  --rules FILE   rules to go by; default examples/rules.yaml
`;

/** What runs, and where. */
export function banner(demo: Demo, rulesFile: string, once: boolean): string {
  const { relayUrl, simulator, redisUrl, folder, logFile } = demo;
  const why = relayUrl.endsWith(`:${PREFERRED_PORT}`) ? "" : ` (port ${PREFERRED_PORT} is taken)`;
  return `
publish-relay, with Designer Cloud simulated. ${once ? "Ends by itself." : "Ctrl-C ends it."}

  Board      ${relayUrl}/board${why}
  Webhooks   ${relayUrl}/webhooks/designer-cloud
  Rules      ${rulesFile}
  Simulator  ${simulator.url} (what it can do: simulator/README.md)
  Redis      ${redisUrl}, of its own
  Log        ${logFile}

All files are in ${folder}, which is removed at the end.
Four jobs are about to finish. A signed webhook tells the relay of three; the fourth's never comes, and the poller
finds that job 5 s after its end.
`;
}

/** Commands that show more, ready to paste. */
export function toTryNext({ relayUrl, simulator, apiToken }: Demo): string {
  const control = `${simulator.url}/_control`;
  return `
The tasks of the first jobs have ended. From now on another job finishes every 10 s.
To try next, in another terminal:

  # Look at the board
  ${relayUrl}/board
  # The whole story of one job group
  curl -H 'Authorization: Bearer ${apiToken}' ${relayUrl}/v1/job-groups/31
  # Ten jobs at once: each target keeps its own pace
  curl -d '{"recipeId":27,"count":10}' ${control}/job-groups
  # The platform throttles: everything waits, nothing is lost
  curl -d '{"kind":"status","status":429,"retryAfterSeconds":5,"times":1}' ${control}/faults
  # A publish is applied and its answer lost: it is found again, not sent twice
  curl -d '{"kind":"apply-and-drop","on":"publish","times":1}' ${control}/faults
  # Job groups whose rows stand twice in a table: none
  curl ${control}/twice
`;
}

/** How it went, in one line. */
export function summary(groups: readonly GroupView[] | undefined): string {
  const warnings = " The relay's last warnings, if any:";
  if (!groups) return `\nNot all tasks have ended.${warnings}`;
  const tasks = groups.flatMap((group) => group.tasks);
  const published = tasks.filter(({ state }) => state === "published").length;
  const words = `\nPublished ${published} of ${tasks.length} tasks of ${groups.length} job groups.`;
  return allPublished(groups) ? words : `${words}${warnings}`;
}
