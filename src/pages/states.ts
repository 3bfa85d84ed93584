import { html, type Html } from "./html.ts";

const STATES: Readonly<Record<string, { readonly level: string; readonly word: string }>> = {
  planned: { level: "wait", word: "● waits" },
  admitted: { level: "move", word: "▶ starts" },
  submitting: { level: "move", word: "▶ being sent" },
  submitted: { level: "move", word: "▶ publishing" },
  published: { level: "good", word: "✓ published" },
  failed: { level: "bad", word: "✗ failed" },
  parked: { level: "bad", word: "▲ parked" },
  superseded: { level: "plain", word: "– superseded" },
  reported: { level: "wait", word: "● reported" },
  open: { level: "wait", word: "● open" },
  dispatched: { level: "plain", word: "dispatched" },
  "no-rule": { level: "plain", word: "– no rule" },
  skipped: { level: "plain", word: "– skipped" },
  unknown: { level: "plain", word: "? unknown" },
};

/** A state with a mark and a word, never by its colour alone. */
export function stateTag(state: string): Html {
  const { level, word } = STATES[state] ?? { level: "plain", word: state };
  return html`<span class="tag ${level}">${word}</span>`;
}

/** What each state of a job group means, for the search form. */
export const STATE_WORDS: Readonly<Record<string, string>> = {
  reported: "reported, not dispatched yet",
  open: "open: a task waits or publishes",
  published: "published: a task was",
  failed: "failed: a task or the dispatch",
  parked: "parked: waits for a decision",
  superseded: "superseded: a newer one came first",
  "no-rule": "no rule matched",
  skipped: "skipped: it did not finish well",
  unknown: "unknown to the platform",
};
