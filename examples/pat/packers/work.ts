/**
 * Token arithmetic of a forest, rounded up to whole pages: what the packers decide on. Page granularity keeps a plan the
 * same until a page is added.
 *
 * A pack of sequences b..e-1 (positions in depth-first order) that holds everything on their paths loads
 * `shared[b] + own[b] + … + own[e-1]` tokens: what it shares inside is loaded once, what it shares with earlier packs again.
 * Each of its sequences reads its whole length, so the loaded tokens are read `length[b] + … + length[e-1]` times: the
 * difference is what rows after the first read, and it too takes two array look-ups.
 */
import type { Batch } from '../batch.ts';
import type { TileCost } from '../cost.ts';
import type { Forest } from '../forest.ts';
import { laneTokens } from '../lanes.ts';
import { roundUp } from './round.ts';

export interface Work {
  readonly batch: Batch;
  readonly forest: Forest;
  /** Query heads per KV head. */
  readonly group: number;
  /** [sequences] length in whole pages, tokens. */
  readonly length: Int32Array;
  /** [sequences] tokens shared with the sequence before, in whole pages. */
  readonly shared: Int32Array;
  /** Tokens that all sequences share, in whole pages. */
  readonly common: number;
  /** [sequences + 1] sums of own tokens (length - shared) before each sequence. */
  readonly before: Float64Array;
  /** [sequences + 1] sums of lengths before each sequence. */
  readonly reads: Float64Array;
  /** Cuts fall on multiples of this many tokens: whole pages, at least 16 tokens. */
  readonly align: number;
  /** By step: see `Pace.pads`. Summed up when a tile of that step is first asked about. */
  readonly pads: Map<number, Float64Array>;
}

/** How a tile counts work: what it adds to the tokens that a pack loads. */
export interface Pace {
  /** What a token costs again for every sequence more that reads it, in 1/256 of a token. */
  readonly reread: number;
  /** An entry takes whole steps of a lane, of so many tokens; 1 where whole pages are whole steps. */
  readonly step: number;
  /**
   * [sequences + 1] sums of what fills up the last steps of each sequence's own tokens, before each sequence; none where `step` is
   * 1. An estimate: what it shares with the next one may be several entries.
   */
  readonly pads: Float64Array | undefined;
}

export function measure(batch: Batch, forest: Forest): Work {
  const { page, lengths } = batch;
  const { order, lcp } = forest;
  const n = lengths.length;
  const length = new Int32Array(n);
  const shared = new Int32Array(n);
  const before = new Float64Array(n + 1);
  const reads = new Float64Array(n + 1);
  let sum = 0;
  let all = 0;
  let common = Infinity;
  for (let i = 0; i < n; i++) {
    const whole = roundUp(lengths[order[i]!]!, page);
    const joint = roundUp(lcp[i]!, page);
    length[i] = whole;
    shared[i] = joint;
    if (i > 0 && joint < common) common = joint;
    before[i + 1] = sum += whole - joint;
    reads[i + 1] = all += whole;
  }
  return {
    batch,
    forest,
    group: batch.qHeads / batch.kvHeads,
    length,
    shared,
    common: n > 1 ? common : 0,
    before,
    reads,
    align: page * Math.ceil(16 / page),
    pads: new Map(),
  };
}

/** Tokens that a path pack of sequences b..e-1 loads. */
export const pathLoad = (w: Work, b: number, e: number): number => w.shared[b]! + w.before[e]! - w.before[b]!;

/** What a token costs again for every sequence more that reads it, in 1/256 of a token. */
export const rereadCost = (tile: Pick<TileCost, 'warp'>, group: number): number =>
  Math.floor((tile.warp * group) / 16);

export function paceOf(w: Work, tile: Pick<TileCost, 'n' | 'warp'>): Pace {
  const { page } = w.batch;
  const reread = rereadCost(tile, w.group);
  const step = laneTokens(tile.n, page);
  if (page % step === 0) return { reread, step: 1, pads: undefined };
  return { reread, step, pads: padsOf(w, step) };
}

function padsOf(w: Work, step: number): Float64Array {
  const known = w.pads.get(step);
  if (known) return known;
  const { length, shared } = w;
  const n = length.length;
  const pads = new Float64Array(n + 1);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const from = shared[i]!;
    const next = i + 1 < n ? Math.max(from, shared[i + 1]!) : from;
    pads[i + 1] = sum += padding(next - from, step) + padding(length[i]! - next, step);
  }
  w.pads.set(step, pads);
  return pads;
}

/** The forest's tokens, each once, in whole steps of the tile. */
export const ownTokens = (w: Work, tile: TileCost): number =>
  w.before[w.length.length]! + (paceOf(w, tile).pads?.[w.length.length] ?? 0);

/** What fills up the last step of so many tokens. */
export const padding = (tokens: number, step: number): number => roundUp(tokens, step) - tokens;

/** Work of a path pack of sequences b..e-1. */
export const pathWork = (w: Work, { reread, pads }: Pace, b: number, e: number): number =>
  workOf(pathLoad(w, b, e), w.reads[e]! - w.reads[b]!, reread) + (pads ? pads[e]! - pads[b]! : 0);

/** Tokens loaded, and the reads of them beyond each one's first at `reread` / 256. */
export const workOf = (loaded: number, reads: number, reread: number): number =>
  reread === 0 ? loaded : loaded + Math.floor((reread * (reads - loaded)) / 256);
