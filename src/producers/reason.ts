/** Says a reason anything? One of spaces and signs alone, seen or unseen, does not. */
export const saysSomething = (reason: string): boolean => /[\p{L}\p{N}]/u.test(reason);

/** What is told to whoever gave none. */
export const NO_REASON = "must say why, with at least one letter or digit";
