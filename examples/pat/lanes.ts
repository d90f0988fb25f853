/**
 * Lanes: how a step of n tokens reads entries. Entries of small pages would leave their last steps half empty, and a leaf may be no
 * longer than that; so steps of 64 tokens and more have two lanes, each with an entry of its own: the halves of a long one, or the
 * leaves of two sequences. Lanes lie in the tables one after another, two to a group; a group takes the steps that its first lane
 * takes, and a lane with nothing to read is an entry of no rows. Pages that do not fill a lane evenly are read in one lane.
 */
import type { TileShape } from './cost.ts';
import { entryInts, IntList, putEntry, type PackList } from './packlist.ts';
import { roundDown, roundUp } from './packers/round.ts';

/** Tokens of a lane. */
export const laneTokens = (n: number, page: number): number =>
  n >= 64 && n % 2 === 0 && (n / 2) % page === 0 ? n / 2 : n;

/** Lanes of a step: 1 or 2. */
export const lanesOf = (n: number, page: number): number => n / laneTokens(n, page);

/** The entries of packs in groups of lanes: whole steps of an entry in halves, and what is left of two entries together. */
class LaneWriter {
  readonly out = new IntList(1024);
  /**
   * By the rows that multiply together, an entry that waits for another, of no rows where there is none: so few warps meet steps that
   * are half theirs.
   */
  private waiting = new Int32Array();

  /** Entries begin..end-1 of a pack, as its tile reads them. `rows`: of a sequence. */
  pack(entries: Int32Array, begin: number, end: number, tile: TileShape, page: number, rows: number): void {
    const { out } = this;
    const step = tile.n;
    const width = laneTokens(step, page);
    // Two halves and a rest each, and one of no rows.
    out.reserve((3 * (end - begin) + 1) * entryInts);
    const { data } = out;
    let k = out.length;
    if (width === step) {
      for (let at = begin * entryInts; at < end * entryInts; at++) data[k++] = entries[at]!;
      out.length = k;
      return;
    }
    // Rows of a warp, or of a warpgroup, multiply together: 2 to this power.
    const together = tile.variant === 2 ? 6 : 4;
    const places = Math.ceil(tile.m / 16) * entryInts;
    if (this.waiting.length < places) this.waiting = new Int32Array(places);
    const { waiting } = this;
    for (let at = begin * entryInts; at < end * entryInts; at += entryInts) {
      const base = entries[at]!;
      const from = entries[at + 1]!;
      const to = entries[at + 2]!;
      const first = entries[at + 3]!;
      const count = entries[at + 4]!;
      const start = roundDown(from, page);
      const half = roundDown(roundUp(to - start, width), step) >> 1;
      let done = from;
      if (half > 0) {
        done = start + 2 * half < to ? start + 2 * half : to;
        putEntry(data, k, base, from, start + half, first, count);
        putEntry(data, k + entryInts, base, start + half, done, first, count);
        k += 2 * entryInts;
        if (done === to) continue;
      }
      const place = ((first * rows) >> together) * entryInts;
      if (waiting[place + 4] === 0) putEntry(waiting, place, base, done, to, first, count);
      else {
        k = release(waiting, place, data, k);
        putEntry(data, k, base, done, to, first, count);
        k += entryInts;
      }
    }
    const full = k;
    for (let place = 0; place < places; place += entryInts)
      if (waiting[place + 4]! > 0) k = release(waiting, place, data, k);
    if ((k - full) % (2 * entryInts) > 0) {
      putEntry(data, k, 0, 0, 0, data[k - entryInts + 3]!, 0);
      k += entryInts;
    }
    out.length = k;
  }
}

/** Moves the entry that waits there to `data`; returns where the next one goes. */
function release(waiting: Int32Array, place: number, data: Int32Array, k: number): number {
  for (let i = 0; i < entryInts; i++) data[k + i] = waiting[place + i]!;
  waiting[place + 4] = 0;
  return k + entryInts;
}

/** Its memory, for the next plan. */
const writer = new LaneWriter();

/**
 * The entries of all packs as their tiles read them, and [packs + 1] where each pack's begin. `tileOf`: [packs] into `tiles`; `rows`: of
 * a sequence.
 */
export function layLanes(
  list: PackList,
  tiles: readonly TileShape[],
  tileOf: Int32Array,
  page: number,
  rows: number,
): { entries: Int32Array; begin: Int32Array } {
  const begin = list.entryBegin.view();
  const packs = list.count;
  let lanes = 1;
  for (let p = 0; p < packs && lanes === 1; p++) lanes = lanesOf(tiles[tileOf[p]!]!.n, page);
  if (lanes === 1) return { entries: list.entries.copy(), begin };
  writer.out.length = 0;
  const entries = list.entries.data;
  const places = new Int32Array(packs + 1);
  for (let p = 0; p < packs; p++) {
    writer.pack(entries, begin[p]!, begin[p + 1]!, tiles[tileOf[p]!]!, page, rows);
    places[p + 1] = writer.out.length / entryInts;
  }
  return { entries: writer.out.copy(), begin: places };
}
