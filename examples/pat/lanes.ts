/**
 * Lanes: how a step of n tokens reads entries. Entries of small pages would leave their last steps half empty, and a leaf may be no
 * longer than that; so steps of 64 tokens and more have two lanes, each with an entry of its own: the halves of a long one, or the
 * leaves of two sequences. Lanes lie in the tables one after another, two to a group; a group takes the steps that its first lane
 * takes, and a lane with nothing to read is an entry of no rows. Pages that do not fill a lane evenly are read in one lane.
 */
import type { TileShape } from './cost.ts';
import { addEntry, entryInts, IntList, type PackList } from './packlist.ts';

/** Tokens of a lane. */
export const laneTokens = (n: number, page: number): number =>
  n >= 64 && n % 2 === 0 && (n / 2) % page === 0 ? n / 2 : n;

/** Lanes of a step: 1 or 2. */
export const lanesOf = (n: number, page: number): number => n / laneTokens(n, page);

/** The entries of packs in groups of lanes: whole steps of an entry in halves, and what is left of several together. */
class LaneWriter {
  readonly out: IntList;
  private readonly entries: Int32Array;
  private readonly page: number;
  /** Query rows of a sequence. */
  private readonly rows: number;
  private lanes = 1;
  /** Tokens of a lane. */
  private width = 1;
  /** Rows that multiply together: of a warp, or of a warpgroup. */
  private together = 16;
  /** By the rows that multiply together, lanes that wait for others: so few warps meet steps that are half theirs. */
  private readonly waiting: IntList[] = [];

  constructor(entries: Int32Array, count: number, page: number, rows: number) {
    this.entries = entries;
    this.out = new IntList(2 * count * entryInts);
    this.page = page;
    this.rows = rows;
  }

  get count(): number {
    return this.out.length / entryInts;
  }

  /** Entries begin..end-1 of a pack, as its tile reads them. */
  pack(begin: number, end: number, { m, n, variant = 0 }: TileShape): void {
    const { out, waiting } = this;
    const width = laneTokens(n, this.page);
    const lanes = n / width;
    this.width = width;
    this.together = variant === 2 ? 64 : 16;
    this.lanes = lanes;
    while (waiting.length * 16 < m) waiting.push(new IntList());
    for (let at = begin * entryInts; at < end * entryInts; at += entryInts) this.entry(at);
    const first = out.length;
    for (const list of waiting) flush(list, out);
    const over = ((out.length - first) / entryInts) % lanes;
    if (over === 0) return;
    const row = out.data[out.length - over * entryInts + 3]!;
    for (let i = over; i < lanes; i++) addEntry(out, 0, 0, 0, row, 0);
  }

  private entry(at: number): void {
    const { entries, lanes, out, page, width } = this;
    const base = entries[at]!;
    const from = entries[at + 1]!;
    const to = entries[at + 2]!;
    const first = entries[at + 3]!;
    const count = entries[at + 4]!;
    const begin = from - (from % page);
    const steps = Math.ceil((to - begin) / width);
    const whole = Math.floor(steps / lanes);
    let done = from;
    for (let lane = 1; lane <= lanes && whole > 0; lane++) {
      const end = Math.min(to, begin + lane * whole * width);
      addEntry(out, base, done, end, first, count);
      done = end;
    }
    if (done === to) return;
    const list = this.waiting[Math.floor((first * this.rows) / this.together)]!;
    for (let step = whole * lanes + 1; done < to; step++) {
      const end = Math.min(to, begin + step * width);
      addEntry(list, base, done, end, first, count);
      done = end;
      if (list.length === lanes * entryInts) flush(list, out);
    }
  }
}

function flush(list: IntList, out: IntList): void {
  out.append(list);
  list.length = 0;
}

/** The entries of all packs as their tiles read them, and [packs + 1] where each pack's begin. `rows`: of a sequence. */
export function layLanes(
  list: PackList,
  tileOf: (pack: number) => TileShape,
  page: number,
  rows: number,
): { entries: Int32Array; begin: Int32Array } {
  const begin = list.entryBegin.view();
  const packs = list.count;
  let lanes = 1;
  for (let p = 0; p < packs && lanes === 1; p++) lanes = lanesOf(tileOf(p).n, page);
  if (lanes === 1) return { entries: list.entries.view(), begin };
  const writer = new LaneWriter(list.entries.data, list.entries.length / entryInts, page, rows);
  const places = new Int32Array(packs + 1);
  for (let p = 0; p < packs; p++) {
    writer.pack(begin[p]!, begin[p + 1]!, tileOf(p));
    places[p + 1] = writer.count;
  }
  return { entries: writer.out.view(), begin: places };
}
