/**
 * One pack from part of a stream: the sequences that it touches become local rows, entries that several sequences read come
 * first (ancestors before descendants), then each sequence's private entry, round-robin over the 16-row groups of the tile
 * so that consecutive entries keep different warps busy. A row sees its tokens in ascending order.
 */
import { entryInts, type PackList } from '../packlist.ts';
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

  constructor(w: Work, out: PackList, cap: number, step: number) {
    this.w = w;
    this.out = out;
    this.step = step;
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
    const { w, out, tails } = this;
    const { order } = w.forest;
    const { tableBegin } = w.batch;
    stream.fill(w, b, e, tails);
    for (let i = b; i < e; i++) out.sequences.push(order[i]!);
    for (let k = stream.size - 1; k >= 0; k--) {
      const left = stream.left[k]!;
      out.entry(tableBegin[order[b + left]!]!, stream.from[k]!, stream.to[k]!, left, stream.count[k]!);
    }
    this.writeTails(e - b);
    out.close(load, reads, pad);
  }

  end(): void {
    const { w, out, local, tails, chunkBegin } = this;
    const { order } = w.forest;
    const { tableBegin } = w.batch;
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
        out.entry(base, this.from[i]!, this.to[i]!, row, this.count[i]!);
      } else {
        tails[2 * row] = this.from[i]!;
        tails[2 * row + 1] = this.to[i]!;
      }
    }
    this.writeTails(rows);
    out.close(this.load, this.reads, this.pad);
  }

  private writeTails(rows: number): void {
    const { w, out, tails, perGroup } = this;
    const { tableBegin } = w.batch;
    const sequences = out.sequences.data;
    const first = out.sequenceBegin.data[out.count]!;
    out.entries.reserve(entryInts * rows);
    for (let r = 0; r < perGroup && r < rows; r++)
      for (let row = r; row < rows; row += perGroup)
        if (tails[2 * row + 1] !== 0)
          out.entry(tableBegin[sequences[first + row]!]!, tails[2 * row]!, tails[2 * row + 1]!, row, 1);
  }
}
