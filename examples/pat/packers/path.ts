/**
 * Path packs, the default packing: a pack holds everything on its sequences' paths, from the shared root (all rows) to each
 * private tail (g rows), so the softmax state stays in registers and nothing is merged. A plan is a choice of
 *
 *   cap    sequences per pack: all that a row tile holds, or fewer to make more packs,
 *   limit  load above which a pack ends early or is cut into pieces (with partials), to fill the machine evenly,
 *
 * scored by the cost model; the cheapest wins, the first one in case of a tie. Cutting at node boundaries makes node packs a
 * special case, which is why they need no search of their own.
 */
import type { PlanCosts } from '../cost.ts';
import type { PackList } from '../packlist.ts';
import { chunk } from './chunk.ts';
import { equalPieces, fixedPieces, type PieceSink } from './cut.ts';
import { PieceWriter } from './piece.ts';
import { launchTime, LoadTally, overheadTokens } from './score.ts';
import { Stream } from './stream.ts';
import { tileFor } from './tiles.ts';
import { pathLoad, type Work } from './work.ts';

export interface Choice {
  readonly cap: number;
  /** 0: none. */
  readonly limit: number;
  /** Whether a pack ends before its load passes the limit; otherwise packs over the limit are only cut. */
  readonly early: boolean;
  /** Index into the costs' tiles: what a pack of `cap` sequences takes. */
  readonly tile: number;
  /** Every pack takes `tile`, not the smallest that holds its rows. */
  readonly fixed: boolean;
  /** Predicted picoseconds. */
  readonly time: number;
}

/** Below this many tokens a piece is not worth a pack. */
const smallestPiece = 32;

/** Limits that are tried, in twelfths of the mean load of a unit. */
const limits = [24, 12, 8, 6, 4, 3];
const fewLimits = [60, 36, 24, 16, 12, 8, 5, 4, 3];
/** Parts that the heaviest pack is cut into. */
const fewParts = [2, 3, 4, 5, 6, 7, 8];
const finerLimits = [96, 48, 42, 33, 30, 27, 22, 20, 18, 17, 15, 14, 13, 11, 10, 9, 7, 6, 4, 3, 2, 1];

/** Up to this many sequences every pack size and the finer limits are tried. */
export const fewSequences = 8;

/** Pieces that a pack of that load is cut into under a limit: none unless it is an eighth above. */
export const pieceCount = (load: number, limit: number, align: number): number =>
  limit === 0 || load <= limit + Math.floor(limit / 8)
    ? 1
    : Math.max(1, Math.min(Math.ceil(load / limit), Math.floor(load / Math.max(align, smallestPiece))));

/** A cap with packs uncut, and what cutting them could reach at best. */
interface Whole {
  readonly cap: number;
  readonly tile: number;
  readonly fixed: boolean;
  readonly largest: number;
  readonly mean: number;
  readonly ideal: number;
}

type Kind = Pick<Choice, 'cap' | 'tile' | 'fixed'>;

const cheaper = (a: Choice, b: Choice): Choice => (b.time < a.time ? b : a);

class Partials implements PieceSink {
  readonly parts: Int32Array;
  private readonly mark: Int32Array;
  private readonly tally: LoadTally;
  private piece = 0;
  private load = 0;

  constructor(cap: number, tally: LoadTally) {
    this.parts = new Int32Array(cap);
    this.mark = new Int32Array(cap).fill(-1);
    this.tally = tally;
  }

  begin(): void {
    this.parts.fill(0);
    this.load = 0;
    this.piece++;
  }

  add(_from: number, _to: number, left: number, count: number, load: number): void {
    this.load += load;
    for (let i = left; i < left + count; i++)
      if (this.mark[i] !== this.piece) {
        this.mark[i] = this.piece;
        this.parts[i] = this.parts[i]! + 1;
      }
  }

  next(): void {
    this.tally.add(this.load);
    this.load = 0;
    this.piece++;
  }

  /** Partial rows of the chunk, in parts: a sequence with one part has none. */
  end(): number {
    this.next();
    let rows = 0;
    for (const p of this.parts) if (p > 1) rows += p;
    return rows;
  }
}

export class PathPacker {
  readonly work: Work;
  /** After `choose`: what no plan of these packs can be faster than. */
  ideal = 0;
  private readonly w: Work;
  private readonly costs: PlanCosts;
  private readonly kvHeads: number;
  private readonly ends: Int32Array;
  private readonly tally: LoadTally;
  private readonly stream: Stream;
  private readonly partials: Partials;
  private readonly largestCap: number;

  constructor(w: Work, costs: PlanCosts) {
    this.work = w;
    this.w = w;
    this.costs = costs;
    this.kvHeads = w.batch.kvHeads;
    const n = w.length.length;
    this.largestCap = Math.max(1, Math.min(n, Math.floor(costs.tiles.at(-1)!.m / w.group)));
    this.ends = new Int32Array(n + 1);
    this.tally = new LoadTally();
    if (n <= fewSequences) this.tally.exactPacks = 200;
    this.stream = new Stream(this.largestCap);
    this.partials = new Partials(this.largestCap, this.tally);
  }

