/** What may stand in `{date:...}`, all of the UTC time of the finish. */
const TOKENS = /YYYY|MM|DD|HH/g;

/** `{date}` alone. */
export const DEFAULT_DATE_FORMAT = "YYYYMMDD";

/** What is wrong with the part after the colon of `{date:...}`, as the end of a sentence; undefined when it is good. */
export function dateFormatProblem(format: string): string | undefined {
  if (isDateFormat(format)) return undefined;
  const upper = format.toUpperCase();
  const hint = isDateFormat(upper) ? `. Did you mean {date:${upper}}?` : "";
  return `takes YYYY, MM (month), DD and HH (hour), with nothing, _ or - between them${hint}`;
}

function isDateFormat(format: string): boolean {
  return /^(?:YYYY|MM|DD|HH|[_-])+$/.test(format) && /[A-Z]/.test(format);
}

/** The time as the format says, in UTC. */
export function formatDate(format: string, epochMs: number): string {
  const date = new Date(epochMs);
  const values: Record<string, string> = {
    YYYY: String(date.getUTCFullYear()).padStart(4, "0"),
    MM: twoDigits(date.getUTCMonth() + 1),
    DD: twoDigits(date.getUTCDate()),
    HH: twoDigits(date.getUTCHours()),
  };
  return format.replace(TOKENS, (token) => values[token] ?? token);
}

/** The format with each token in braces: formats with the same outcome for every time have the same text. */
export function bracedFormat(format: string): string {
  return format.replace(TOKENS, (token) => `{${token}}`);
}

const twoDigits = (value: number): string => String(value).padStart(2, "0");
