/**
 * One pack from part of a stream: the sequences that it touches become local rows, entries that several sequences read come
 * first (ancestors before descendants), then each sequence's private entry, round-robin over the 16-row groups of the tile, of its
 * two halves in turn, so that consecutive entries keep different warps and warpgroups busy. What other packs read too and what only
 * this one reads are then taken in turn: see order.ts.
 */
import type { PackList } from '../packlist.ts';
import type { PieceSink } from './cut.ts';
import { Interleaver } from './order.ts';
import type { Stream } from './stream.ts';
import { roundUp } from './round.ts';
import { padding, type Work } from './work.ts';

/** Memory of a writer, for packs of up to `cap` sequences. Plans are made one after another, so all of them share it. */
class Memory {
  readonly cap: number;
  readonly entries: Interleaver;
  readonly local: Int32Array;
  readonly touched: Uint8Array;
  readonly tails: Int32Array;
  readonly turns: Int32Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly left: Int32Array;
  readonly count: Int32Array;

  constructor(cap: number, page: number) {
    const column = () => new Int32Array(2 * cap + 2);
    this.cap = cap;
    this.entries = new Interleaver(page);
    this.local = new Int32Array(cap);
    this.touched = new Uint8Array(cap);
    this.tails = column();
    this.turns = new Int32Array(cap);
    this.from = column();
    this.to = column();
    this.left = column();
    this.count = column();
  }
}

let kept: Memory | undefined;

function memory(cap: number, page: number): Memory {
  if (!kept || kept.cap < cap || kept.entries.page !== page) kept = new Memory(cap, page);
  return kept;
}

export class PieceWriter implements PieceSink {
  /** [cap] local row of each sequence of the chunk in this piece; -1 outside. */
  private readonly local: Int32Array;
  private readonly touched: Uint8Array;
  /** [cap, 2] each row's private tokens; to 0 where it has none. */
  private readonly tails: Int32Array;
  /** [rows] in what order, where a pack has so many. */
  private readonly turns: Int32Array;
  private rows = 0;
  private readonly w: Work;
  private readonly out: PackList;
  /** Sequences per 16 rows. */
  private readonly perGroup: number;
  private chunkBegin = 0;
  private chunkSize = 0;
  // Entries of the piece, in stream order.
  private readonly from: Int32Array;
  private readonly to: Int32Array;
  private readonly left: Int32Array;
  private readonly count: Int32Array;
  private size = 0;
  private load = 0;
  private reads = 0;
  private pad = 0;
  /** See `Pace`. */
  private readonly step: number;
  /** The entries of the pack at hand. */
  private readonly entries: Interleaver;
  /** Off where the order must not depend on neighbours. */
  private readonly interleaved: boolean;

  constructor(w: Work, out: PackList, cap: number, step: number, interleaved: boolean) {
    const { entries, local, touched, tails, turns, from, to, left, count } = memory(cap, w.batch.page);
    this.w = w;
    this.out = out;
    this.step = step;
    this.interleaved = interleaved;
    this.perGroup = Math.max(1, Math.floor(16 / w.group));
    this.entries = entries;
    this.local = local;
    this.touched = touched;
    this.tails = tails;
    this.turns = turns;
    this.from = from;
    this.to = to;
    this.left = left;
    this.count = count;
  }

  /** Sequences become rows when an entry touches them. */
  begin(b: number, e: number): void {
    this.chunkBegin = b;
    this.chunkSize = e - b;
    this.touched.fill(0, 0, this.chunkSize);
    this.size = 0;
    this.load = 0;
    this.reads = 0;
    this.pad = 0;
  }

  add(from: number, to: number, left: number, count: number, load: number): void {
    const k = this.size++;
    this.from[k] = from;
    this.to[k] = to;
    this.left[k] = left;
    this.count[k] = count;
    this.load += load;
    this.reads += load * count;
    this.pad += padding(load, this.step);
    this.touched.fill(1, left, left + count);
  }

  next(): void {
    this.end();
    this.begin(this.chunkBegin, this.chunkBegin + this.chunkSize);
  }

  /** Sequences of length 0 have no entry: they ride in the chunk's first piece. */
  addEmpty(): void {
    const { w, chunkBegin } = this;
    for (let i = 0; i < this.chunkSize; i++)
      if (w.batch.lengths[w.forest.order[chunkBegin + i]!]! === 0) this.touched[i] = 1;
  }

  get empty(): boolean {
    return this.size === 0;
  }

