/** A fixed number of milliseconds, or a range from which each case draws its own. */
export type Span = number | [min: number, max: number];

/** Chance that can be repeated: the same seed and label always give the same draw, in whatever order calls arrive. */
export interface Dice {
  /** A number in [0, 1) for `label`. */
  roll(label: string): number;
  /** The milliseconds of a span for `label`. */
  span(span: Span, label: string): number;
}

/** Draws depend on a label and not on a sequence, so that concurrency does not change a seeded run. */
export function createDice(seed: number): Dice {
  const roll = (label: string): number => hash(`${seed}/${label}`) / 0x1_0000_0000;
  return {
    roll,
    span(span, label) {
      if (typeof span === "number") return span;
      const [min, max] = span;
      return Math.round(min + roll(label) * (max - min));
    },
  };
}

/** FNV-1a with Murmur's finalizer: without it, labels that differ in their last digit draw nearly alike. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
