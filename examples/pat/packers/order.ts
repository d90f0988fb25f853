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

export class Interleaver {
  private readonly page: number;
  private readonly unit: number;
  private readonly shared = new IntList();
  private readonly own = new IntList();

  constructor(page: number) {
    this.page = page;
    this.unit = pieceUnit(page);
  }

  /** Appends a pack's entries to `out`; other packs read tokens below `common` too. */
  write(entries: IntList, common: number, out: IntList): void {
    const { shared, own, page, unit } = this;
    const [sharedTokens, ownTokens] = common > 0 ? this.split(entries, common) : [0, 0];
    if (sharedTokens === 0 || ownTokens === 0) return out.append(entries);
    const piece = roundUp(Math.min(Math.ceil(ownTokens / turns), mostTokens), unit);
    const [first, second] = [new Reader(shared, page, unit), new Reader(own, page, unit)];
    for (let turn = 1; turn <= turns; turn++) {
      const target = Math.floor((sharedTokens * turn) / turns);
      while (first.done < target) first.take(target - first.done, out);
      while (second.done * turns < ownTokens * turn)
        second.take(second.left * 2 > piece * 3 ? piece : second.left, out);
    }
  }

  /** Sorts parts of entries into `shared` and `own`; returns the tokens of each. */
  private split(entries: IntList, common: number): [shared: number, own: number] {
    const { shared, own, page } = this;
    const { data, length } = entries;
    let [sharedTokens, ownTokens] = [0, 0];
    shared.length = 0;
    own.length = 0;
    for (let at = 0; at < length; at += entryInts) {
      const base = data[at]!;
      const from = data[at + 1]!;
      const to = data[at + 2]!;
      const first = data[at + 3]!;
      const count = data[at + 4]!;
      const cut = Math.min(to, Math.max(from, common));
      if (from < cut) {
        sharedTokens += pagesOf(from, cut, page);
        addEntry(shared, base, from, cut, first, count);
      }
      if (cut < to) {
        ownTokens += pagesOf(cut, to, page);
        addEntry(own, base, cut, to, first, count);
      }
    }
    return [sharedTokens, ownTokens];
  }
}

/** Tokens of the pages that hold from..to-1: what a decision sees must not change before a page is added. */
const pagesOf = (from: number, to: number, page: number): number => roundUp(to, page) - roundDown(from, page);

/** Reads a list of entries piece by piece. */
class Reader {
  done = 0;
  private at = 0;
  private readonly list: IntList;
  private readonly page: number;
  private readonly unit: number;

  constructor(list: IntList, page: number, unit: number) {
    this.list = list;
    this.page = page;
    this.unit = unit;
  }

  /** Tokens left of the entry at hand. */
  get left(): number {
    return pagesOf(this.list.data[this.at + 1]!, this.list.data[this.at + 2]!, this.page);
  }

  /** So many tokens of it, up to the next multiple of the unit. */
  take(tokens: number, out: IntList): void {
    const { at, unit } = this;
    const { data } = this.list;
    const from = data[at + 1]!;
    const to = data[at + 2]!;
    const end = Math.min(to, roundUp(from + Math.min(tokens, to - from), unit));
    addEntry(out, data[at]!, from, end, data[at + 3]!, data[at + 4]!);
    this.done += pagesOf(from, end, this.page);
    data[at + 1] = end;
    if (end === to) this.at += entryInts;
  }
}
