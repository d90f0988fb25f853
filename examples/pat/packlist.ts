/**
 * What a packer produces: packs in the order it made them, flat. A pack lists its sequences and its entries; entry
 * `{pageBase, from, to, first, count}` covers tokens from..to-1 of the pack's local sequences first..first+count-1, read
 * through the page list at `pageBase`. Local sequences are the pack's rows in groups of g.
 */

/** Int32 storage that grows. */
export class IntList {
  data: Int32Array;
  length = 0;

  constructor(capacity = 64) {
    this.data = new Int32Array(capacity);
  }

  push(value: number): void {
    if (this.length === this.data.length) this.reserve(1);
    this.data[this.length++] = value;
  }

  /** Makes room for `more` values beyond `length`. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.data.length) return;
    const grown = new Int32Array(Math.max(needed, 2 * this.data.length));
    grown.set(this.data);
    this.data = grown;
  }

  /** Short lists: a loop takes less than a view of one. */
  append(other: IntList): void {
    const count = other.length;
    if (count === 0) return;
    this.reserve(count);
    const { data, length } = this;
    const from = other.data;
    for (let i = 0; i < count; i++) data[length + i] = from[i]!;
    this.length = length + count;
  }

  /** The values, sharing storage. */
  view(): Int32Array {
    return this.data.subarray(0, this.length);
  }

  /** A constructor: `slice` fills what it copies to with zeros first. */
  copy(): Int32Array {
    return new Int32Array(this.view());
  }
}

export const entryInts = 5;

export function addEntry(
  list: IntList,
  pageBase: number,
  from: number,
  to: number,
  first: number,
  count: number,
): void {
  list.reserve(entryInts);
  const { data, length } = list;
  putEntry(data, length, pageBase, from, to, first, count);
  list.length = length + entryInts;
}

/** Writes an entry where there is room for it. */
export function putEntry(
  data: Int32Array,
  at: number,
  pageBase: number,
  from: number,
  to: number,
  first: number,
  count: number,
): void {
  data[at] = pageBase;
  data[at + 1] = from;
  data[at + 2] = to;
  data[at + 3] = first;
  data[at + 4] = count;
}

export class PackList {
  /** [packs + 1] into `sequences`. */
  readonly sequenceBegin = new IntList();
  readonly sequences = new IntList(256);
  /** [packs + 1] into `entries`, in entries. */
  readonly entryBegin = new IntList();
  /** entryInts values each. */
  readonly entries = new IntList(1024);
  /** Tokens loaded, page tails included. Does not change while no page is added. */
  readonly load = new IntList();
  /** The same tokens, each counted for every sequence of the pack that reads it. */
  readonly reads: number[] = [];
  /** Tokens that fill up the last steps of entries, in the tile the packer had in mind. */
  readonly pad: number[] = [];
  /** The tile the packer asks for, an index into the costs' tiles; -1 lets the tables choose. */
  readonly tile = new IntList();

  constructor() {
    this.clear();
  }

  /** Keeps its memory. */
  clear(): void {
    for (const column of [this.sequences, this.entries, this.load, this.tile]) column.length = 0;
    for (const column of [this.reads, this.pad]) column.length = 0;
    for (const column of [this.sequenceBegin, this.entryBegin]) {
      column.length = 0;
      column.push(0);
    }
  }

  get count(): number {
    return this.load.length;
  }

  entry(pageBase: number, from: number, to: number, first: number, count: number): void {
    addEntry(this.entries, pageBase, from, to, first, count);
  }

  /** Ends the pack whose sequences and entries were added since the last `close`. */
  close(load: number, reads: number, pad = 0, tile = -1): void {
    this.sequenceBegin.push(this.sequences.length);
    this.entryBegin.push(this.entries.length / entryInts);
    this.load.push(load);
    this.reads.push(reads);
    this.pad.push(pad);
    this.tile.push(tile);
  }
}
