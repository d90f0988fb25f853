/**
 * A candidate plan of path packs and what it is predicted to cost. A candidate is a choice of
 *
 *   cap    sequences per pack: all that a row tile holds, or fewer to make more packs,
 *   limit  work above which a pack ends early or is cut into pieces (with partials), to fill the machine evenly.
 */
import type { PlanCosts, TileCost } from '../cost.ts';
import { chunk } from './chunk.ts';
import { equalPieces, type PieceSink } from './cut.ts';
import { launchTime, LoadTally, overheadTokens } from './score.ts';
import { Stream } from './stream.ts';
import { ownTokens, paceOf, padding, pathLoad, pathWork, workOf, type Pace, type Work } from './work.ts';

/** Packs of so many sequences in that shape. */
export interface Kind {
  readonly cap: number;
  /** Index into the costs' tiles: what a pack of `cap` sequences takes. */
  readonly tile: number;
  /** Every pack takes `tile`, not the smallest that holds its rows. */
  readonly fixed: boolean;
}

export interface Choice extends Kind {
  /** 0: none. */
  readonly limit: number;
  /** Whether a pack ends before its work passes the limit; otherwise packs over the limit are only cut. */
  readonly early: boolean;
  /** Predicted picoseconds. */
  readonly time: number;
}

/** What is not worth a search: a 64th. */
export const worth = (time: number): number => time - Math.floor(time / 64);

export const cheaper = (a: Choice, b: Choice): Choice => (b.time < a.time ? b : a);

/** Up to this many sequences a search of its own is affordable: few.ts. */
export const fewSequences = 8;

/** Below this many tokens a piece is not worth a pack. */
const smallestPiece = 32;

/** Pieces that a pack of that work is cut into under a limit; but for few sequences, none unless it is an eighth above. */
export function pieceCount(work: number, limit: number, align: number, few: boolean): number {
  if (limit === 0 || work <= limit + (few ? 0 : Math.floor(limit / 8))) return 1;
  return Math.max(1, Math.min(Math.ceil(work / limit), Math.floor(work / Math.max(align, smallestPiece))));
}

/** Counts the parts of a chunk's sequences while its pieces go by. */
class Partials implements PieceSink {
  private readonly parts: Int32Array;
  private readonly mark: Int32Array;
  private readonly tally: LoadTally;
  private sequences = 0;
  private pace: Pace = { reread: 0, step: 1, pads: undefined };
  private piece = 0;
  private load = 0;
  private reads = 0;
  private pad = 0;

  constructor(cap: number, tally: LoadTally) {
    this.parts = new Int32Array(cap);
    this.mark = new Int32Array(cap);
    this.tally = tally;
  }

  clear(): void {
    this.mark.fill(-1);
    this.piece = 0;
  }

  begin(sequences: number, pace: Pace): void {
    this.sequences = sequences;
    this.pace = pace;
    for (let i = 0; i < sequences; i++) this.parts[i] = 0;
    this.load = this.reads = this.pad = 0;
    this.piece++;
  }

  add(_from: number, _to: number, left: number, count: number, load: number): void {
    const { mark, parts, piece } = this;
    this.load += load;
    this.reads += load * count;
    this.pad += padding(load, this.pace.step);
    for (let i = left; i < left + count; i++)
      if (mark[i] !== piece) {
        mark[i] = piece;
        parts[i] = parts[i]! + 1;
      }
  }

  next(): void {
    this.tally.add(this.load, workOf(this.load, this.reads, this.pace.reread) + this.pad);
    this.load = this.reads = this.pad = 0;
    this.piece++;
  }

  /** Partial rows of the chunk, in parts: a sequence with one part has none. */
  end(): number {
    this.next();
    let rows = 0;
    for (let i = 0; i < this.sequences; i++) if (this.parts[i]! > 1) rows += this.parts[i]!;
    return rows;
  }
}

/** Memory of a scorer. Plans are made one after another, so all of them share it. */
class Scratch {
  readonly cap: number;
  readonly ends: Int32Array;
  readonly tally = new LoadTally();
  readonly stream: Stream;
  readonly partials: Partials;

  /** For so many sequences, and so many of a pack. */
  constructor(n: number, cap: number) {
    this.cap = cap;
    this.ends = new Int32Array(n + 1);
    this.stream = new Stream(cap);
    this.partials = new Partials(cap, this.tally);
  }
}

let kept: Scratch | undefined;

function scratch(n: number, cap: number): Scratch {
  if (!kept || kept.ends.length <= n || kept.cap < cap) kept = new Scratch(n, cap);
  kept.partials.clear();
  return kept;
}

