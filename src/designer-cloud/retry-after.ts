const MIN_MS = 1_000;
const MAX_MS = 3_600_000;

/** Header names in lower case, as undici hands them over. */
export type AnswerHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** The one value of a header; of several, the first. */
export function header(headers: AnswerHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** When the answer was written, by the clock of whoever wrote it: epoch milliseconds, cut to the second. */
export function dateOf(headers: AnswerHeaders): number | undefined {
  const dateMs = Date.parse(header(headers, "date") ?? "");
  return Number.isNaN(dateMs) ? undefined : dateMs;
}

/**
 * How long the answer asks us to wait, in milliseconds, clamped to 1 s .. 1 h; undefined when it does not ask.
 *
 * Any answer may have x-retry-after or Retry-After (seconds or a date). The quota's reset times (epoch milliseconds)
 * and "Wait 57 seconds" count on a 429 alone, since the platform may send the quota along with every answer.
 */
export function askedToWaitMs(
  answer: { readonly status: number; readonly headers: AnswerHeaders; readonly words: string },
  nowMs: number,
): number | undefined {
  const { status, headers, words } = answer;
  const askedMs =
    secondsOrDate(header(headers, "x-retry-after"), nowMs) ??
    secondsOrDate(header(headers, "retry-after"), nowMs) ??
    (status === 429 ? (quotaReset(headers, nowMs) ?? waitInWords(words)) : undefined);
  return askedMs === undefined ? undefined : Math.min(MAX_MS, Math.max(MIN_MS, Math.ceil(askedMs)));
}

function secondsOrDate(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000;
  const dateMs = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(dateMs) ? undefined : dateMs - nowMs;
}

/** The later reset of the quotas that are used up; of both when the answer does not say which is. */
function quotaReset(headers: AnswerHeaders, nowMs: number): number | undefined {
  const quotas = ["user", "workspace"].flatMap((scope) => {
    const reset = header(headers, `x-rate-limit-${scope}-reset`)?.trim() ?? "";
    if (!/^\d+$/.test(reset)) return [];
    const remaining = header(headers, `x-rate-limit-${scope}-remaining`);
    // Reset times below 1e11 are seconds: as milliseconds they would lie in 1973.
    const resetMs = Number(reset) < 1e11 ? Number(reset) * 1_000 : Number(reset);
    return [{ inMs: resetMs - nowMs, usedUp: remaining !== undefined && Number(remaining) <= 0 }];
  });
  const usedUp = quotas.filter((quota) => quota.usedUp);
  const counted = usedUp.length > 0 ? usedUp : quotas;
  return counted.length === 0 ? undefined : Math.max(...counted.map((quota) => quota.inMs));
}

function waitInWords(words: string): number | undefined {
  const found = /\bwait (\d+(?:\.\d+)?) ?(second|minute)/i.exec(words);
  if (!found) return undefined;
  return Number(found[1]) * (found[2]?.toLowerCase() === "minute" ? 60_000 : 1_000);
}
