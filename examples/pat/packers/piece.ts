/**
 * One pack from part of a stream: the sequences that it touches become local rows, entries that several sequences read come
 * first (ancestors before descendants), then each sequence's private entry, round-robin over the 16-row groups of the tile
 * so that consecutive entries keep different warps busy. A row sees its tokens in ascending order.
 */
import type { PackList } from '../packlist.ts';
import type { Work } from './work.ts';

export class PieceWriter {
  /** [cap] local row of each sequence of the chunk in this piece; -1 outside. */
  private readonly local: Int32Array;
  private readonly touched: Uint8Array;
  private readonly privateFrom: Int32Array;
  private readonly privateTo: Int32Array;
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

  constructor(w: Work, out: PackList, cap: number) {
    this.w = w;
    this.out = out;
    this.perGroup = Math.max(1, Math.floor(16 / w.group));
    this.local = new Int32Array(cap);
    this.touched = new Uint8Array(cap);
    this.privateFrom = new Int32Array(cap);
    this.privateTo = new Int32Array(cap);
    const column = () => new Int32Array(2 * cap + 2);
    this.from = column();
    this.to = column();
    this.left = column();
    this.count = column();
  }

  /** `all`: every sequence of the chunk is a row, whether or not an entry touches it. */
  begin(b: number, e: number, all: boolean): void {
    this.chunkBegin = b;
    this.chunkSize = e - b;
    this.touched.fill(all ? 1 : 0, 0, this.chunkSize);
    this.size = 0;
    this.load = 0;
  }

  add(from: number, to: number, left: number, count: number, load: number): void {
    const k = this.size++;
    this.from[k] = from;
    this.to[k] = to;
    this.left[k] = left;
    this.count[k] = count;
    this.load += load;
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

  end(tile: number): void {
    const { w, out, local, chunkBegin } = this;
    const { order } = w.forest;
    const { tableBegin } = w.batch;
    let rows = 0;
    for (let i = 0; i < this.chunkSize; i++) {
      if (!this.touched[i]) continue;
      out.sequences.push(order[chunkBegin + i]!);
      this.privateTo[rows] = 0;
      local[i] = rows++;
    }
    const base = (left: number) => tableBegin[order[chunkBegin + left]!]!;
    for (let k = 0; k < this.size; k++) {
      const left = this.left[k]!;
      const row = local[left]!;
      if (this.count[k]! > 1) out.entry(base(left), this.from[k]!, this.to[k]!, row, this.count[k]!);
      else {
        this.privateFrom[row] = this.from[k]!;
        this.privateTo[row] = this.to[k]!;
      }
    }
    const first = out.sequenceBegin.data[out.count]!;
    for (let r = 0; r < this.perGroup && r < rows; r++)
      for (let row = r; row < rows; row += this.perGroup) {
        if (this.privateTo[row] === 0) continue;
        const pageBase = tableBegin[out.sequences.data[first + row]!]!;
        out.entry(pageBase, this.privateFrom[row]!, this.privateTo[row]!, row, 1);
      }
    out.close(this.load, tile);
  }
}
