/**
 * Token arithmetic of a forest, rounded up to whole pages: what the packers decide on. Page granularity keeps a plan the
 * same until a page is added.
 *
 * A pack of sequences b..e-1 (positions in depth-first order) that holds everything on their paths loads
 * `shared[b] + own[b] + … + own[e-1]` tokens: what it shares inside is loaded once, what it shares with earlier packs again.
 */
import type { Batch } from '../batch.ts';
import type { Forest } from '../forest.ts';

export interface Work {
  readonly batch: Batch;
  readonly forest: Forest;
  /** Query heads per KV head. */
  readonly group: number;
  /** [sequences] length in whole pages, tokens. */
  readonly length: Int32Array;
  /** [sequences] tokens shared with the sequence before, in whole pages. */
  readonly shared: Int32Array;
  /** [sequences + 1] sums of own tokens (length - shared) before each sequence. */
  readonly before: Float64Array;
  /** Cuts fall on multiples of this many tokens: whole pages, at least 16 tokens. */
  readonly align: number;
  /** Steps by n, once counted. */
  readonly steps: Map<number, number>;
}

export function measure(batch: Batch, forest: Forest): Work {
  const { page, lengths } = batch;
  const n = lengths.length;
  const length = new Int32Array(n);
  const shared = new Int32Array(n);
  const before = new Float64Array(n + 1);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    length[i] = Math.ceil(lengths[forest.order[i]!]! / page) * page;
    shared[i] = Math.ceil(forest.lcp[i]! / page) * page;
    sum += length[i]! - shared[i]!;
    before[i + 1] = sum;
  }
  const align = page * Math.ceil(16 / page);
  return {
    batch,
    forest,
    group: batch.qHeads / batch.kvHeads,
    length,
    shared,
    before,
    align,
    steps: new Map(),
  };
}

/** Tokens that a path pack of sequences b..e-1 loads. */
export const pathLoad = (w: Work, b: number, e: number): number => w.shared[b]! + w.before[e]! - w.before[b]!;
