import { type LongPublish, type Overview, type TargetView, waitingOf } from "./view.ts";
import { type HeldUp, openOf, storyOf } from "./held-up-item.ts";
import { SLOW_MS, waiting } from "./held-up-waiting.ts";
import { count, moment, sentence, span, verb } from "./words.ts";

/** What holds up publishes, what needs a person first. */
export function heldUp(view: Overview): HeldUp[] {
  const all = [
    ...gate(view),
    ...view.targets.filter(({ paused }) => paused).map((target) => paused(view, target)),
    ...view.targets.filter(({ breaker }) => breaker.open).map((target) => breaker(view, target)),
    ...parked(view),
    ...view.longPublishes.map((task) => longPublish(view, task)),
    ...dispatch(view),
    ...failed(view),
    ...view.waits.flatMap((group) => waiting(view, group)),
  ];
  return [...all.filter(({ level }) => level === "bad"), ...all.filter(({ level }) => level === "wait")];
}

function gate({ gate: { ms, words, since }, now, open, undispatched }: Overview): HeldUp[] {
  if (ms === 0 && (since === undefined || open + undispatched.count === 0)) return [];
  const token = /\b401\b|token|unauthori[sz]ed/i.test(words);
  const todo = token
    ? "Put a good token into DESIGNER_CLOUD_TOKEN_FILE (it is read again by itself), or restart with a new DESIGNER_CLOUD_TOKEN. It is tried again every few seconds; nothing is lost."
    : "Nothing is lost and no attempt is used: it is tried again by itself. If it stays, see whether the platform answers and DESIGNER_CLOUD_URL is right.";
  return [
    {
      level: "bad",
      title: "The gate to the platform is shut: nothing is published to any target",
      ...(since !== undefined && { since: moment(since, now) }),
      words: sentence(words || "The platform does not answer"),
      todo,
      links: [],
    },
  ];
}

function paused({ now }: Overview, target: TargetView): HeldUp {
  const { name, held } = target;
  const waits = waitingOf(target);
  return {
    level: "bad",
    title: `Target ${name} is paused`,
    ...(held?.cause === "pause" && { since: moment(held.since, now) }),
    words: `${ended(target.pausedBy ?? "Somebody paused it")} ${count(waits, "task")} ${verb(waits, "waits", "wait")}, and nothing starts there until it is resumed.`,
    todo: "Resume it when its cluster may be written again.",
    target: name,
    act: "resume",
    links: waits > 0 ? [openOf(name)] : [],
  };
}

function breaker({ now }: Overview, target: TargetView): HeldUp {
  const { name, breaker: state } = target;
  const waits = waitingOf(target);
  const next = target.paused
    ? "Nothing tries again before the target is resumed."
    : state.openMs > 0
      ? `One publish tries again in ${span(state.openMs)}.`
      : "One publish tries again now: if it goes well, the others follow.";
  return {
    level: "bad",
    title: `The breaker of target ${name} is open`,
    ...(state.since !== undefined && { since: moment(state.since, now) }),
    words: `${count(state.failures, "publish", "publishes")} failed in a row. The last: ${sentence(state.words)} ${count(waits, "task")} ${verb(waits, "waits", "wait")}.`,
    todo: `Mend the cluster or the connection. ${next} Other targets go on.`,
    target: name,
    act: "probe",
    links: waits > 0 ? [openOf(name)] : [],
  };
}

function parked({ parked: n, parkedTasks, now }: Overview): HeldUp[] {
  const [first] = parkedTasks;
  if (n === 0) return [];
  return [
    {
      level: "bad",
      title: `${count(n, "task")} ${verb(n, "is", "are")} parked and ${verb(n, "waits", "wait")} for your decision`,
      ...(first && { since: moment(first.since, now) }),
      words: first
        ? sentence(first.words)
        : "Whether the rows are in the table cannot be told, and repeating could double them.",
      todo: "Look into the table, then decide: are the rows there, or is it to be published again?",
      links: [
        ...parkedTasks.map(storyOf),
        ...(n > parkedTasks.length ? [{ to: "/job-groups?state=parked", words: `All ${n}` }] : []),
      ],
    },
  ];
}

function longPublish({ now }: Overview, task: LongPublish): HeldUp {
  const { jobGroupId, table, target, since, deadlineMs } = task;
  return {
    level: "bad",
    title: `A publish to target ${target} runs for ${span(now - since)}`,
    since: moment(since, now),
    words: `${table} of job group ${jobGroupId} was sent, and the platform has not ended it. Its deadline is ${span(deadlineMs)} of time in which the platform answers: it is parked then.`,
    todo: "Look at its publish job on the platform: one that never ends can be cancelled there.",
    links: [storyOf(task)],
  };
}

function dispatch({ undispatched, dispatchFailed, now }: Overview): HeldUp[] {
  const { count: n, oldest, oldestId } = undispatched;
  const isSlow = oldest !== undefined && now - oldest > SLOW_MS;
  const slow: HeldUp = {
    level: "bad",
    title: `${count(n, "job group")} ${verb(n, "was", "were")} reported and ${verb(n, "is", "are")} not dispatched yet`,
    ...(oldest !== undefined && { since: moment(oldest, now) }),
    words: "The platform is asked about a job group before its rules are looked up.",
    todo: "It goes on by itself once the platform answers, there are rules, and a process with the role dispatch runs.",
    links: [
      { to: "/job-groups?state=reported", words: "The job groups" },
      ...(oldestId === undefined
        ? []
        : [{ to: `/job-groups/${oldestId}`, words: `The oldest: ${oldestId}` }]),
    ],
  };
  const refused: HeldUp = {
    level: "bad",
    title: `The dispatch of ${count(dispatchFailed, "job group")} failed: nothing of ${verb(dispatchFailed, "it", "them")} is published`,
    words: "The rules ask for what the platform refuses, or make a table's name that cannot be.",
    todo: "Open the job group for the words, mend the rules, then report it again or press Retry on the completion on the board.",
    links: [{ to: "/job-groups?state=failed", words: "The job groups" }],
  };
  return [...(isSlow ? [slow] : []), ...(dispatchFailed > 0 ? [refused] : [])];
}

function failed({ figures }: Overview): HeldUp[] {
  const n = figures.all.hour.failed;
  if (n === 0) return [];
  return [
    {
      level: "bad",
      title: `${count(n, "task")} failed in the last hour`,
      words: "The platform refused for good, or all attempts were used.",
      todo: "Open the job group: its words say why. Mend the cause, then press Retry on the task on the board.",
      links: [{ to: "/job-groups?state=failed", words: "Failed job groups" }],
    },
  ];
}

/** With a full stop, and its first letter as it is: it may be a name's. */
const ended = (text: string): string => (/[.!?…]$/.test(text) ? text : `${text}.`);
