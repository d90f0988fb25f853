/**
 * Fits the planner's kernel figures (examples/pat/cost.ts) to a tile sweep, recorded or as bench/sweep.ts writes it:
 *   node scripts/fit-planner.ts bench/results/cuda-h100-tile-sweep.json|sweep.jsonl [L2 GB/s] [START ns]
 * Prints one line of figures for each tile shape with its error, and what choosing by them would cost. Paste the lines into
 * cost.ts and run scripts/host-figures.ts. Shapes are fitted one by one: four figures each, by coordinate descent on squared
 * logarithms, from several starts. A run counts only where this checkout still plans it in as many packs and splits as were
 * measured: right after a sweep that is every run.
 */
import { readFileSync } from 'node:fs';
import type { Tile } from '../compiler/program.ts';
import { figuresOf, planCosts, tileShape, variantOf } from '../examples/pat/cost.ts';
import { loadWorkload } from '../examples/pat/index.ts';
import { LoadTally, memoryTime } from '../examples/pat/packers/score.ts';
import { rereadCost, workOf } from '../examples/pat/packers/work.ts';
import { makePlan } from '../examples/pat/plan.ts';
import { packLoads } from '../examples/pat/predict.ts';
import { packRows } from '../examples/pat/tables.ts';

interface Row {
  readonly tree: string;
  readonly heads: string;
  readonly headDim: number;
  readonly page: number;
  readonly dtype: string;
  readonly tile: Tile;
  readonly producers?: number;
  readonly graphUs: number;
  readonly packs: number;
  readonly splits: number;
}

/** One run: what its plan asks of the machine. Loads in tokens, times in ns. */
interface Sample {
  readonly row: Row;
  readonly packs: readonly { readonly load: number; readonly reads: number }[];
  readonly group: number;
  readonly kvHeads: number;
  readonly memory: number;
  readonly cache: number;
  readonly partials: number;
}

type Figures = readonly [token: number, alone: number, pack: number, warp: number];
/** Figures do not go below these. */
const least: Figures = [1, 1, 300, 0.05];

const figures = figuresOf('cuda');
const { wMin } = figures.kernels[0]!;
const cacheGBs = Number(process.argv[3] ?? figures.cacheGBs);
const startNs = Number(process.argv[4] ?? figures.kernels[0]!.startNs);

/** Undefined where the plan is another one by now. */
function sampleOf(row: Row): Sample | undefined {
  const batch = loadWorkload(row.tree, row);
  const costs = planCosts(figures, figures.units, [tileShape(row.tile)], batch);
  const { tables, work } = makePlan(batch, costs);
  if (packRows(tables) !== row.packs || tables.slots !== row.splits) return undefined;
  const packs = packLoads(tables);
  const loaded = packs.reduce((sum, { load }) => sum + load, 0);
  const rows = tables.slots * batch.qHeads;
  return {
    row,
    packs,
    group: work.group,
    kvHeads: batch.kvHeads,
    memory: memoryTime(costs, batch.kvHeads, work.before[work.length.length]!) / 1000,
    cache: (loaded * batch.kvHeads * costs.cacheToken * figures.cacheGBs) / cacheGBs / 1000,
    partials: rows > 0 ? (costs.launch + rows * costs.partialRow) / 1000 : 0,
  };
}

const shapeName = (tile: Tile): string =>
  `m: ${tile.m}, n: ${tile.n}${variantOf(tile) > 0 ? `, variant: ${variantOf(tile)}` : ''}`;

const tally = new LoadTally();

function predictUs(s: Sample, [token, alone, pack, warp]: Figures): number {
  const reread = rereadCost({ warp: Math.round((256 * warp) / token) }, s.group);
  tally.reset();
  for (const { load, reads } of s.packs) tally.add(load, workOf(load, reads, reread));
  const busy = tally.heaviest(figures.units, s.kvHeads, Math.floor(pack / token)) * token;
  const m = Math.max(busy, tally.largest * Math.max(alone, token) + pack);
  return (startNs + Math.max(s.memory, s.cache, m) + wMin * Math.min(s.memory, m) + s.partials) / 1000;
}

