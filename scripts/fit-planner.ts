/**
 * Fits the planner's figures (examples/pat/cost.ts) to a tile sweep, recorded or as bench/sweep.ts writes it:
 *   node scripts/fit-planner.ts bench/results/cuda-h100-tile-sweep.json|sweep.jsonl [--check]
 * Prints the device's figures and one line for each tile shape with its error. Paste them into cost.ts and run
 * scripts/host-figures.ts; `--check` then tells what the planner makes of the figures as they stand in cost.ts.
 *
 * Four figures for each shape (the fifth, wMax, is left at 1), by coordinate descent on squared logarithms from several starts; around
 * that the same descent over the device's figures, all shapes fitted again for every step. A run counts only where this checkout plans
 * it in as many packs and splits as were measured: right after a sweep that is every run, after pasting it is no longer.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Tile } from '../compiler/program.ts';
import { figuresOf, planCosts, sameShape, tileShape, variantOf } from '../examples/pat/cost.ts';
import { tokenBytes } from '../examples/pat/heads.ts';
import { loadWorkload } from '../examples/pat/index.ts';
import { LoadTally } from '../examples/pat/packers/score.ts';
import { rereadCost, workOf } from '../examples/pat/packers/work.ts';
import { makePlan } from '../examples/pat/plan.ts';
import { predict } from '../examples/pat/predict.ts';
import { laneTokens } from '../examples/pat/lanes.ts';
import { packLoad, packRows } from '../examples/pat/tables.ts';

interface Row {
  readonly tree: string;
  readonly heads: string;
  readonly headDim: number;
  readonly page: number;
  readonly dtype: string;
  /** Undefined: the planner's own choice. */
  readonly tile: Tile | undefined;
  readonly producers?: number;
  readonly graphUs: number;
  readonly packs: number;
  readonly splits: number;
}

/** One run: what its plan asks of the machine, in tokens of one KV head and in bytes. */
interface Sample {
  readonly row: Row;
  readonly shape: string;
  readonly packs: readonly { readonly steps: number; readonly reads: number }[];
  readonly group: number;
  readonly kvHeads: number;
  readonly unique: number;
  readonly loaded: number;
  readonly tokenBytes: number;
  readonly partialRows: number;
}

type Figures = readonly [token: number, alone: number, pack: number, warp: number];
/** Figures do not go below these. */
const least: Figures = [1, 1, 300, 0.05];

const figures = figuresOf('cuda');
const { memoryGBs, cacheGBs, cachedShare, launchNs, partialRowNs } = figures;
const { startNs, wMin } = figures.kernels[0]!;
const device = { memoryGBs, cacheGBs, cachedShare, launchNs, partialRowNs, startNs, wMin };
type Device = typeof device;

const shapeName = (tile: Tile): string => `${tile['m']}, ${tile['n']}, ${variantOf(tile)}`;
const caseName = (row: Row): string => `${row.tree} ${row.heads}`;

const planOf = (row: Row, tiles: readonly Tile[]) => {
  const batch = loadWorkload(row.tree, row);
  return makePlan(batch, planCosts(figures, figures.units, tiles.map(tileShape), batch));
};

/** Undefined where the plan is another one by now. */
function sampleOf(row: Row): Sample | undefined {
  if (!row.tile) return undefined;
  const { tables, work, batch } = planOf(row, [row.tile]);
  if (packRows(tables) !== row.packs || tables.slots !== row.splits) return undefined;
  const packs = Array.from({ length: packRows(tables) }, (_, p) =>
    packLoad(tables, p, laneTokens(row.tile!['n']!, batch.page)),
  );
  return {
    row,
    shape: shapeName(row.tile),
    packs,
    group: work.group,
    kvHeads: batch.kvHeads,
    unique: work.before.at(-1)! * batch.kvHeads,
    loaded: packs.reduce((sum, { load }) => sum + load, 0) * batch.kvHeads,
    tokenBytes: tokenBytes(batch),
    partialRows: tables.slots * batch.qHeads,
  };
}

const tally = new LoadTally();

