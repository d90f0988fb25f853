/** What pictures of a plan show, from the document of `patc plan --json`: the forest as a flame chart coloured by pack. */
export interface PackJson {
  readonly sequences: readonly number[];
  readonly tile: Readonly<Record<string, number>>;
  readonly slots: readonly number[];
  readonly entries: readonly { first: number; count: number; from: number; to: number }[];
}

export interface PlanJson {
  readonly plan: {
    readonly packs: number;
    readonly splits: number;
    readonly uniqueKvBytes: number;
    readonly readKvBytes: number;
    readonly separateKvBytes: number;
    readonly planUs: number;
  };
  readonly packs: readonly PackJson[];
}

/** Tokens from..to of one sequence, read by a pack for `readers` sequences at once. */
export interface Segment {
  readonly from: number;
  readonly to: number;
  readonly pack: number;
  /** Of the pack: sequences with the same entry are read together. */
  readonly entry: number;
  readonly readers: number;
}

/** [sequence] what reads its tokens, in order of tokens. */
export function segmentsOf(packs: readonly PackJson[], sequences: number): Segment[][] {
  const segments: Segment[][] = Array.from({ length: sequences }, () => []);
  packs.forEach((pack, p) => {
    for (const [entry, { first, count, from, to }] of pack.entries.entries()) {
      for (const s of pack.sequences.slice(first, first + count)) {
        segments[s]!.push({ from, to, pack: p, entry, readers: count });
      }
    }
  });
  for (const list of segments) list.sort((a, b) => a.from - b.from);
  return segments;
}

/** Tokens that a pack reads: each of its entries once. */
export const tokensRead = (pack: PackJson): number => pack.entries.reduce((sum, e) => sum + e.to - e.from, 0);

/** Tokens that its sequences would read one by one. */
export const tokensServed = (pack: PackJson): number =>
  pack.entries.reduce((sum, e) => sum + (e.to - e.from) * e.count, 0);

/** Colours of packs, chosen so that neighbours differ: hue in degrees. */
export const hueOf = (pack: number): number => (pack * 137.508) % 360;
