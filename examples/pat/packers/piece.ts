/**
 * One pack from part of a stream: the sequences that it touches become local rows, entries that several sequences read come
 * first (ancestors before descendants), then each sequence's private entry, round-robin over the 16-row groups of the tile, of its
 * two halves in turn, so that consecutive entries keep different warps and warpgroups busy. What other packs read too and what only
 * this one reads are then taken in turn: see order.ts.
 */
import type { PackList } from '../packlist.ts';
import { Interleaver } from './order.ts';
import type { Stream } from './stream.ts';
import { padding, type Work } from './work.ts';

export class PieceWriter {
  /** [cap] local row of each sequence of the chunk in this piece; -1 outside. */
  private readonly local: Int32Array;
  private readonly touched: Uint8Array;
  /** [cap, 2] each row's private tokens; to 0 where it has none. */
  private readonly tails: Int32Array;
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
    this.w = w;
    this.out = out;
    this.step = step;
    this.entries = new Interleaver(w.batch.page);
    this.interleaved = interleaved;
    this.perGroup = Math.max(1, Math.floor(16 / w.group));
    this.local = new Int32Array(cap);
    this.touched = new Uint8Array(cap);
    this.tails = new Int32Array(2 * cap);
    const column = () => new Int32Array(2 * cap + 2);
    this.from = column();
    this.to = column();
    this.left = column();
    this.count = column();
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
    const { w, out, entries, tails } = this;
    const { order } = w.forest;
    const { tableBegin } = w.batch;
    stream.fill(w, b, e, tails);
    entries.begin(this.common(b, e));
    for (let i = b; i < e; i++) out.sequences.push(order[i]!);
    for (let k = stream.size - 1; k >= 0; k--) {
      const left = stream.left[k]!;
      const base = tableBegin[order[b + left]!]!;
      entries.add(base, stream.from[k]!, stream.to[k]!, left, stream.count[k]!);
    }
    this.addTails(e - b);
    entries.write(out.entries);
    out.close(load, reads, pad);
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
    const { entries, w, out, tails, perGroup } = this;
    const { tableBegin } = w.batch;
    const sequences = out.sequences.data;
    const first = out.sequenceBegin.data[out.count]!;
    const groups = Math.ceil(rows / perGroup);
    const half = (groups + 1) >> 1;
    for (let r = 0; r < perGroup && r < rows; r++)
      for (let i = 0; i < groups; i++) {
        const row = ((i & 1) * half + (i >> 1)) * perGroup + r;
        if (row < rows && tails[2 * row + 1] !== 0)
          entries.add(tableBegin[sequences[first + row]!]!, tails[2 * row]!, tails[2 * row + 1]!, row, 1);
      }
  }
}