export class Scorer {
  readonly w: Work;
  readonly costs: PlanCosts;
  readonly kvHeads: number;
  readonly few: boolean;
  /** Of the candidate scored last: where its runs end; that of [sequences] tells whether the limit ended one. */
  readonly ends: Int32Array;
  readonly tally: LoadTally;
  readonly stream: Stream;
  /** Most sequences that a pack of any tile holds. */
  readonly largestCap: number;
  /** Tokens of the longest sequence, in whole pages. */
  readonly longest: number;
  private readonly counted: Partials;

  constructor(w: Work, costs: PlanCosts) {
    this.w = w;
    this.costs = costs;
    this.kvHeads = w.batch.kvHeads;
    const n = w.length.length;
    this.few = n <= fewSequences;
    this.largestCap = Math.max(1, Math.min(n, Math.floor(costs.tiles.at(-1)!.m / w.group)));
    let longest = 0;
    for (let i = 0; i < n; i++) if (w.length[i]! > longest) longest = w.length[i]!;
    this.longest = longest;
    const { ends, tally, stream, partials } = scratch(n, this.largestCap);
    this.ends = ends;
    this.tally = tally;
    tally.exactPacks = this.few ? 200 : 24;
    tally.exactJobs = this.few ? 64 : 4;
    this.stream = stream;
    this.counted = partials;
  }

  get unique(): number {
    return this.w.before[this.w.length.length]!;
  }

  /** What a plan with partials takes more than one without, at least. */
  get merge(): number {
    return this.costs.launch + 2 * this.w.batch.qHeads * this.costs.partialRow;
  }

  /** What the merge takes at least under a limit: a sequence well above it is in more than one piece, whatever it is packed with. */
  partials(limit: number): number {
    const { w, costs } = this;
    const most = limit + Math.floor(limit / 4);
    let rows = 0;
    for (let i = 0; i < w.length.length; i++) if (w.length[i]! > most) rows += 2;
    return rows > 0 ? costs.launch + rows * w.batch.qHeads * costs.partialRow : 0;
  }

  /** Packs that load so many tokens with every unit as loaded as the mean: no cut of them takes less. */
  ideal(shape: TileCost, tokens: number, mean: number): number {
    return launchTime(this.costs, shape, this.kvHeads, this.unique, tokens, mean, 0);
  }

  /**
   * Less than packs of so many sequences can take in a tile: every unit as loaded as the mean, and either the longest sequence in one
   * piece or a merge. `loaded`: tokens that all packs load at least.
   */
  least(cap: number, tile: number, loaded: number): number {
    const { w, costs, kvHeads, unique } = this;
    const shape = costs.tiles[tile]!;
    const again = loaded - unique;
    const work = ownTokens(w, shape) + again + overheadTokens(shape) * Math.ceil(w.length.length / cap);
    const mean = Math.ceil((work * kvHeads) / costs.units);
    const cut = this.ideal(shape, loaded, mean) + this.merge;
    return Math.min(cut, launchTime(costs, shape, kvHeads, unique, loaded, mean, this.longest));
  }

  score({ cap, tile, fixed }: Kind, limit: number, early: boolean): Choice {
    const { w, costs, tally, kvHeads, few } = this;
    const shape = costs.tiles[tile]!;
    const overhead = overheadTokens(shape);
    const pace = paceOf(w, shape);
    const runs = chunk(w, cap, early ? limit : 0, overhead, pace, this.ends);
    tally.reset();
    let rows = 0;
    for (let r = 0, b = 0; r < runs; r++) {
      const e = this.ends[r]!;
      const work = pathWork(w, pace, b, e);
      const k = limit === 0 ? 1 : pieceCount(work, limit, w.align, few);
      if (k === 1) tally.add(pathLoad(w, b, e), work);
      else {
        this.stream.fill(w, b, e);
        this.counted.begin(e - b, pace);
        equalPieces(this.stream, w.batch.page, w.align, work, k, pace, this.counted);
        rows += this.counted.end();
      }
      b = e;
    }
    const heaviest = tally.heaviest(costs.units, kvHeads, overhead);
    const jobs = tally.packs * kvHeads;
    let time = launchTime(costs, shape, kvHeads, this.unique, tally.tokens, heaviest, tally.largest, jobs);
    if (rows > 0) time += costs.launch + rows * w.batch.qHeads * costs.partialRow;
    return { cap, limit, early, tile, fixed, time };
  }
}
