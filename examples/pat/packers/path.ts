/**
 * Path packs, the default packing: a pack holds everything on its sequences' paths, from the shared root (all rows) to each
 * private tail (g rows), so the softmax state stays in registers and nothing is merged. Candidates are scored by the cost
 * model; the cheapest wins, the first one in case of a tie. Cutting at node boundaries makes node packs a special case, which
 * is why they need no search of their own.
 */
import type { PlanCosts } from '../cost.ts';
import { entryInts, type PackList } from '../packlist.ts';
import { cheaper, pieceCount, Scorer, worth, type Choice, type Kind } from './candidate.ts';
import { chunk } from './chunk.ts';
import { equalPieces, fixedPieces } from './cut.ts';
import { chooseFew } from './few.ts';
import { PieceWriter } from './piece.ts';
import { overheadTokens } from './score.ts';
import { tileFor } from './tiles.ts';
import { paceOf, pathLoad, pathWork, type Work } from './work.ts';

/** Limits that are tried, in twelfths of the mean work of a unit. */
const limits = [24, 12, 8, 6, 4, 3];

/** Then limits near the best, in sixteenths of it. */
const closer = [13, 14, 15, 17, 18, 20];

/** Packs uncut, and what cutting them could reach at best. */
interface Whole extends Kind {
  readonly tokens: number;
  readonly work: number;
  /** Work of the largest pack. */
  readonly largest: number;
  readonly mean: number;
  readonly ideal: number;
}

export class PathPacker {
  readonly work: Work;
  /** After `choose` for few sequences: what no plan of these packs can be faster than. */
  lowest = 0;
  private readonly costs: PlanCosts;
  private readonly scorer: Scorer;

  constructor(w: Work, costs: PlanCosts) {
    this.work = w;
    this.costs = costs;
    this.scorer = new Scorer(w, costs);
  }

  /** `cuts`: whether limits may be tried; `known`: see `chooseFew`. */
  choose(cuts = true, known?: Choice): Choice {
    const { costs, scorer, work: w } = this;
    const { tally, kvHeads } = scorer;
    if (scorer.few && cuts) {
      const { best, lowest } = chooseFew(scorer, known);
      this.lowest = lowest;
      return best;
    }
    let best: Choice | undefined;
    const wholes: Whole[] = [];
    for (const kind of this.kinds()) {
      // From here on no kind can be faster.
      if (best && kind.least >= best.time) break;
      const shape = costs.tiles[kind.tile]!;
      const choice = scorer.score(kind, 0, true);
      best = best ? cheaper(best, choice) : choice;
      const mean = Math.max(1, tally.mean(costs.units, kvHeads, overheadTokens(shape)));
      const { tokens, work, largest } = tally;
      wholes.push({ ...kind, tokens, work, largest, mean, ideal: scorer.ideal(shape, tokens, mean) });
    }
    if (!cuts) return best!;
    for (const whole of wholes)
      for (const twelfths of limits) {
        // Even if cutting made every unit equal, it would gain too little.
        if (whole.ideal >= worth(best!.time)) break;
        const shape = costs.tiles[whole.tile]!;
        const overhead = overheadTokens(shape);
        const limit = Math.max(w.align, Math.floor((whole.mean * twelfths) / 12) - overhead);
        // Packs within the limit stay as they are.
        if (limit >= whole.largest) continue;
        // Nor where that many packs are too much: none is more than an eighth above the limit. Nor with their partials.
        const packs = Math.ceil((8 * whole.work) / (9 * limit));
        const mean = Math.ceil(((whole.work + overhead * packs) * kvHeads) / costs.units);
        const least = scorer.ideal(shape, whole.tokens, mean);
        if (least >= worth(best!.time) || least + scorer.partials(limit) >= worth(best!.time)) continue;
        best = cheaper(best!, scorer.score(whole, limit, true));
      }
    const coarse = best!;
    if (coarse.limit > 0)
      for (const sixteenths of closer) {
        const limit = Math.max(w.align, Math.floor((coarse.limit * sixteenths) / 16));
        best = cheaper(best!, scorer.score(coarse, limit, true));
      }
    return best!;
  }

  /** Pack sizes in the tiles worth trying for them, most promising first. */
  private kinds(): (Kind & { least: number })[] {
    const { costs, scorer, work: w } = this;
    const { kvHeads } = scorer;
    const kinds: (Kind & { least: number })[] = [];
    for (const cap of this.caps()) {
      const packs = Math.ceil(w.length.length / cap);
      const smallest = tileFor(costs, cap * w.group, w);
      // What all share, every pack loads.
      const loaded = scorer.unique + (packs - 1) * w.common;
      const add = (tile: number, fixed: boolean): void => {
        kinds.push({ cap, tile, fixed, least: scorer.least(cap, tile, loaded) });
      };
      add(smallest, false);
      // Where there is a block for each unit at most, more warps on the same rows may be faster; kernels that are built another
      // way may always be, and those that do better where memory is the limit.
      const few = packs * kvHeads <= costs.units;
      const { wMax: most } = costs.tiles[smallest]!;
      costs.tiles.forEach(({ m, variant = 0, wMax }, t) => {
        const may = few || variant > 0 || wMax < most;
        if (t !== smallest && m >= cap * w.group && may) add(t, true);
      });
    }
    return kinds.sort((a, b) => a.least - b.least);
  }

  /** Sequences per pack worth trying: what each row tile holds, then fewer while packs do not fill the machine. */
  private caps(): number[] {
    const { costs, scorer, work: w } = this;
    const n = w.length.length;
    const caps: number[] = [];
    for (let i = costs.tiles.length - 1; i >= 0; i--) {
      const cap = Math.min(n, Math.floor(costs.tiles[i]!.m / w.group));
      if (cap !== caps.at(-1)) caps.push(cap);
    }
    let cap = caps.at(-1)!;
    while (cap > 1 && Math.ceil(n / cap) * scorer.kvHeads < 8 * costs.units) {
      cap >>= 1;
      caps.push(cap);
    }
    return caps;
  }

  /** Writes the packs of a choice; `span` > 0 cuts every sequence at its multiples instead (batch-invariant). */
  write(choice: Choice, span: number, out: PackList): void {
    const { costs, scorer, work: w } = this;
    const { stream, ends } = scorer;
    const shape = costs.tiles[choice.tile]!;
    const pace = paceOf(w, shape);
    const limit = choice.early ? choice.limit : 0;
    const runs = chunk(w, choice.cap, limit, overheadTokens(shape), pace, ends);
    const writer = new PieceWriter(w, out, scorer.largestCap, pace.step, span === 0);
    // What uncut packs take: a row and its own entry for every sequence, and a few shared ones.
    out.sequences.reserve(w.length.length);
    out.entries.reserve(entryInts * (w.length.length + 4 * runs));
    for (let r = 0, b = 0; r < runs; r++) {
      const e = ends[r]!;
      const work = pathWork(w, pace, b, e);
      const k = span > 0 ? 0 : pieceCount(work, choice.limit, w.align, scorer.few);
      if (k === 1) {
        const pad = pace.pads ? pace.pads[e]! - pace.pads[b]! : 0;
        writer.whole(stream, b, e, pathLoad(w, b, e), w.reads[e]! - w.reads[b]!, pad);
      } else {
        stream.fill(w, b, e);
        writer.begin(b, e);
        writer.addEmpty();
        if (span > 0) fixedPieces(stream, w.batch.page, span, writer);
        else equalPieces(stream, w.batch.page, w.align, work, k, pace, writer);
        writer.end();
      }
      b = e;
    }
  }
}
