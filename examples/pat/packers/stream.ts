/**
 * The entries of a path pack: for sequences b..e-1 of the depth-first order, the maximal (token range, run of sequences)
 * rectangles that they read, ancestors before descendants. The classic interval stack over shared lengths, linear time.
 */
import type { Work } from './work.ts';

/** Entries as columns; `left` counts from b. */
export class Stream {
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly left: Int32Array;
  readonly count: Int32Array;
  size = 0;
  private readonly depth: Int32Array;
  private readonly start: Int32Array;

  constructor(cap: number) {
    const column = () => new Int32Array(2 * cap + 2);
    this.from = column();
    this.to = column();
    this.left = column();
    this.count = column();
    this.depth = column();
    this.start = column();
  }

  /**
   * Entries come out leaves first; readers walk them from `size - 1` down. With `tails`, those of one sequence go there instead,
   * at its place in the run: [from, to] each, to 0 where it has none.
   */
  fill(w: Pick<Work, 'batch' | 'forest'>, b: number, e: number, tails?: Int32Array): void {
    const { order, lcp } = w.forest;
    const { lengths } = w.batch;
    const { depth, start } = this;
    let top = 0;
    let shared = 0;
    // Where the sequence before left a node: 1 if it has tokens of its own.
    let tail = 0;
    this.size = 0;
    for (let i = b; i < e; i++) {
      const at = i - b;
      let left = at - tail;
      while (top > 0 && depth[top - 1]! > shared) left = this.pop(--top, shared, at);
      if (shared > 0 && (top === 0 || depth[top - 1]! < shared)) {
        depth[top] = shared;
        start[top++] = left;
      }
      const length = lengths[order[i]!]!;
      const next = i + 1 < e ? lcp[i + 1]! : 0;
      tail = length > shared && length > next ? 1 : 0;
      if (tail === 1) {
        const from = shared > next ? shared : next;
        if (tails) {
          tails[2 * at] = from;
          tails[2 * at + 1] = length;
        } else this.add(from, length, at, 1);
      } else {
        if (tails) tails[2 * at + 1] = 0;
        if (length > shared) {
          depth[top] = length;
          start[top++] = at;
        }
      }
      shared = next;
    }
    while (top > 0) this.pop(--top, 0, e - b);
  }

  /** Ends the node on top of the stack at sequence `at`; returns where it began. */
  private pop(top: number, shared: number, at: number): number {
    const left = this.start[top]!;
    const below = top > 0 ? this.depth[top - 1]! : 0;
    this.add(below > shared ? below : shared, this.depth[top]!, left, at - left);
    return left;
  }

  private add(from: number, to: number, left: number, count: number): void {
    const k = this.size++;
    this.from[k] = from;
    this.to[k] = to;
    this.left[k] = left;
    this.count[k] = count;
  }
}
