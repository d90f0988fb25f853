/**
 * The order of a pack's entries. Other packs read some of its tokens too: those come from L2, and are as good as free for memory. The
 * rest comes from memory once. Read one after the other, and by all packs at the same time, memory would idle first and be waited
 * for then; so a pack reads both in turn, the same shares of each. What is shared stays in the same order in all packs: they read it
 * at about the same time, as long as it is in L2. (Softmax does not mind the order. bench/NOTES.md has what it gains.)
 */
import { addEntry, entryInts, IntList } from '../packlist.ts';
import { roundDown, roundUp } from './round.ts';

/** Turns, at most. */
const turns = 8;
/** So that sums stay within 31 bits. */
const mostTokens = 2 ** 29;

/** Pieces of entries begin and end at multiples of this many tokens: whole pages, and whole steps of two lanes. */
export function pieceUnit(page: number): number {
  let unit = 64;
  while (unit % page !== 0) unit += 64;
  return unit;
}

/** Entries of one pack after another: `begin`, `add` each of them, then `write`. */
export class Interleaver {
  private readonly shared: Pile;
  private readonly own: Pile;
  private readonly unit: number;
  private common = 0;

  constructor(page: number) {
    this.unit = pieceUnit(page);
    this.shared = new Pile(page, this.unit);
    this.own = new Pile(page, this.unit);
  }

  /** Other packs read tokens below `common` too. */
  begin(common: number): void {
    this.common = common;
    this.shared.clear();
    this.own.clear();
  }

  add(base: number, from: number, to: number, first: number, count: number): void {
    const { shared, own, common } = this;
    if (from >= common) own.add(base, from, to, first, count);
    else if (to <= common) shared.add(base, from, to, first, count);
    else {
      shared.add(base, from, common, first, count);
      own.add(base, common, to, first, count);
    }
  }

  write(out: IntList): void {
    const { shared, own, unit } = this;
    if (shared.tokens === 0) return out.append(own.entries);
    if (own.tokens === 0) return out.append(shared.entries);
    const piece = roundUp(Math.min(Math.ceil(own.tokens / turns), mostTokens), unit);
    for (let turn = 1; turn <= turns; turn++) {
      shared.take(Math.floor((shared.tokens * turn) / turns), 0, out);
      own.take(Math.ceil((own.tokens * turn) / turns), piece, out);
    }
  }
}

/** Entries that are read piece by piece. */
class Pile {
  readonly entries = new IntList();
  /** Tokens in all, and those taken. */
  tokens = 0;
  done = 0;
  private at = 0;
  private readonly page: number;
  private readonly unit: number;

  constructor(page: number, unit: number) {
    this.page = page;
    this.unit = unit;
  }

  clear(): void {
    this.entries.length = 0;
    this.tokens = 0;
    this.done = 0;
    this.at = 0;
  }

  add(base: number, from: number, to: number, first: number, count: number): void {
    this.tokens += pagesOf(from, to, this.page);
    addEntry(this.entries, base, from, to, first, count);
  }

  /**
   * Takes entries until `target` tokens are taken, up to the next multiple of the unit: as much of each as is missing, or with `piece`
   * so many tokens and the rest of an entry that has little more.
   */
  take(target: number, piece: number, out: IntList): void {
    const { page, unit } = this;
    const { data } = this.entries;
    let { at, done } = this;
    while (done < target) {
      const from = data[at + 1]!;
      const to = data[at + 2]!;
      const left = pagesOf(from, to, page);
      const wanted = piece === 0 ? target - done : left * 2 > piece * 3 ? piece : left;
      const end = wanted < to - from ? Math.min(to, roundUp(from + wanted, unit)) : to;
      addEntry(out, data[at]!, from, end, data[at + 3]!, data[at + 4]!);
      if (end === to) {
        at += entryInts;
        done += left;
      } else {
        data[at + 1] = end;
        done += pagesOf(from, end, page);
      }
    }
    this.at = at;
    this.done = done;
  }
}

/** Tokens of the pages that hold from..to-1: what a decision sees must not change before a page is added. */
const pagesOf = (from: number, to: number, page: number): number => roundUp(to, page) - roundDown(from, page);
