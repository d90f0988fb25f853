/**
 * Fits the planner's kernel figures (examples/pat/cost.ts) to a tile sweep that was planned with the figures of this checkout:
 *   node scripts/fit-planner.ts bench/results/cuda-h100-tile-sweep.json [L2 GB/s] [START ns]
 * Prints one line of figures for each tile shape with its error, and what choosing by them would cost. Shapes are fitted one by
 * one: three figures each, by coordinate descent on squared logarithms, from several starts.
 */
import { readFileSync } from 'node:fs';
import { figuresOf, planCosts } from '../examples/pat/cost.ts';
import { loadWorkload } from '../examples/pat/index.ts';
import { LoadTally, memoryTime } from '../examples/pat/packers/score.ts';
import { makePlan } from '../examples/pat/plan.ts';
import { packLoads } from '../examples/pat/predict.ts';

interface Row {
  readonly tree: string;
  readonly heads: string;
  readonly headDim: number;
  readonly page: number;
  readonly dtype: string;
  readonly tile: { readonly m: number; readonly n: number; readonly stages: number };
  readonly producers?: number;
  readonly graphUs: number;
}

/** One run: what its plan asks of the machine. Loads in tokens, times in ns. */
interface Sample {
  readonly row: Row;
  readonly tally: LoadTally;
  readonly kvHeads: number;
  readonly memory: number;
  readonly cache: number;
  readonly partials: number;
}

type Figures = readonly [token: number, alone: number, pack: number];

const figures = figuresOf('cuda');
const { wMin } = figures.kernels[0]!;
const cacheGBs = Number(process.argv[3] ?? figures.cacheGBs);
const startNs = Number(process.argv[4] ?? figures.kernels[0]!.startNs);

function sampleOf(row: Row): Sample {
  const batch = loadWorkload(row.tree, row);
  const costs = planCosts(figures, figures.units, [row.tile], batch);
  const { tables, work } = makePlan(batch, costs);
  const tally = new LoadTally();
  for (const load of packLoads(tables)) tally.add(load);
  const rows = tables.slots * batch.qHeads;
  return {
    row,
    tally,
    kvHeads: batch.kvHeads,
    memory: memoryTime(costs, batch.kvHeads, work.before[work.length.length]!) / 1000,
    cache: (tally.tokens * batch.kvHeads * costs.cacheToken * figures.cacheGBs) / cacheGBs / 1000,
    partials: rows > 0 ? (costs.launch + rows * costs.partialRow) / 1000 : 0,
  };
}

function predictUs(s: Sample, [token, alone, pack]: Figures): number {
  const busy = s.tally.heaviest(figures.units, s.kvHeads, Math.floor(pack / token)) * token;
  const m = Math.max(busy, s.tally.largest * Math.max(alone, token) + pack);
  return (startNs + Math.max(s.memory, s.cache, m) + wMin * Math.min(s.memory, m) + s.partials) / 1000;
}

/** Squared error of the logarithms; one run that the form cannot describe does not pull the rest along. */
const errorOf = (samples: readonly Sample[], f: Figures): number =>
  samples.reduce((sum, s) => sum + Math.min(0.25, Math.log(predictUs(s, f) / s.row.graphUs) ** 2), 0);

function fit(samples: readonly Sample[]): Figures {
  let best: Figures = [10, 30, 1000];
  for (const start of [10, 20, 40].flatMap((t) => [2, 5].map((a): Figures => [t, t * a, 1000]))) {
    let now = start;
    for (let factor = 1.5; factor > 1.005; factor = Math.sqrt(factor))
      for (let moved = true; moved;) {
        moved = false;
        for (const i of [0, 1, 2])
          for (const by of [factor, 1 / factor]) {
            const next = now.map((x, j) =>
              i === j ? Math.max(x * by, i === 2 ? 300 : 1) : x,
            ) as unknown as Figures;
            if (errorOf(samples, next) >= errorOf(samples, now) - 1e-9) continue;
            now = next;
            moved = true;
          }
      }
    if (errorOf(samples, now) < errorOf(samples, best)) best = now;
  }
  return [best[0], Math.max(best[0], best[1]), best[2]];
}

const { rows } = JSON.parse(readFileSync(process.argv[2]!, 'utf8')) as { rows: Row[] };
/** The kernel as it ships: no other number of warps, no producers; the planner's figures know no stages. */
const shipped = rows.filter((r) => !r.producers && !('warps' in r.tile) && r.tile.stages === 3);
const byShape = Map.groupBy(shipped.map(sampleOf), ({ row: { tile } }) => `m: ${tile.m}, n: ${tile.n}`);
const cases = new Map<string, { measured: number; predicted: number }[]>();
for (const [shape, samples] of byShape) {
  const f = fit(samples);
  const [token, alone, pack] = f;
  const error = Math.sqrt(errorOf(samples, f) / samples.length);
  console.log(
    `{ ${shape}, tokenNs: ${token.toFixed(1)}, aloneNs: ${alone.toFixed(1)}, packNs: ${pack.toFixed(0)} } // ${(100 * error).toFixed(0)} % off over ${samples.length} runs`,
  );
  for (const s of samples) {
    const name = `${s.row.tree} ${s.row.heads}`;
    cases.set(name, [...(cases.get(name) ?? []), { measured: s.row.graphUs, predicted: predictUs(s, f) }]);
  }
}
const regret = [...cases.values()].map((of) => {
  const chosen = of.reduce((a, b) => (b.predicted < a.predicted ? b : a));
  return Math.log(chosen.measured / Math.min(...of.map((c) => c.measured)));
});
const mean = Math.exp(regret.reduce((a, b) => a + b) / regret.length);
console.log(
  `the shape it would choose for each of ${regret.length} cases: ${(100 * (mean - 1)).toFixed(1)} % slower than the best (geometric mean)`,
);
