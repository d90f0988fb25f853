/**
 * The search for up to eight sequences: every pack size in every tile that holds it, most promising first by a bound that no cut can
 * beat; the search ends where no kind can gain enough. Limits are those that give so many pieces in all, as even as the packs
 * allow: fractions and multiples of what fills the machine once.
 */
import { cheaper, worth, type Choice, type Kind, type Scorer } from './candidate.ts';
import { launchTime, overheadTokens } from './score.ts';
import { paceOf, pathWork, type Pace, type Work } from './work.ts';

/** Pieces, in twelfths of the packs that are one job for each unit. */
const fills = [12, 6, 24, 9, 18, 4, 8, 36, 10, 3, 48];
/** Pieces more than there are packs, for packs of more heads than there are units. */
const more = [1, 2, 3];

/** A kind, and less time than it can take. */
interface Bounded extends Kind {
  readonly least: number;
}

interface Whole extends Kind {
  /** Work of each pack. */
  readonly works: readonly number[];
  readonly tokens: number;
  readonly work: number;
  readonly mean: number;
}

/**
 * `known`: the best plan of the same sequences in another order, which is returned where none here is faster. `lowest`: what no
 * plan of these packs can be faster than.
 */
export function chooseFew(s: Scorer, known?: Choice): { best: Choice; lowest: number } {
  let best = known;
  const wholes: Whole[] = [];
  const kinds = kindsOf(s);
  for (const kind of kinds) {
    if (best && kind.least >= worth(best.time)) break;
    const uncut = s.score(kind, 0, true);
    best = best ? cheaper(best, uncut) : uncut;
    const whole = wholeOf(s, kind);
    // As another pack size had it: the same packs, or as good.
    const same = (x: Whole) =>
      x.tile === whole.tile &&
      x.tokens === whole.tokens &&
      x.work === whole.work &&
      x.works.length === whole.works.length;
    if (wholes.some(same)) continue;
    wholes.push(whole);
    const ideal = s.ideal(s.costs.tiles[kind.tile]!, whole.tokens, whole.mean);
    if (ideal >= worth(best.time)) continue;
    best = parts(s, whole, best);
    if (ideal + s.merge >= worth(best.time)) continue;
    for (const pieces of targets(s, whole)) best = cut(s, whole, pieces, best);
  }
  if (best !== known && best!.limit > 0) {
    const found = wholes.find((x) => x.cap === best!.cap && x.tile === best!.tile)!;
    const pieces = found.works.reduce((sum, work) => sum + Math.ceil(work / best!.limit), 0);
    for (const by of [-1, 1, -2, 2, 3]) best = cut(s, found, pieces + by, best!);
  }
  return { best: best!, lowest: kinds[0]!.least };
}

/** All kinds, those of the lowest bound first. */
function kindsOf(s: Scorer): Bounded[] {
  const kinds: Bounded[] = [];
  for (let cap = s.largestCap; cap > 0; cap--) {
    const loaded = fewestTokens(s.w, cap);
    s.costs.tiles.forEach((shape, tile) => {
      if (shape.m >= cap * s.w.group)
        kinds.push({ cap, tile, fixed: true, least: s.least(cap, tile, loaded) });
    });
  }
  return kinds.sort((a, b) => a.least - b.least);
}

/** Tokens that packs of at most `cap` sequences load at least: where one ends, what its neighbours share is loaded again. */
function fewestTokens({ shared, before }: Work, cap: number): number {
  const n = shared.length;
  // Of packs up to a sequence where one begins; all of them, at the end.
  const again = [0];
  for (let i = 1; i <= n; i++)
    again.push((i < n ? shared[i]! : 0) + Math.min(...again.slice(Math.max(0, i - cap), i)));
  return before[n]! + again[n]!;
}

/** The packs that were scored last. */
function wholeOf({ costs, tally, kvHeads }: Scorer, { cap, tile, fixed }: Kind): Whole {
  const { tokens, work } = tally;
  const mean = Math.max(1, tally.mean(costs.units, kvHeads, overheadTokens(costs.tiles[tile]!)));
  return { cap, tile, fixed, works: tally.works(), tokens, work, mean };
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
function parts(s: Scorer, whole: Whole, best: Choice): Choice {
  const { costs, kvHeads, longest, unique, w } = s;
  const shape = costs.tiles[whole.tile]!;
  const overhead = overheadTokens(shape);
  const slower = (limit: number): boolean =>
    launchTime(costs, shape, kvHeads, unique, unique, limit + overhead, limit) >= best.time;
  if (whole.cap === 1 || slower(longest)) return best;
  for (const m of [0, ...more]) {
    const packs = whole.works.length + m;
    const least = Math.max(longest, Math.ceil(unique / packs));
    if (packs > w.length.length || slower(least)) continue;
    const limit = evenRuns(w, whole.cap, paceOf(w, shape), packs, least);
    if (!slower(limit)) best = cheaper(best, s.score(whole, limit, true));
  }
  return best;
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
