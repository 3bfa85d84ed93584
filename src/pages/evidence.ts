import { html, type Html } from "./html.ts";
import { clockTime, moment } from "./words.ts";

const NAMES: Readonly<Record<string, string>> = {
  why: "Why it cannot be told",
  sent: "What was sent",
  submittingAt: "Sent",
  submittedAt: "Accepted by the platform",
  baseline: "Publish jobs before it was sent",
  publishJobId: "Its publish job",
  requestId: "Request",
  listed: "What the platform lists",
  at: "Asked",
  jobs: "Publish jobs",
  tables: "Tables",
};

const ISO = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

/** The evidence of a parked task as people read it: names and values, lists of alike things as tables. */
export function evidenceList(evidence: unknown, now: number): Html {
  return isObject(evidence) ? facts(evidence, now) : html`<p>${plain(evidence)}</p>`;
}

const facts = (all: Readonly<Record<string, unknown>>, now: number): Html =>
  html`<dl class="facts">${Object.entries(all).map(
    ([name, value]) => html`<dt>${NAMES[name] ?? name}</dt><dd>${shown(value, now)}</dd>`,
  )}</dl>`;

function shown(value: unknown, now: number): Html | string {
  if (typeof value === "string" && ISO.test(value)) return moment(value, now);
  if (Array.isArray(value)) return listed(value as unknown[], now);
  if (!isObject(value)) return plain(value);
  const isFlat = Object.values(value).every((one) => !isObject(one) || Object.keys(one).length === 1);
  return isFlat && !Object.values(value).some(Array.isArray) ? oneLine(value) : facts(value, now);
}

function listed(values: readonly unknown[], now: number): Html | string {
  if (values.length === 0) return "none";
  if (!values.every(isObject)) return values.map(plain).join(", ");
  const columns = [...new Set(values.flatMap((one) => Object.keys(one)))];
  return html`<div class="scroll" role="region" aria-label="A list of the evidence" tabindex="0"><table><thead><tr>${columns.map((name) => html`<th scope="col">${name}</th>`)}</tr></thead><tbody>${values.map(
    (one) => html`<tr>${columns.map((name) => html`<td>${cell(one[name], now)}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

/** In a table the age of each moment would take too much room. */
const cell = (value: unknown, now: number): Html | string =>
  typeof value === "string" && ISO.test(value) ? clockTime(value, now) : shown(value, now);

const oneLine = (value: Readonly<Record<string, unknown>>): string =>
  Object.entries(value)
    .map(([name, one]) => `${name} ${isObject(one) ? oneLine(one) : plain(one)}`)
    .join(", ");

function plain(value: unknown): string {
  if (value === undefined || value === null) return "none";
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : JSON.stringify(value);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
