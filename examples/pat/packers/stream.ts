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

  /** Entries come out leaves first; readers walk them from `size - 1` down. */
  fill(w: Pick<Work, 'batch' | 'forest'>, b: number, e: number): void {
    const { order, lcp } = w.forest;
    const { lengths } = w.batch;
    const { depth, start } = this;
    let top = 0;
    this.size = 0;
    for (let i = b; i <= e; i++) {
      const shared = i === b || i === e ? 0 : lcp[i]!;
      let left = i - b;
      while (top > 0 && depth[top - 1]! > shared) {
        top--;
        left = start[top]!;
        const below = top > 0 ? depth[top - 1]! : 0;
        const from = below > shared ? below : shared;
        this.add(from, depth[top]!, left, i - b - left);
      }
      if (i === e) break;
      if (shared > 0 && (top === 0 || depth[top - 1]! < shared)) {
        depth[top] = shared;
        start[top++] = left;
      }
      const length = lengths[order[i]!]!;
      if (length > shared) {
        depth[top] = length;
        start[top++] = i - b;
      }
    }
  }

  private add(from: number, to: number, left: number, count: number): void {
    const k = this.size++;
    this.from[k] = from;
    this.to[k] = to;
    this.left[k] = left;
    this.count[k] = count;
  }
}