/** The formula of cost.ts, not rounded. */
function predictUs(s: Sample, [token, alone, pack, warp]: Figures, d: Device): number {
  const reread = rereadCost({ warp: Math.round((256 * warp) / token) }, s.group);
  tally.reset();
  for (const { steps, reads } of s.packs) tally.add(steps, workOf(steps, reads, reread));
  const busy = tally.heaviest(figures.units, s.kvHeads, Math.floor(pack / token)) * token;
  const lone = tally.largest * Math.max(alone, token) + pack;
  const m = Math.max(busy, lone);
  const bytes = s.unique * s.tokenBytes;
  const jobs = s.packs.length * s.kvHeads;
  const rest = jobs % (2 * figures.units);
  const all = (bytes / d.memoryGBs) * (bytes <= figures.cacheBytes ? d.cachedShare : 1);
  const h = rest > 0 && rest < jobs ? Math.max(all, (all / jobs) * (jobs - rest) + lone) : all;
  const most = Math.max(h, m, (s.loaded * s.tokenBytes) / d.cacheGBs);
  const partials = s.partialRows > 0 ? d.launchNs + s.partialRows * d.partialRowNs : 0;
  return (d.startNs + most + (d.wMin * Math.min(h, m) ** 2) / most + partials) / 1000;
}

/** Squared error of the logarithms; one run that the form cannot describe does not pull the rest along. */
const errorOf = (samples: readonly Sample[], f: Figures, d: Device): number =>
  samples.reduce((sum, s) => sum + Math.min(0.25, Math.log(predictUs(s, f, d) / s.row.graphUs) ** 2), 0);

interface Fit {
  readonly figures: Figures;
  readonly error: number;
}

/** From figures that are nearly right, or from several starts. */
function fit(samples: readonly Sample[], d: Device, near?: Figures): Fit {
  // Tiles of one warp have no warp more to count.
  const oneWarp = samples[0]!.row.tile!['m'] === 16;
  const starts = [10, 20].flatMap((t) =>
    [1.5, 4].flatMap((a) => (oneWarp ? [0] : [least[3], 2]).map((w): Figures => [t, t * a, 1000, w])),
  );
  let best: Fit | undefined;
  for (const start of near ? [near] : starts) {
    let now: Fit = { figures: start, error: errorOf(samples, start, d) };
    for (let factor = near ? 1.2 : 1.5; factor > 1.01; factor = Math.sqrt(factor))
      for (let moved = true; moved;) {
        moved = false;
        for (const i of oneWarp ? [0, 1, 2] : [0, 1, 2, 3])
          for (const by of [factor, 1 / factor]) {
            const next = now.figures.map((x, j) =>
              i === j ? Math.max(x * by, least[j]!) : x,
            ) as unknown as Figures;
            const error = errorOf(samples, next, d);
            if (error >= now.error - 1e-9) continue;
            now = { figures: next, error };
            moved = true;
          }
      }
    if (!best || now.error < best.error) best = now;
  }
  return best!;
}

/** Shapes fitted one by one, and the device's figures around them. */
function fitDevice(byShape: ReadonlyMap<string, readonly Sample[]>) {
  const fitAll = (d: Device, near?: ReadonlyMap<string, Fit>) => {
    const fits = new Map([...byShape].map(([k, s]) => [k, fit(s, d, near?.get(k)?.figures)] as const));
    return { device: d, fits, error: [...fits.values()].reduce((sum, { error }) => sum + error, 0) };
  };
  let best = fitAll(device);
  for (let round = 0; round < 4; round++)
    for (const key of Object.keys(device) as (keyof Device)[])
      for (const by of [1.1, 1 / 1.1, 1.3, 1 / 1.3]) {
        const next = fitAll({ ...best.device, [key]: best.device[key] * by }, best.fits);
        if (next.error < best.error - 1e-6) best = next;
      }
  return best;
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
    if (row.with !== '') return [];
    const [qHeads, kvHeads] = row.heads.split('/').map(Number) as [number, number];
    const blocks = (kernel: string): number =>
      launches
        .filter((l) => l.kernel === kernel)
        .reduce((sum, l) => sum + l.blocks.reduce((n, b) => n + b.count, 0), 0);
    const packs = blocks('pat_forward') / kvHeads;
    return [{ ...row, tile: fixed ?? undefined, packs, splits: blocks('pat_merge') / qHeads }];
  });
}

const percent = (x: number): string => `${(100 * x).toFixed(2)} %`;
/** By how much a geometric mean of these ratios is above 1. */
const above = (ratios: readonly number[]): string =>
  percent(Math.exp(ratios.reduce((sum, x) => sum + Math.log(x), 0) / ratios.length) - 1);

