import { html, type Html } from "./html.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A length of time as people say it: `4 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function span(ms: number): string {
  if (ms < 950) return ms < 100 ? "under 0.1 s" : `0.${Math.floor(ms / 100)} s`;
  if (ms < MINUTE) return `${Math.round(ms / SECOND)} s`;
  if (ms < HOUR) return two(ms, MINUTE, "min", SECOND, "s", 10 * MINUTE);
  if (ms < DAY) return two(ms, HOUR, "h", MINUTE, "min");
  return two(ms, DAY, "d", HOUR, "h");
}

function two(ms: number, big: number, bigName: string, small: number, smallName: string, upTo = Infinity) {
  const rest = Math.floor((ms % big) / small);
  const head = `${Math.floor(ms / big)} ${bigName}`;
  return rest > 0 && ms < upTo ? `${head} ${rest} ${smallName}` : head;
}

/** `1 task`, `3 tasks`. */
export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** The word that goes with so many. */
export const verb = (n: number, one: string, many: string): string => (n === 1 ? one : many);

/** `a`, `a and b`, `a, b and c`. */
export const list = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1) ?? ""}`;

/** A moment (epoch milliseconds, or ISO 8601) with its age; the whole of it for machines and as a title. */
export function moment(at: number | string, now: number): Html {
  const date = new Date(at);
  const ago = now - date.getTime();
  const age = ago >= 0 ? `${span(ago)} ago` : `in ${span(-ago)}`;
  return html`<time datetime="${date.toISOString()}" title="${date.toISOString()}">${clock(date, now)} <span class="age">(${age})</span></time>`;
}

/** A moment without its age. */
export function clockTime(at: number | string, now: number): Html {
  const date = new Date(at);
  return html`<time datetime="${date.toISOString()}" title="${date.toISOString()}">${clock(date, now)}</time>`;
}

function clock(date: Date, now: number): string {
  const [day = "", time = ""] = date.toISOString().split("T");
  const isToday = day === new Date(now).toISOString().slice(0, 10);
  return isToday ? time.slice(0, 8) : `${day} ${time.slice(0, 5)}`;
}

/** A whole sentence of what may lack its capital or its full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  const whole = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}
