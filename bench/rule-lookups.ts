import { median, type Row, type Section } from "./figures.ts";
import { indexWithTheirs } from "./json-rules-engine.ts";
import { ruleMatches } from "../src/rules/match-rules.ts";
import type { JobGroupFacts, Rule } from "../src/rules/model.ts";
import { indexRules } from "../src/rules/rule-index.ts";

const SIZES = [10, 1_000, 10_000];
const ROUNDS = 7;

/** Of theirs a run takes milliseconds. */
const THEIRS_COMPARED = 20;
const THEIRS_ROUNDS = 3;

/**
 * How long it takes to find the rules that match: by the index, beside asking rule after rule with patterns read once,
 * and beside json-rules-engine.
 */
export async function measureRuleLookups(roundMs: number): Promise<Section> {
  const rows: Row[] = [];
  const figures: unknown[] = [];
  for (const size of SIZES) {
    const rules = rulesOf(size);
    const groups = groupsOf(size);
    const startedMs = performance.now();
    const matching = indexRules(rules);
    const buildMs = performance.now() - startedMs;
    const scan = (facts: JobGroupFacts) => rules.filter((rule) => ruleMatches(rule, facts));
    let found = 0;
    for (const facts of groups) {
      const names = namesOf(matching(facts));
      if (names.join() !== namesOf(scan(facts)).join()) throw new Error("index and scan differ");
      found += names.length;
    }
    const ours: number[] = [];
    const naive: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      ours.push(microsOf(matching, groups, roundMs));
      naive.push(microsOf(scan, groups, roundMs));
    }
    // After ours, which would else be measured amid the garbage of theirs.
    const engine = await measureTheirs(rules, groups, (facts) => namesOf(matching(facts)), roundMs);
    const of = `${size.toLocaleString("en")} rules, ${(found / groups.length).toFixed(1)} match`;
    rows.push(
      rowOf(`${of}, beside a plain scan`, median(ours), median(naive)),
      rowOf(`${of}, beside json-rules-engine`, median(ours), median(engine)),
    );
    figures.push({ size, buildMs, indexMicros: ours, scanMicros: naive, jsonRulesEngineMicros: engine });
  }
  return {
    title:
      "Finding the rules of a job group: by the index (relay), by a plain scan or json-rules-engine (naive)",
    rows,
    figures,
  };
}

/** Microseconds of a look-up by json-rules-engine; throws when it finds others than ours. */
async function measureTheirs(
  rules: readonly Rule[],
  groups: readonly JobGroupFacts[],
  ours: (facts: JobGroupFacts) => string[],
  roundMs: number,
): Promise<number[]> {
  const theirs = indexWithTheirs(rules);
  for (const facts of groups.slice(0, THEIRS_COMPARED)) {
    if (ours(facts).toSorted().join() !== (await theirs(facts)).toSorted().join())
      throw new Error("index and json-rules-engine differ");
  }
  const rounds: number[] = [];
  for (let round = 0; round < THEIRS_ROUNDS; round++)
    rounds.push(await microsOfTheirs(theirs, groups, roundMs));
  return rounds;
}

const namesOf = (rules: readonly Rule[]): string[] => rules.map(({ name }) => name);

function rowOf(what: string, ours: number, theirs: number): Row {
  const share = ours / theirs;
  return {
    what,
    ours: `${ours.toFixed(2)} µs`,
    naive: `${theirs.toLocaleString("en", { maximumFractionDigits: 1 })} µs`,
    ratio: share < 0.01 ? share.toPrecision(1) : share.toFixed(2),
  };
}

/** As in a grown file: mostly ids and tenants, some names by their start, a few rules that have to be asked each time. */
function rulesOf(size: number): Rule[] {
  return Array.from({ length: size }, (_, at): Rule => {
    const rule = { name: `rule ${at}`, publish: [] };
    if (at % 1_000 === 1) return { ...rule, when: { recipe: [`*_export_${at}`] } };
    switch (at % 5) {
      case 0:
        return { ...rule, when: { recipe: [at, at + 1], labels: { env: ["prod"] } } };
      case 1:
        return { ...rule, when: { recipe: [`orders_${at}_*`] } };
      case 2:
        return { ...rule, when: { flow: [`Flow ${at}`], labels: { env: ["prod", "test"] } } };
      case 3:
        return { ...rule, when: { flow: [at], creator: [at % 7] } };
      default:
        return { ...rule, when: { labels: { tenant: [`tenant-${at}`], env: ["prod"] } } };
    }
  });
}

function groupsOf(size: number): JobGroupFacts[] {
  return Array.from({ length: 200 }, (_, i): JobGroupFacts => {
    const at = (i * 7_919) % size;
    return {
      jobGroupId: i + 1,
      name: `run ${i}`,
      finishedAt: 0,
      flow: { id: at, name: `Flow ${at}` },
      recipe: { id: at, name: `orders_${at}_daily` },
      creator: i % 7,
      workspace: 1,
      ranFrom: "schedule",
      labels: { env: "prod", tenant: `tenant-${at}` },
    };
  });
}

/** One look-up, in microseconds of processor time, on average over at least that long: others use the machine too. */
function microsOf(
  look: (facts: JobGroupFacts) => unknown,
  groups: readonly JobGroupFacts[],
  roundMs: number,
): number {
  const before = process.cpuUsage();
  const untilMs = performance.now() + roundMs;
  let looked = 0;
  while (looked === 0 || performance.now() < untilMs) {
    for (const facts of groups.slice(looked % groups.length).slice(0, 20)) {
      look(facts);
      looked++;
    }
  }
  return microsSince(before) / looked;
}

/** The same of an engine that answers later, one question after the other. */
async function microsOfTheirs(
  look: (facts: JobGroupFacts) => Promise<unknown>,
  groups: readonly JobGroupFacts[],
  roundMs: number,
): Promise<number> {
  const before = process.cpuUsage();
  const untilMs = performance.now() + roundMs;
  let looked = 0;
  while (looked === 0 || performance.now() < untilMs) {
    const facts = groups[looked % groups.length];
    if (facts) await look(facts);
    looked++;
  }
  return microsSince(before) / looked;
}

function microsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
