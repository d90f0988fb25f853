/**
 * wgmma, as late as the hardware may: a product that a warp issues reads the right operand, and gives its accumulators, when a
 * wait covers its group. Each warp computes its own 16 rows at its own time; that the four of a group issue the same is checked.
 */
import type { SharedMemory } from './shared.ts';
import { showBlock, type Context } from './context.ts';
import type { Site } from './site.ts';

/** What an instruction says, but for its registers. */
export interface Shape {
  readonly columns: number;
  readonly transposed: boolean;
  readonly leading: number;
  readonly stride: number;
  readonly accumulate: boolean;
  /** Values of 16-bit elements. */
  readonly halves: Float32Array;
}

/** A left operand in shared memory. */
export interface Left {
  readonly site: Site;
  readonly offset: number;
  readonly stride: number;
}

interface Product {
  readonly site: Site;
  readonly shape: Shape;
  /** The warp's sixteen rows, row g at 16 g, or where they are read from. */
  readonly a: Float32Array | Left;
  readonly offset: number;
  /** The warp's accumulators: register r of lane l at 32 r + l. */
  readonly acc: Float32Array;
  /** Commits of the warp before it. */
  readonly group: number;
  readonly held: readonly Held[];
}

/** A register array of all warps, as wgmma sees it. */
export interface Held {
  readonly name: string;
  /** Products of each warp that are on their way and use it. */
  readonly flying: Int32Array;
  /** Whether the warp has touched it since its last fence. */
  readonly loose: Uint8Array;
}

export class Wgmma {
  private readonly context: Context;
  private readonly shared: SharedMemory;
  private readonly queues: Product[][];
  private readonly commits: Int32Array;
  private readonly arrays: Held[] = [];
  /** Sites of the products that warps of a group issued and not all have: of each group, and how far each warp is. */
  private issued: Site[][] = [];
  private readonly count: Int32Array;
  private readonly trimmed: Int32Array;
  private b = new Float32Array(0);

  constructor(context: Context, shared: SharedMemory) {
    this.context = context;
    this.shared = shared;
    const { warps } = context.clocks;
    this.queues = Array.from({ length: warps }, () => []);
    this.commits = new Int32Array(warps);
    this.count = new Int32Array(warps);
    this.trimmed = new Int32Array(Math.ceil(warps / 4));
  }

  /** A register array that products use. */
  hold(name: string): Held {
    const { warps } = this.context.clocks;
    const held = { name, flying: new Int32Array(warps), loose: new Uint8Array(warps) };
    this.arrays.push(held);
    return held;
  }

  /** A new block. */
  reset(): void {
    for (const q of this.queues) q.length = 0;
    for (const h of this.arrays) {
      h.flying.fill(0);
      h.loose.fill(0);
    }
    this.commits.fill(0);
    this.count.fill(0);
    this.trimmed.fill(0);
    this.issued = Array.from({ length: this.trimmed.length }, () => []);
  }

  /** `held`: the accumulators' array, then those of the left operand. */
  issue(
    site: Site,
    w: number,
    shape: Shape,
    a: Float32Array | Left,
    offset: number,
    acc: Float32Array,
    held: readonly Held[],
  ): void {
    this.together(site, w);
    for (const h of held) if (h.loose[w]) this.unfenced(site, w, h);
    // What is read must be there from now on.
    this.read(site, w, shape, offset);
    this.left(w, shape, a);
    for (const h of held) h.flying[w]!++;
    this.queues[w]!.push({ site, shape, a, offset, acc, group: this.commits[w]!, held });
  }

  fence(w: number, held: readonly Held[]): void {
    for (const h of held) h.loose[w] = 0;
  }

  commit(w: number): void {
    this.commits[w]!++;
  }

  wait(w: number, pending: number): void {
    const queue = this.queues[w]!;
    const last = this.commits[w]! - pending;
    let kept = 0;
    for (const p of queue) {
      if (p.group >= last) queue[kept++] = p;
      else {
        this.read(p.site, w, p.shape, p.offset);
        multiply(p, this.left(w, p.shape, p.a), this.b);
        for (const h of p.held) h.flying[w]!--;
      }
    }
    queue.length = kept;
  }

  /** The right operand into `b`, column by column: each lane reads a share of the 16-byte chunks. */
  private read(site: Site, w: number, shape: Shape, offset: number): void {
    const { columns, transposed, leading, stride, halves } = shape;
    if (this.b.length < 16 * columns) this.b = new Float32Array(16 * columns);
    const { b, shared } = this;
    const chunks = columns * 2;
    for (let i = 0; i < chunks; i++) {
      // Eight elements along k of column c, or along columns of row k.
      const [c, k] = transposed ? [(i >> 4) << 3, i & 15] : [i >> 1, (i & 1) << 3];
      const at = transposed
        ? (c >> 6) * leading + (k >> 3) * stride + (k & 7) * 128 + ((c >> 3) & 7) * 16
        : (c >> 3) * stride + (c & 7) * 128 + (k >> 3) * 16;
      const from = shared.operand(site, w, i & 31, offset, at) >> 1;
      for (let e = 0; e < 8; e++) {
        const value = halves[shared.halves[from + e]!]!;
        if (transposed) b[16 * (c + e) + k] = value;
        else b[16 * c + k + e] = value;
      }
    }
  }