interface Predicted {
  readonly row: Row;
  readonly us: number;
}

/** How much slower the shapes of least predicted time are than the fastest of each case. */
function regret(of: readonly Predicted[]): string {
  const cases = [...Map.groupBy(of, ({ row }) => caseName(row)).values()];
  const ratios = cases.map((runs) => {
    const chosen = runs.reduce((a, b) => (b.us < a.us ? b : a)).row.graphUs;
    return chosen / Math.min(...runs.map(({ row }) => row.graphUs));
  });
  return `the shape it would choose for each of ${ratios.length} cases: ${above(ratios)} slower than the best (geometric mean)`;
}

/** The figures as they stand in cost.ts, through the planner: one shape at a time, then all at once. */
function check(rows: readonly Row[]): void {
  const shaped = rows.filter((r) => r.tile);
  const of = shaped.map((row) => ({ row, us: predict(planOf(row, [row.tile!])).time / 1e6 }));
  const errors = of.map(({ row, us }) => Math.log(us / row.graphUs) ** 2);
  console.log(
    `the planner's prediction of its own plans: ${percent(Math.sqrt(errors.reduce((a, b) => a + b) / of.length))} rms`,
  );
  console.log(regret(of));
  const [behind, gained]: [number[], number[]] = [[], []];
  const counts = new Map<string, number>();
  let [several, measured] = [0, 0];
  for (const runs of Map.groupBy(rows, caseName).values()) {
    const fixed = runs.filter((r) => r.tile);
    const { tables } = planOf(
      fixed[0]!,
      fixed.map((r) => r.tile!),
    );
    const chosen = fixed.find((r) => sameShape(tileShape(r.tile!), tables.shapes[0]!.tile))!;
    counts.set(shapeName(chosen.tile!), (counts.get(shapeName(chosen.tile!)) ?? 0) + 1);
    if (tables.shapes.length > 1) several++;
    if (packRows(tables) === chosen.packs && tables.slots === chosen.splits) measured++;
    behind.push(chosen.graphUs / Math.min(...fixed.map((r) => r.graphUs)));
    const before = runs.find((r) => !r.tile);
    if (before) gained.push(chosen.graphUs / before.graphUs);
  }
  console.log(
    `with all shapes at hand, by the runs of the first one (${several} cases use several; ${measured} plans are those measured):`,
  );
  console.log(`  ${above(behind)} slower than the best`);
  if (gained.length > 0) console.log(`  ${above(gained)} slower than what was chosen when it was measured`);
  for (const [shape, n] of [...counts].sort((a, b) => b[1] - a[1])) console.log(`  [${shape}]: ${n}`);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'boolean', default: false } },
});
/** The kernel as it ships: no other number of warps; the planner's figures know no stages but those of a ring. */
const shipped = readRows(positionals[0]!).filter(
  ({ tile, producers }) =>
    !tile || (!producers && !('warps' in tile) && (variantOf(tile) > 0 || tile['stages'] === 3)),
);
if (values.check) check(shipped);
else {
  const samples = shipped.flatMap((row) => sampleOf(row) ?? []);
  console.log(
    `${samples.length} of ${shipped.filter((r) => r.tile).length} runs are planned now as they were measured`,
  );
  const byShape = Map.groupBy(samples, ({ shape }) => shape);
  const { device: d, fits, error } = fitDevice(byShape);
  console.log(
    Object.entries(d)
      .map(([key, x]) => `${key}: ${Number(x.toPrecision(3))}`)
      .join(', '),
  );
  for (const [shape, { figures: f, error: of }] of fits) {
    // Nothing left of it: warps cost no more than the first.
    const warp = f[3] < 2 * least[3] ? 0 : f[3];
    const runs = byShape.get(shape)!.length;
    const row = [f[0], Math.max(f[0], f[1]), warp].map((x) => Number(x.toFixed(1)));
    console.log(
      `[${shape}, ${row.join(', ')}, ${f[2].toFixed(0)}, 1], // ${percent(Math.sqrt(of / runs))} off over ${runs} runs`,
    );
  }
  console.log(`${percent(Math.sqrt(error / samples.length))} rms`);
  console.log(regret(samples.map((s) => ({ row: s.row, us: predictUs(s, fits.get(s.shape)!.figures, d) }))));
}