/** Squared error of the logarithms; one run that the form cannot describe does not pull the rest along. */
const errorOf = (samples: readonly Sample[], f: Figures): number =>
  samples.reduce((sum, s) => sum + Math.min(0.25, Math.log(predictUs(s, f) / s.row.graphUs) ** 2), 0);

/** Tiles of one warp have no warp more to count. */
function fit(samples: readonly Sample[], oneWarp: boolean): Figures {
  let best: Figures = [10, 30, 1000, 0];
  const starts = [10, 20, 40].flatMap((t) =>
    [2, 5].flatMap((a) => (oneWarp ? [0] : [least[3], 2]).map((w): Figures => [t, t * a, 1000, w])),
  );
  for (const start of starts) {
    let now = start;
    for (let factor = 1.5; factor > 1.005; factor = Math.sqrt(factor))
      for (let moved = true; moved;) {
        moved = false;
        for (const i of oneWarp ? [0, 1, 2] : [0, 1, 2, 3])
          for (const by of [factor, 1 / factor]) {
            const next = now.map((x, j) => (i === j ? Math.max(x * by, least[j]!) : x)) as unknown as Figures;
            if (errorOf(samples, next) >= errorOf(samples, now) - 1e-9) continue;
            now = next;
            moved = true;
          }
      }
    if (errorOf(samples, now) < errorOf(samples, best)) best = now;
  }
  // Nothing left of it: warps cost no more than the first.
  const warp = best[3] < 2 * least[3] ? 0 : best[3];
  return [best[0], Math.max(best[0], best[1]), best[2], warp];
}

/** Rows of a record, or of the lines that a sweep wrote: there `fixed` is the tile, null for the planner's own choice. */
function readRows(file: string): Row[] {
  const text = readFileSync(file, 'utf8');
  if (!file.endsWith('.jsonl')) return (JSON.parse(text) as { rows: Row[] }).rows;
  const lines = text.trim().split('\n');
  return lines.flatMap((line) => {
    const { fixed, launches, ...row } = JSON.parse(line) as Row & {
      fixed: Tile | null;
      with: string;
      launches: readonly {
        readonly kernel: string;
        readonly blocks: readonly { readonly count: number }[];
      }[];
    };
    if (!fixed || row.with !== '') return [];
    const [qHeads, kvHeads] = row.heads.split('/').map(Number) as [number, number];
    const blocks = (kernel: string): number =>
      launches
        .filter((l) => l.kernel === kernel)
        .reduce((sum, l) => sum + l.blocks.reduce((n, b) => n + b.count, 0), 0);
    const packs = blocks('pat_forward') / kvHeads;
    return [{ ...row, tile: fixed, packs, splits: blocks('pat_merge') / qHeads }];
  });
}

/** The kernel as it ships: no other number of warps; the planner's figures know no stages but those of a ring. */
const shipped = readRows(process.argv[2]!).filter(
  (r) => !r.producers && !('warps' in r.tile) && (variantOf(r.tile) > 0 || r.tile.stages === 3),
);
const samples = shipped.flatMap((row) => sampleOf(row) ?? []);
console.log(`${samples.length} of ${shipped.length} runs are planned now as they were measured`);
const byShape = Map.groupBy(samples, ({ row: { tile } }) => shapeName(tile));
const cases = new Map<string, { measured: number; predicted: number }[]>();
for (const [shape, runs] of byShape) {
  const f = fit(runs, runs[0]!.row.tile['m'] === 16);
  const [token, alone, pack, warp] = f;
  const error = Math.sqrt(errorOf(runs, f) / runs.length);
  console.log(
    `{ ${shape}, tokenNs: ${token.toFixed(1)}, aloneNs: ${alone.toFixed(1)}, warpNs: ${warp.toFixed(1)}, packNs: ${pack.toFixed(0)} } // ${(100 * error).toFixed(0)} % off over ${runs.length} runs`,
  );
  for (const s of runs) {
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
