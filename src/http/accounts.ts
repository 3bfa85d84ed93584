/** Somebody whom a setting names. */
export interface Account {
  readonly name: string;
  /** Plain, or as `hash-password` writes it; absent: the name is one that the proxy passes on. */
  readonly password?: string;
}

/** `operator` may change things, `viewer` may look. */
export type Role = "operator" | "viewer";

/** Who asks, once it is known. */
export interface Person {
  readonly name: string;
  readonly role: Role;
  /** The address they ask from. */
  readonly from: string;
}

/** In BOARD_VIEWERS: whoever the proxy names. */
export const ANYBODY = "*";
