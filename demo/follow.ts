import { QueueEvents } from "bullmq";
import { keysOf, publishQueue } from "../src/queues/names.ts";
import { type GroupView, type Picture, pictureSchema, type Story, storySchema, viewOf } from "./views.ts";

export interface Follow {
  /** Follows a job group until its tasks have ended, and answers how they did. */
  track(jobGroupId: number, name?: string): Promise<GroupView>;
  close(): Promise<void>;
}

export interface FollowOptions {
  readonly relayUrl: string;
  readonly apiToken: string;
  readonly redisUrl: string;
  readonly namespace: string;
  /** The targets of the rules file. */
  readonly targets: readonly string[];
  /** Told of all job groups that are under way, whenever one of them may look different. */
  readonly onChange: (underWay: readonly GroupView[]) => void;
  /** Told once of each job group whose tasks have ended. */
  readonly onEnded: (group: GroupView) => void;
}

interface Tracked {
  readonly name: string | undefined;
  readonly seenAt: Map<string, number>;
  readonly ended: Promise<GroupView>;
  readonly end: (view: GroupView) => void;
  story: Story | undefined;
}

const LOOK_EVERY_MS = 250;

/**
 * Follows job groups from outside, as any client could: how a task stands comes from the relay's API, the picture
 * of its progress from BullMQ's events. Job groups that somebody else reports are followed too.
 */
export async function createFollow(options: FollowOptions): Promise<Follow> {
  const { relayUrl, apiToken, onChange, onEnded } = options;
  const tracked = new Map<number, Tracked>();
  const seen = new Set<number>();
  const pictures = new Map<string, Picture>();

  const track = (id: number, name?: string): Promise<GroupView> => {
    const group = tracked.get(id) ?? newTracked(name);
    tracked.set(id, group);
    seen.add(id);
    return group.ended;
  };
  const view = (id: number, group: Tracked): GroupView => viewOf({ id, pictures, ...group });
  const changed = (): void => onChange([...tracked].map(([id, group]) => view(id, group)));

  const closeEvents = await listen(options, {
    added: (id) => {
      if (!seen.has(id)) void track(id);
    },
    progress: (taskId, picture) => {
      // That it ended is the record's to say.
      if (picture.progress === 100) return;
      pictures.set(taskId, picture);
      changed();
    },
  });

  async function look(): Promise<void> {
    for (const [id, group] of tracked) {
      const headers = { authorization: `Bearer ${apiToken}` };
      const answer = await fetch(`${relayUrl}/v1/job-groups/${id}`, { headers });
      // 404: nobody has reported it yet.
      if (!answer.ok) continue;
      group.story = storySchema.parse(await answer.json());
      for (const task of group.story.tasks) {
        if (!group.seenAt.has(task.id)) group.seenAt.set(task.id, Date.now());
      }
      const now = view(id, group);
      if (!now.ended) continue;
      tracked.delete(id);
      for (const task of now.tasks) pictures.delete(task.id);
      onEnded(now);
      group.end(now);
    }
    changed();
  }

  const stop = repeat(look);
  return {
    track,
    close: async () => {
      await stop();
      await closeEvents();
    },
  };
}

function newTracked(name: string | undefined): Tracked {
  let end: (view: GroupView) => void = () => {};
  const ended = new Promise<GroupView>((resolve) => {
    end = resolve;
  });
  return { name, seenAt: new Map(), ended, end, story: undefined };
}

/** BullMQ's events of the targets' queues; the function it answers closes them. */
async function listen(
  { redisUrl, namespace, targets }: FollowOptions,
  on: { added: (jobGroupId: number) => void; progress: (taskId: string, picture: Picture) => void },
): Promise<() => Promise<void>> {
  const { hostname, port } = new URL(redisUrl);
  const all = targets.map((target) => {
    const events = new QueueEvents(publishQueue(target), {
      connection: { host: hostname, port: Number(port) },
      prefix: keysOf(namespace).prefix,
    });
    events.on("added", ({ jobId }) => on.added(Number(/^jobgroup-(\d+)-/.exec(jobId)?.[1])));
    events.on("progress", ({ jobId, data }) => {
      const picture = pictureSchema.safeParse(data);
      if (picture.success) on.progress(jobId, picture.data);
    });
    // A connection that is lost comes back by itself, and events are but the picture.
    events.on("error", () => {});
    return events;
  });
  await Promise.all(all.map((events) => events.waitUntilReady()));
  return async () => {
    await Promise.all(all.map((events) => events.close()));
  };
}

/** Runs `work` again and again; the function it answers ends that, and waits for the run that is under way. */
function repeat(work: () => Promise<void>): () => Promise<void> {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  const run = (): void => {
    // A look that fails is made up for by the next one.
    running = work()
      .catch(() => undefined)
      .then(() => {
        if (!stopped) timer = setTimeout(run, LOOK_EVERY_MS);
      });
  };
  run();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await running;
  };
}
