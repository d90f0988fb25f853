/**
 * The search for up to eight sequences: every pack size in every tile that holds it. What a cut can reach at best is known
 * beforehand, so kinds come most promising first and the search ends where no kind can gain enough. Limits are those that
 * give so many pieces in all, as even as the packs allow: fractions and multiples of what fills the machine once.
 */
import { cheaper, worth, type Choice, type Kind, type Scorer } from './candidate.ts';
import { launchTime, overheadTokens } from './score.ts';
import { paceOf, pathWork, type Pace, type Work } from './work.ts';

/** Pieces, in twelfths of the packs that are one job for each unit. */
const fills = [12, 6, 24, 9, 18, 4, 8, 36, 10, 3, 48];
/** Pieces more than there are packs, for packs of more heads than there are units. */
const more = [1, 2, 3];

interface Whole extends Kind {
  /** Work of each pack. */
  readonly works: readonly number[];
  readonly tokens: number;
  readonly work: number;
  readonly mean: number;
  readonly ideal: number;
}

/**
 * `known`: the best plan of the same sequences in another order, which is returned where none here is faster. `lowest`: what no
 * plan of these packs can be faster than.
 */
export function chooseFew(s: Scorer, known?: Choice): { best: Choice; lowest: number } {
  const { costs, w, tally, kvHeads } = s;
  let best = known;
  const wholes: Whole[] = [];
  for (let cap = s.largestCap; cap > 0; cap--)
    costs.tiles.forEach((shape, tile) => {
      if (shape.m < cap * w.group) return;
      const kind = { cap, tile, fixed: true };
      const uncut = s.score(kind, 0, true);
      best = best ? cheaper(best, uncut) : uncut;
      const { tokens, work, packs } = tally;
      // As a larger pack size had it: the same packs, or as good.
      const same = (x: Whole) =>
        x.tile === tile && x.tokens === tokens && x.work === work && x.works.length === packs;
      if (wholes.some(same)) return;
      const mean = Math.max(1, tally.mean(costs.units, kvHeads, overheadTokens(shape)));
      wholes.push({ ...kind, works: tally.works(), tokens, work, mean, ideal: s.ideal(shape, tokens, mean) });
    });
  wholes.sort((a, b) => a.ideal - b.ideal);
  for (const whole of wholes) {
    if (whole.ideal >= worth(best!.time)) break;
    for (const m of [0, ...more]) best = part(s, whole, whole.works.length + m, best!);
    for (const pieces of targets(s, whole)) best = cut(s, whole, pieces, best!);
  }
  if (best !== known && best!.limit > 0) {
    const found = wholes.find((x) => x.cap === best!.cap && x.tile === best!.tile)!;
    const pieces = found.works.reduce((sum, work) => sum + Math.ceil(work / best!.limit), 0);
    for (const by of [-1, 1, -2, 2, 3]) best = cut(s, found, pieces + by, best!);
  }
  return { best: best!, lowest: wholes[0]!.ideal };
}

function targets({ costs, kvHeads }: Scorer, { works }: Whole): number[] {
  const all = [
    ...fills.map((f) => Math.floor((costs.units * f) / (12 * kvHeads))),
    ...more.map((m) => works.length + m),
  ];
  return all.filter((pieces, i) => all.indexOf(pieces) === i);
}

/** The better of `best` and packs of that kind in so many pieces. */
function cut(s: Scorer, whole: Whole, pieces: number, best: Choice): Choice {
  const { costs, kvHeads, unique, w } = s;
  if (pieces <= whole.works.length) return best;
  const shape = costs.tiles[whole.tile]!;
  // Before the even limit is known: no piece is smaller than the mean one.
  const smallest = Math.ceil(whole.work / pieces) - 1;
  const heaviest = Math.max(whole.mean, smallest + overheadTokens(shape));
  const time = launchTime(costs, shape, kvHeads, unique, whole.tokens, heaviest, smallest);
  if (time + costs.launch >= worth(best.time)) return best;
  const even = evenLimit(whole, pieces);
  if (atLeast(s, whole, even) >= worth(best.time)) return best;
  const limit = Math.max(w.align, even);
  const early = cheaper(best, s.score(whole, limit, true));
  return s.ends[w.length.length] ? cheaper(early, s.score(whole, limit, false)) : early;
}

/** The better of `best` and packs of that kind that end early, so many and as even as their order allows, none cut. */
function part(s: Scorer, whole: Whole, packs: number, best: Choice): Choice {
  const { costs, kvHeads, unique, w } = s;
  if (whole.cap === 1 || packs > w.length.length) return best;
  const shape = costs.tiles[whole.tile]!;
  const overhead = overheadTokens(shape);
  const slower = (limit: number): boolean =>
    launchTime(costs, shape, kvHeads, unique, unique, limit + overhead, limit) >= best.time;
  const least = w.length.reduce((most, length) => Math.max(most, length), Math.ceil(unique / packs));
  if (slower(least)) return best;
  const limit = evenRuns(w, whole.cap, paceOf(w, shape), packs, least);
  return slower(limit) ? best : cheaper(best, s.score(whole, limit, true));
}

/** The smallest limit, from `least` on, under which at most so many packs hold the sequences. */
function evenRuns(w: Work, cap: number, pace: Pace, packs: number, least: number): number {
  const n = w.length.length;
  const load = (b: number, e: number) => pathWork(w, pace, b, e);
  for (let limit = least; ;) {
    let [runs, next] = [0, Infinity];
    for (let b = 0; b < n; runs++) {
      let e = b + 1;
      while (e < n && e - b < cap && load(b, e + 1) <= limit) e++;
      if (e < n && e - b < cap) next = Math.min(next, load(b, e + 1));
      b = e;
    }
    if (runs <= packs || next === Infinity) return limit;
    limit = next;
  }
}

/** Less time than packs cut by that limit can take: the mean unit, the largest piece and a row for every piece. */
function atLeast({ costs, kvHeads, unique, w }: Scorer, whole: Whole, limit: number): number {
  const shape = costs.tiles[whole.tile]!;
  const overhead = overheadTokens(shape);
  let [all, partial] = [0, 0];
  for (const work of whole.works) {
    const parts = Math.max(1, Math.ceil(work / limit));
    all += parts;
    if (parts > 1) partial += parts;
  }
  const mean = Math.ceil(((whole.work + overhead * all) * kvHeads) / costs.units);
  const heaviest = Math.max(mean, limit - 1 + overhead);
  const time = launchTime(costs, shape, kvHeads, unique, whole.tokens, heaviest, limit - 1);
  return time + costs.launch + partial * w.batch.qHeads * costs.partialRow;
}

/** The smallest limit that cuts the packs into at most so many pieces; there are more pieces than packs. */
function evenLimit({ works, work: all }: Whole, pieces: number): number {
  let limit = Math.max(1, Math.ceil(all / pieces));
  for (;;) {
    let count = 0;
    let next = Infinity;
    for (const work of works) {
      const parts = Math.max(1, Math.ceil(work / limit));
      count += parts;
      if (parts > 1) next = Math.min(next, Math.ceil(work / (parts - 1)));
    }
    if (count <= pieces) return limit;
    limit = next;
  }
}
