/**
 * Lanes: how a step of n tokens reads entries. Entries of small pages would leave their last steps half empty, and a leaf may be no
 * longer than that; so steps of 64 tokens and more have two lanes, each with an entry of its own: the halves of a long one, or the
 * leaves of two sequences. Lanes lie in the tables one after another, two to a group; a group takes the steps that its first lane
 * takes, and a lane with nothing to read is an entry of no rows. Pages that do not fill a lane evenly are read in one lane.
 */
import type { TileShape } from './cost.ts';
import { addEntry, entryInts, IntList, type PackList } from './packlist.ts';
import { roundDown, roundUp } from './packers/round.ts';

/** Tokens of a lane. */
export const laneTokens = (n: number, page: number): number =>
  n >= 64 && n % 2 === 0 && (n / 2) % page === 0 ? n / 2 : n;

/** Lanes of a step: 1 or 2. */
export const lanesOf = (n: number, page: number): number => n / laneTokens(n, page);

/** The entries of packs in groups of lanes: whole steps of an entry in halves, and what is left of two entries together. */
class LaneWriter {
  readonly out = new IntList(1024);
  private entries: Int32Array = new Int32Array();
  private page = 1;
  /** Query rows of a sequence. */
  private rows = 1;
  /** Tokens of a step, of a lane, and how many lanes: 1 or 2. */
  private step = 1;
  private width = 1;
  private lanes = 1;
  /** Rows that multiply together, of a warp or of a warpgroup: 2 to this power. */
  private together = 4;
  /**
   * By the rows that multiply together, an entry whose last lane waits for another, of no rows where there is none: so few warps
   * meet steps that are half theirs.
   */
  private waiting = new Int32Array();

  start(entries: Int32Array, page: number, rows: number): void {
    this.out.length = 0;
    this.entries = entries;
    this.page = page;
    this.rows = rows;
  }

  /** Entries begin..end-1 of a pack, as its tile reads them. */
  pack(begin: number, end: number, { m, n, variant = 0 }: TileShape): void {
    const { out } = this;
    this.step = n;
    this.width = laneTokens(n, this.page);
    this.lanes = n / this.width;
    this.together = variant === 2 ? 6 : 4;
    const groups = Math.ceil(m / 16);
    if (this.waiting.length < groups * entryInts) this.waiting = new Int32Array(groups * entryInts);
    for (let at = begin * entryInts; at < end * entryInts; at += entryInts) this.entry(at);
    if (this.lanes === 1) return;
    const full = out.length;
    for (let at = 0; at < groups * entryInts; at += entryInts) this.release(at);
    if ((out.length - full) % (2 * entryInts) > 0)
      addEntry(out, 0, 0, 0, out.data[out.length - entryInts + 3]!, 0);
  }

  private entry(at: number): void {
    const { entries, out, page, step, width, waiting } = this;
    const base = entries[at]!;
    const from = entries[at + 1]!;
    const to = entries[at + 2]!;
    const first = entries[at + 3]!;
    const count = entries[at + 4]!;
    const begin = roundDown(from, page);
    const whole = roundDown(roundUp(to - begin, width), step);
    if (this.lanes === 1) return addEntry(out, base, from, to, first, count);
    let done = from;
    if (whole > 0) {
      const half = begin + (whole >> 1);
      addEntry(out, base, from, half, first, count);
      done = half + (whole >> 1) < to ? half + (whole >> 1) : to;
      addEntry(out, base, half, done, first, count);
      if (done === to) return;
    }
    const place = ((first * this.rows) >> this.together) * entryInts;
    if (waiting[place + 4]! > 0) {
      this.release(place);
      addEntry(out, base, done, to, first, count);
      return;
    }
    waiting[place] = base;
    waiting[place + 1] = done;
    waiting[place + 2] = to;
    waiting[place + 3] = first;
    waiting[place + 4] = count;
  }

  /** Writes the entry that waits there, if one does. */
  private release(place: number): void {
    const { waiting } = this;
    const count = waiting[place + 4]!;
    if (count === 0) return;
    addEntry(this.out, waiting[place]!, waiting[place + 1]!, waiting[place + 2]!, waiting[place + 3]!, count);
    waiting[place + 4] = 0;
  }
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
  writer.start(list.entries.data, page, rows);
  const places = new Int32Array(packs + 1);
  for (let p = 0; p < packs; p++) {
    writer.pack(begin[p]!, begin[p + 1]!, tiles[tileOf[p]!]!);
    places[p + 1] = writer.out.length / entryInts;
  }
  return { entries: writer.out.copy(), begin: places };
}
