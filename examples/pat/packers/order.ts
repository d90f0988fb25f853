/**
 * The order of a pack's entries. Other packs read some of its tokens too: those come from L2, and are as good as free for memory. The
 * rest comes from memory once. Read one after the other, and by all packs at the same time, memory would idle first and be waited
 * for then; so a pack reads both in turn, the same shares of each. What is shared stays in the same order in all packs: they read it
 * at about the same time, as long as it is in L2. (Softmax does not mind the order. bench/NOTES.md has what it gains.)
 */
import type { Batch } from '../batch.ts';
import { addEntry, entryInts, IntList, putEntry } from '../packlist.ts';
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
  readonly page: number;
  private readonly unit: number;
  private readonly shared = new IntList();
  private readonly own = new IntList();
  private sharedTokens = 0;
  private ownTokens = 0;
  private common = 0;

  constructor(page: number) {
    this.page = page;
    this.unit = pieceUnit(page);
  }

  /** Other packs read tokens below `common` too. */
  begin(common: number): void {
    this.common = common;
    this.shared.length = 0;
    this.own.length = 0;
    this.sharedTokens = 0;
    this.ownTokens = 0;
  }

  add(base: number, from: number, to: number, first: number, count: number): void {
    const { common, page } = this;
    const cut = from > common ? from : to < common ? to : common;
    if (from < cut) {
      this.sharedTokens += pagesOf(from, cut, page);
      addEntry(this.shared, base, from, cut, first, count);
    }
    if (cut < to) {
      this.ownTokens += pagesOf(cut, to, page);
      addEntry(this.own, base, cut, to, first, count);
    }
  }

  /** What only this pack reads: an entry for each row, of its tokens from `from` on. Rows are `sequences` from b on, taken in `turns`. */
  addTails(
    batch: Batch,
    sequences: Int32Array,
    b: number,
    turns: Int32Array,
    rows: number,
    from: number,
  ): void {
    const { own, page } = this;
    const { lengths, tableBegin } = batch;
    own.reserve(rows * entryInts);
    const { data } = own;
    let k = own.length;
    let tokens = 0;
    for (let i = 0; i < rows; i++) {
      const row = turns[i]!;
      const s = sequences[b + row]!;
      const to = lengths[s]!;
      putEntry(data, k, tableBegin[s]!, from, to, row, 1);
      k += entryInts;
      tokens += roundUp(to, page);
    }
    own.length = k;
    this.ownTokens += tokens - rows * roundDown(from, page);
  }

  /** Both lists are walked in one loop: calls for every turn would take as long as their work. */
  write(out: IntList): void {
    const { page, unit, sharedTokens, ownTokens } = this;
    if (sharedTokens === 0) return out.append(this.own);
    if (ownTokens === 0) return out.append(this.shared);
    const piece = roundUp(Math.min(Math.ceil(ownTokens / turns), mostTokens), unit);
    const most = this.shared.length + this.own.length + (turns + Math.ceil(ownTokens / piece)) * entryInts;
    out.reserve(most);
    const { data } = out;
    const shared = this.shared.data;
    const own = this.own.data;
    let k = out.length;
    let [i, sharedDone] = [0, 0];
    let [j, ownDone] = [0, 0];
    for (let turn = 1; turn <= turns; turn++) {
      const target = Math.floor((sharedTokens * turn) / turns);
      while (sharedDone < target) {
        const from = shared[i + 1]!;
        const to = shared[i + 2]!;
        const end = endOf(from, to, target - sharedDone, unit);
        sharedDone += pagesOf(from, end, page);
        putEntry(data, k, shared[i]!, from, end, shared[i + 3]!, shared[i + 4]!);
        k += entryInts;
        shared[i + 1] = end;
        if (end === to) i += entryInts;
      }
      while (ownDone * turns < ownTokens * turn) {
        const from = own[j + 1]!;
        const to = own[j + 2]!;
        const left = pagesOf(from, to, page);
        const end = left * 2 > piece * 3 ? endOf(from, to, piece, unit) : to;
        ownDone += end === to ? left : end - roundDown(from, page);
        putEntry(data, k, own[j]!, from, end, own[j + 3]!, own[j + 4]!);
        k += entryInts;
        own[j + 1] = end;
        if (end === to) j += entryInts;
      }
    }
    out.length = k;
  }
}

/** Where so many of an entry's tokens end, at the next multiple of the unit. */
function endOf(from: number, to: number, tokens: number, unit: number): number {
  const end = tokens < to - from ? roundUp(from + tokens, unit) : to;
  return end < to ? end : to;
}

/** Tokens of the pages that hold from..to-1: what a decision sees must not change before a page is added. */
const pagesOf = (from: number, to: number, page: number): number => roundUp(to, page) - roundDown(from, page);