  /** A chunk in one piece: every sequence is a row, in order. */
  whole(stream: Stream, b: number, e: number, load: number, reads: number, pad: number): void {
    const { w, out, entries } = this;
    const { order } = w.forest;
    entries.begin(this.common(b, e));
    out.sequences.reserve(e - b);
    const rows = out.sequences.data;
    for (let i = b, k = out.sequences.length; i < e; i++) rows[k++] = order[i]!;
    out.sequences.length += e - b;
    if (!this.addFlat(b, e)) this.addNodes(stream, b, e);
    entries.write(out.entries);
    out.close(load, reads, pad);
  }

  /** As most packs are: all rows share the same tokens, and then each goes on alone. False where one is not like that. */
  private addFlat(b: number, e: number): boolean {
    const { w, entries } = this;
    const { order, lcp } = w.forest;
    const { page, tableBegin } = w.batch;
    const rows = e - b;
    const depth = rows > 1 ? lcp[b + 1]! : 0;
    if (this.common(b, e) > depth) return false;
    const shared = roundUp(depth, page);
    for (let i = b; i < e; i++) if (w.length[i]! <= shared || (i > b && lcp[i] !== depth)) return false;
    if (depth > 0) entries.add(tableBegin[order[b]!]!, 0, depth, 0, rows);
    if (rows !== this.rows) this.takeTurns(rows);
    entries.addTails(w.batch, order, b, this.turns, rows, depth);
    return true;
  }

  private addNodes(stream: Stream, b: number, e: number): void {
    const { w, entries } = this;
    const { order } = w.forest;
    const { tableBegin } = w.batch;
    stream.fill(w, b, e, this.tails);
    for (let k = stream.size - 1; k >= 0; k--) {
      const left = stream.left[k]!;
      const base = tableBegin[order[b + left]!]!;
      entries.add(base, stream.from[k]!, stream.to[k]!, left, stream.count[k]!);
    }
    this.addTails(e - b);
  }

  end(): void {
    const { w, out, entries, local, tails, chunkBegin } = this;
    const { order } = w.forest;
    const { tableBegin } = w.batch;
    entries.begin(this.common(chunkBegin, chunkBegin + this.chunkSize));
    let rows = 0;
    for (let i = 0; i < this.chunkSize; i++) {
      if (!this.touched[i]) continue;
      out.sequences.push(order[chunkBegin + i]!);
      tails[2 * rows + 1] = 0;
      local[i] = rows++;
    }
    for (let i = 0; i < this.size; i++) {
      const left = this.left[i]!;
      const row = local[left]!;
      if (this.count[i]! > 1) {
        const base = tableBegin[order[chunkBegin + left]!]!;
        entries.add(base, this.from[i]!, this.to[i]!, row, this.count[i]!);
      } else {
        tails[2 * row] = this.from[i]!;
        tails[2 * row + 1] = this.to[i]!;
      }
    }
    this.addTails(rows);
    entries.write(out.entries);
    out.close(this.load, this.reads, this.pad);
  }

  /** Tokens on the paths of sequences b..e-1 that others read too. */
  private common(b: number, e: number): number {
    const { shared } = this.w;
    if (!this.interleaved) return 0;
    return e < shared.length ? Math.max(shared[b]!, shared[e]!) : shared[b]!;
  }

  private addTails(rows: number): void {
    const { entries, w, out, tails } = this;
    const { tableBegin } = w.batch;
    const sequences = out.sequences.data;
    const first = out.sequenceBegin.data[out.count]!;
    if (rows !== this.rows) this.takeTurns(rows);
    const { turns } = this;
    for (let i = 0; i < rows; i++) {
      const row = turns[i]!;
      const to = tails[2 * row + 1]!;
      if (to > 0) entries.add(tableBegin[sequences[first + row]!]!, tails[2 * row]!, to, row, 1);
    }
  }

  /** Round-robin over the groups of 16 rows, of the two halves in turn. */
  private takeTurns(rows: number): void {
    const { turns, perGroup } = this;
    const groups = Math.ceil(rows / perGroup);
    const half = (groups + 1) >> 1;
    let at = 0;
    for (let r = 0; r < perGroup && r < rows; r++)
      for (let i = 0; i < groups; i++) {
        const row = ((i & 1) * half + (i >> 1)) * perGroup + r;
        if (row < rows) turns[at++] = row;
      }
    this.rows = rows;
  }
}
