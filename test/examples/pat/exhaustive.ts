/**
 * The best plan that a search of everything finds, for forests of a few sequences: every partition of the sequences into packs
 * (neighbours or not), every pack whole, cut in 2 to 8 parts, cut after its root or at every node, every row tile; scored like
 * any plan, by the cost model with longest-first scheduling.
 */
import { makeBatch, type Batch } from '../../../examples/pat/batch.ts';
import { figuresOf, planCosts, type PlanCosts, type TileCost } from '../../../examples/pat/cost.ts';
import { buildForest } from '../../../examples/pat/forest.ts';
import { laneTokens } from '../../../examples/pat/lanes.ts';
import { equalPieces, type PieceSink } from '../../../examples/pat/packers/cut.ts';
import { launchTime, overheadTokens } from '../../../examples/pat/packers/score.ts';
import { Stream } from '../../../examples/pat/packers/stream.ts';
import { measure, rereadCost, workOf } from '../../../examples/pat/packers/work.ts';
import { generateForest } from '../../../examples/pat/workload/generate.ts';

/** `steps`: every entry in whole steps; `reads`: these, for every sequence that reads them. */
interface Load {
  readonly load: number;
  readonly steps: number;
  readonly reads: number;
}

/** The shapes of one search have one n, and the forests one page size. */
const [n, page] = [64, 16];
const step = laneTokens(n, page);

/** One way to run a group of sequences: loads of its packs and how many (sequence, part) pairs are partials. */
interface Way {
  readonly loads: readonly Load[];
  readonly partials: number;
}

/** Picoseconds of the cheapest plan. */
export function bestTime(batch: Batch, costs: PlanCosts): number {
  const n = batch.lengths.length;
  const group = batch.qHeads / batch.kvHeads;
  const whole = measure(batch, buildForest(batch));
  const unique = whole.before[n]!;
  const ways = new Map<number, Way[]>();
  const waysOf = (set: number) => {
    let found = ways.get(set);
    if (!found) ways.set(set, (found = groupWays(batch, set)));
    return found;
  };
  let best = Infinity;
  for (const tile of costs.tiles) {
    const cap = Math.floor(tile.m / group);
    const visit = (left: number, loads: readonly Load[], partials: number): void => {
      if (left === 0) {
        best = Math.min(best, score(batch, costs, tile, unique, loads, partials));
        return;
      }
      const first = left & -left;
      for (let rest = left ^ first, sub = rest; ; sub = (sub - 1) & rest) {
        if (bits(sub) < cap)
          for (const way of waysOf(sub | first))
            visit(left & ~(sub | first), [...loads, ...way.loads], partials + way.partials);
        if (sub === 0) break;
      }
    };
    visit((1 << n) - 1, [], 0);
  }
  return best;
}

const bits = (x: number): number => (x === 0 ? 0 : (x & 1) + bits(x >>> 1));

function groupWays(batch: Batch, set: number): Way[] {
  const rows = [...batch.lengths.keys()].filter((s) => (set >> s) & 1);
  const pick = (a: Int32Array) => Int32Array.from(rows, (s) => a[s]!);
  const part: Batch = {
    ...batch,
    lengths: pick(batch.lengths),
    tableBegin: pick(batch.tableBegin),
    source: pick(batch.source),
  };
  const w = measure(part, buildForest(part));
  const stream = new Stream(rows.length);
  stream.fill(w, 0, rows.length);
  const load = w.before[rows.length]!;
  const even = { reread: 0, step: 1, pads: undefined };
  const ways = [1, 2, 3, 4, 5, 6, 8].map((k) =>
    collect(rows.length, (sink) => equalPieces(stream, batch.page, w.align, load, k, even, sink)),
  );
  for (const cuts of [1, Infinity])
    ways.push(
      collect(rows.length, (sink) => {
        for (let i = stream.size - 1, done = 0; i >= 0; i--, done++) {
          if (done > 0 && done <= cuts) sink.next();
          const up = (x: number) => Math.ceil(x / batch.page) * batch.page;
          sink.add(
            stream.from[i]!,
            stream.to[i]!,
            stream.left[i]!,
            stream.count[i]!,
            up(stream.to[i]!) - up(stream.from[i]!),
          );
        }
      }),
    );
  const seen = new Set<string>();
  return ways.filter((way) => {
    const key = `${way.loads.map((x) => `${x.load} ${x.steps} ${x.reads}`).join()}/${way.partials}`;
    return !seen.has(key) && seen.add(key);
  });
}

function collect(rows: number, run: (sink: PieceSink) => void): Way {
  const loads = [{ load: 0, steps: 0, reads: 0 }];
  const touched = Array.from({ length: rows }, () => new Set<number>());
  run({
    add(_from, _to, left, count, load) {
      const whole = Math.ceil(load / step) * step;
      loads.at(-1)!.load += load;
      loads.at(-1)!.steps += whole;
      loads.at(-1)!.reads += whole * count;
      for (let i = left; i < left + count; i++) touched[i]!.add(loads.length);
    },
    next: () => loads.push({ load: 0, steps: 0, reads: 0 }),
  });
  return { loads, partials: touched.reduce((sum, t) => sum + (t.size > 1 ? t.size : 0), 0) };
}

function score(
  batch: Batch,
  costs: PlanCosts,
  tile: TileCost,
  unique: number,
  loads: readonly Load[],
  partials: number,
): number {
  const overhead = overheadTokens(tile);
  const reread = rereadCost(tile, batch.qHeads / batch.kvHeads);
  const units = new Float64Array(costs.units);
  const sorted = loads.map((x) => workOf(x.steps, x.reads, reread)).sort((a, b) => b - a);
  for (const load of sorted)
    for (let head = 0; head < batch.kvHeads; head++) {
      let least = 0;
      for (let u = 1; u < units.length; u++) if (units[u]! < units[least]!) least = u;
      units[least]! += load + overhead;
    }
  const total = loads.reduce((sum, { load }) => sum + load, 0);
  const jobs = sorted.length * batch.kvHeads;
  const time = launchTime(
    costs,
    tile,
    batch.kvHeads,
    unique,
    total,
    Math.max(...units),
    sorted[0] ?? 0,
    jobs,
  );
  return partials > 0 ? time + costs.launch + partials * batch.qHeads * costs.partialRow : time;
}

/** A forest of one to five sequences in whole pages, on a small machine; undefined where the draw has another size. */
export function smallForest(seed: number): { batch: Batch; costs: PlanCosts } | undefined {
  const { input, heads } = generateForest(seed, 5);
  // A third of the forests have lengths in thousands.
  const scale = seed % 3 === 2 ? 8 : 1;
  const sequences = input.sequences.map((s) => ({
    length: s.pages.length * page * scale,
    pages: s.pages.flatMap((p) => Array.from({ length: scale }, (_, i) => p * scale + i)),
  }));
  if (sequences.length === 0 || sequences.length > 5) return undefined;
  const batch = makeBatch({ page, sequences }, heads);
  const tiles = [16, 32, 64, 128].map((m) => ({ m, n, stages: 2 }));
  return {
    batch,
    costs: planCosts(figuresOf('cuda'), [4, 8, 16][seed % 3 === 2 ? 2 : seed % 2]!, tiles, heads),
  };
}