  /** The left operand's rows; each lane reads half of one where they are in shared memory. */
  private left(w: number, { halves }: Shape, from: Float32Array | Left): Float32Array {
    if (from instanceof Float32Array) return from;
    const a = new Float32Array(256);
    for (let l = 0; l < 32; l++) {
      const row = 16 * (w & 3) + (l >> 1);
      const within = (row >> 3) * from.stride + (row & 7) * 128 + (l & 1) * 16;
      const at = this.shared.operand(from.site, w, l, from.offset, within) >> 1;
      for (let e = 0; e < 8; e++) a[8 * l + e] = halves[this.shared.halves[at + e]!]!;
    }
    return a;
  }

  /** The four warps of a group issue the same products in the same order. */
  private together(site: Site, w: number): void {
    const group = w >> 2;
    const list = this.issued[group]!;
    const at = this.count[w]!++ - this.trimmed[group]!;
    const first = list[at];
    if (!first) list[at] = site;
    else if (first !== site) this.apart(site, w, first);
    const warps = this.count.subarray(4 * group, 4 * group + 4);
    while (list.length > 0 && warps.every((n) => n > this.trimmed[group]!)) {
      list.shift();
      this.trimmed[group]!++;
    }
  }

  /** The block ends: no warp may have issued more than the others of its group. */
  finish(): void {
    this.issued.forEach((list, group) => {
      const w = [0, 1, 2, 3].map((i) => 4 * group + i).find((i) => this.count[i]! > this.trimmed[group]!);
      if (list.length > 0 && w !== undefined) this.apart(list[0]!, w, undefined);
    });
  }

  private apart(site: Site, w: number, other: Site | undefined): void {
    this.context.findings.add(
      `wgmma apart ${site.place}`,
      'PAT0403',
      `warp ${w} of block ${showBlock(this.context)} issues this wgmma, and another warp of its group ${other ? 'another one' : 'does not'}`,
      site.span,
      other ? [{ text: 'the other one', span: other.span }] : [],
      'all four warps of a group must take part: let no condition part them',
    );
  }

  private unfenced(site: Site, w: number, h: Held): void {
    this.context.findings.add(
      `wgmma unfenced ${site.place} ${h.name}`,
      'PAT0401',
      `warp ${w} of block ${showBlock(this.context)} has written the register array ${h.name} without a wgmma fence before this wgmma`,
      site.span,
      [],
      'put a wgmma fence between them',
    );
  }

  /** A statement touches an array that a product on its way writes, or changes one that it reads. */
  readonly flying = (site: Site, w: number, h: Held): void => {
    this.context.findings.add(
      `wgmma flying ${site.place} ${h.name}`,
      'PAT0406',
      `warp ${w} of block ${showBlock(this.context)} uses the register array ${h.name} while a wgmma is on its way with it`,
      site.span,
      [],
      'commit the wgmma, and wait for its group before',
    );
  };
}

/** acc (+)= a * b: exact products, each result rounded once. Accumulators of a lane as in mma (see matrix.ts). */
function multiply({ shape, acc }: Product, a: Float32Array, b: Float32Array): void {
  const { columns, accumulate } = shape;
  for (let r = 0; r < columns / 2; r++)
    for (let l = 0; l < 32; l++) {
      const row = 16 * ((l >> 2) + ((r >> 1) & 1) * 8);
      const column = 16 * (8 * (r >> 2) + (l & 3) * 2 + (r & 1));
      let sum = accumulate ? acc[32 * r + l]! : 0;
      for (let k = 0; k < 16; k++) sum += a[row + k]! * b[column + k]!;
      acc[32 * r + l] = sum;
    }
}

/** The left operand's rows from the registers of the lanes (register r of lane l at 32 r + l), layout as in matrix.ts. */
export function leftRows(halves: Float32Array, bits: Uint32Array): Float32Array {
  const a = new Float32Array(256);
  for (let r = 0; r < 4; r++)
    for (let l = 0; l < 32; l++) {
      const word = bits[32 * r + l]!;
      const at = ((l >> 2) + (r & 1) * 8) * 16 + (l & 3) * 2 + (r >> 1) * 8;
      a[at] = halves[word & 0xffff]!;
      a[at + 1] = halves[word >>> 16]!;
    }
  return a;
}
