/** One request as it goes over the wire, and what must come of it. */
export interface Hostile {
  /** What is hostile in it. */
  readonly kind: string;
  /** Its signature is right for the body that it announces. */
  readonly signed: boolean;
  /** Written one after the other. */
  readonly chunks: readonly Buffer[];
  /** Each answer must have one of these statuses. */
  readonly statuses: readonly number[];
  /** The connection may end without an answer. */
  readonly maybeSilent?: boolean;
  /** The sender goes away after the last byte. */
  readonly abandoned?: boolean;
  /** The job group of a report that is legal, however odd: `must` it be taken, or may it? */
  readonly legal?: { readonly jobGroupId: number; readonly must: boolean };
}

/** What a generator may use of the run. */
export interface Ids {
  /** A job group that must never be taken in. */
  readonly poison: number;
  /** One that may. */
  readonly legal: number;
}