  /** `cuts`: whether limits may be tried. */
  choose(cuts = true): Choice {
    const { costs, w, kvHeads } = this;
    const few = w.length.length <= fewSequences;
    const longest = w.length.reduce((most, length) => Math.max(most, length), 0);
    let best: Choice | undefined;
    const wholes: Whole[] = [];
    const consider = (cap: number, tile: number, fixed: boolean): void => {
      const shape = costs.tiles[tile]!;
      const choice = this.score({ cap, tile, fixed }, 0, true);
      best = best ? cheaper(best, choice) : choice;
      const { tokens, packs, largest } = this.tally;
      const overhead = overheadTokens(shape);
      const mean = Math.max(1, Math.ceil(((tokens + overhead * packs) * kvHeads) / costs.units));
      const ideal = launchTime(costs, shape, kvHeads, w.before[w.length.length]!, tokens, mean, 0);
      wholes.push({ cap, tile, fixed, largest, mean, ideal });
      if (wholes.length === 1 || ideal < this.ideal) this.ideal = ideal;
    };
    for (const cap of this.caps()) {
      const smallest = this.tile(cap);
      consider(cap, smallest, few);
      if (!few && this.tally.packs * kvHeads > costs.units) continue;
      // A block for each unit at most: more warps on the same rows may then be faster.
      for (let t = 0; t < costs.tiles.length; t++)
        if (t !== smallest && costs.tiles[t]!.m >= cap * w.group) consider(cap, t, true);
    }
    if (!cuts) return best!;
    for (const whole of wholes) {
      // Even if cutting made every unit equal, it would gain too little.
      if (whole.ideal >= best!.time - Math.floor(best!.time / 64)) continue;
      for (const limit of few ? fewLimits : limits)
        best = this.cut(whole, this.share(whole, limit), few, best!);
      if (!few) continue;
      // Up to the longest sequence whole; then the heaviest pack in parts.
      best = this.cut(whole, longest, few, best!);
      for (const parts of fewParts) best = this.cut(whole, Math.ceil(whole.largest / parts), few, best!);
    }
    if (!few) return best!;
    const whole = wholes.find((c) => c.cap === best!.cap && c.tile === best!.tile)!;
    if (whole.ideal < best!.time)
      for (const limit of finerLimits) best = this.cut(whole, this.share(whole, limit), few, best!);
    return best!;
  }

  /** A limit of so many twelfths of what the mean unit has to do. */
  private share({ mean, tile }: Whole, twelfths: number): number {
    return Math.floor((mean * twelfths) / 12) - overheadTokens(this.costs.tiles[tile]!);
  }

  /** The better of `best` and packs of that size under that limit. */
  private cut(whole: Whole, wanted: number, few: boolean, best: Choice): Choice {
    const limit = Math.max(this.w.align, wanted);
    const early = cheaper(best, this.score(whole, limit, true));
    // Where no pack ended early, packs that are only cut are the same.
    return few && this.ends[this.w.length.length] ? cheaper(early, this.score(whole, limit, false)) : early;
  }

  /** Sequences per pack worth trying: what each row tile holds, then fewer while packs do not fill the machine. */
  private caps(): number[] {
    const { w, costs } = this;
    const n = w.length.length;
    const caps: number[] = [];
    for (let i = costs.tiles.length - 1; i >= 0; i--) {
      const cap = Math.min(n, Math.floor(costs.tiles[i]!.m / w.group));
      if (cap !== caps.at(-1)) caps.push(cap);
    }
    if (n <= fewSequences) return Array.from({ length: caps[0]! }, (_, i) => caps[0]! - i);
    let cap = caps.at(-1)!;
    while (cap > 1 && Math.ceil(n / cap) * this.kvHeads < 8 * costs.units) {
      cap >>= 1;
      caps.push(cap);
    }
    return caps;
  }

  private tile(cap: number): number {
    return tileFor(this.costs, cap * this.w.group, this.w);
  }

  private score({ cap, tile, fixed }: Kind, limit: number, early: boolean): Choice {
    const { w, costs, tally, kvHeads } = this;
    const shape = costs.tiles[tile]!;
    const overhead = overheadTokens(shape);
    const runs = chunk(w, cap, early ? limit : 0, overhead, this.ends);
    tally.reset();
    let rows = 0;
    for (let r = 0, b = 0; r < runs; r++) {
      const e = this.ends[r]!;
      const load = pathLoad(w, b, e);
      const k = pieceCount(load, limit, w.align);
      if (k === 1) tally.add(load);
      else {
        this.stream.fill(w, b, e);
        this.partials.begin();
        equalPieces(this.stream, w.batch.page, w.align, load, k, this.partials);
        rows += this.partials.end();
      }
      b = e;
    }
    const heaviest = tally.heaviest(costs.units, kvHeads, overhead);
    const unique = w.before[w.length.length]!;
    let time = launchTime(costs, shape, kvHeads, unique, tally.tokens, heaviest, tally.largest);
    if (rows > 0) time += costs.launch + rows * w.batch.qHeads * costs.partialRow;
    return { cap, limit, early, tile, fixed, time };
  }

  /** Writes the packs of a choice; `span` > 0 cuts every sequence at its multiples instead (batch-invariant). */
  write(choice: Choice, span: number, out: PackList): void {
    const { w, costs, stream } = this;
    const overhead = overheadTokens(costs.tiles[choice.tile]!);
    const runs = chunk(w, choice.cap, choice.early ? choice.limit : 0, overhead, this.ends);
    const writer = new PieceWriter(w, out, this.largestCap);
    for (let r = 0, b = 0; r < runs; r++) {
      const e = this.ends[r]!;
      const load = pathLoad(w, b, e);
      const k = span > 0 ? 0 : pieceCount(load, choice.limit, w.align);
      stream.fill(w, b, e);
      writer.begin(b, e, k === 1);
      const sink: PieceSink = {
        add: (from, to, left, count, tokens) => writer.add(from, to, left, count, tokens),
        next: () => {
          writer.end(-1);
          writer.begin(b, e, false);
        },
      };
      if (k !== 1) writer.addEmpty();
      if (span > 0) fixedPieces(stream, w.batch.page, span, sink);
      else equalPieces(stream, w.batch.page, w.align, load, k, sink);
      writer.end(-1);
      b = e;
    }
  }
}
