/**
 * Fits the tuner's cost model to a tile sweep and writes compiler/tune/fits/FAMILY.json:
 *   node scripts/fit-model.ts bench/results/cuda-h200-tile-sweep.json
 * A row of the sweep has tree, heads, headDim, page, dtype, target, tile, producers, graphUs.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';
import { Lowering } from '../compiler/cli/lowering.ts';
import type { KernelTemplate, Tile } from '../compiler/program.ts';
import { findTarget } from '../compiler/target.ts';
import { configure, isRefused } from '../compiler/tune/configuration.ts';
import { describedBy } from '../compiler/tune/devices.ts';
import { fitCoefficients, judgeFit, type MeasuredRun } from '../compiler/tune/fit.ts';
import { askNvcc } from '../compiler/tune/nvcc.ts';
import { fitOf, fitSchema, type Fit } from '../compiler/tune/fits.ts';
import { figureOf } from '../compiler/tune/devices.ts';
import { forward, pat } from '../examples/pat/index.ts';

const sweep = z.object({
  device: z.string(),
  rows: z.array(
    z.object({
      tree: z.string(),
      heads: z.string(),
      headDim: z.number(),
      page: z.number(),
      dtype: z.string(),
      target: z.string(),
      tile: z.record(z.string(), z.number()),
      producers: z.number().default(0),
      graphUs: z.number(),
    }),
  ),
});

/** Sweeps have shapes and lowering numbers that the shipped kernel no longer offers; the lowering still takes them. */
const anyTile: KernelTemplate = {
  ...forward,
  trace(spec, tile, reads) {
    const { m, n, ...rest } = tile;
    const kernel = forward.trace(spec, { m: m!, n: n! }, reads);
    return { ...kernel, tile: { ...kernel.tile, ...rest } };
  },
};

export async function runsOf(
  file: string,
): Promise<{ device: string; family: 'cuda' | 'wgsl'; runs: MeasuredRun[] }> {
  const { device, rows } = sweep.parse(JSON.parse(readFileSync(file, 'utf8')));
  const lowerings = new Map<string, Lowering>();
  const family = rows[0]!.target.startsWith('wgsl') ? 'wgsl' : 'cuda';
  const description = describedBy(family, device)!;
  const runs = rows.map((row): MeasuredRun => {
    const target = findTarget(row.target)!;
    const lowering = lowerings.get(row.target) ?? new Lowering(target);
    lowerings.set(row.target, lowering);
    const tile: Tile = { ...row.tile, producers: row.producers };
    const report = pat.plan!({
      workload: row.tree,
      seed: 1,
      spec: {},
      flags: { heads: row.heads, headDim: String(row.headDim), page: String(row.page), dtype: row.dtype },
      device: {
        family: target.family,
        units: figureOf(description, 'units'),
        feasible: (template, spec) =>
          template === forward ? [tile] : [lowering.feasible(template, spec)[0]!],
      },
      verify: false,
    });
    const [q, kv] = row.heads.split('/').map(Number) as [number, number];
    const spec = { headDim: row.headDim, group: q / kv, kvHeads: kv, page: row.page, dtype: row.dtype };
    const launches = report.work!.map((work) => {
      const configuration = configure(
        lowering,
        work.template === forward ? anyTile : work.template,
        spec,
        work.tile,
      );
      if (isRefused(configuration)) throw new Error(`${row.tree}: ${configuration.diagnostic.message}`);
      return { work, configuration };
    });
    return { group: `${row.tree} ${row.heads}`, device: description, launches, us: row.graphUs };
  });
  // The real registers decide how many blocks a unit holds.
  const all = [...new Set(runs.flatMap((r) => r.launches.map((l) => l.configuration.kernel)))];
  const asked = await askNvcc(
    all.map(
      (kernel) =>
        runs.flatMap((r) => r.launches).find((l) => l.configuration.kernel === kernel)!.configuration,
    ),
  );
  const real = new Map(asked.map((c) => [c.kernel, c]));
  return {
    device,
    family,
    runs: runs.map((r) => ({
      ...r,
      launches: r.launches.map((l) => ({ ...l, configuration: real.get(l.configuration.kernel)! })),
    })),
  };
}

if (import.meta.main) {
  const file = process.argv[2] ?? 'bench/results/cuda-h200-tile-sweep.json';
  const { device, family, runs } = await runsOf(file);
  const start = fitOf(family).coefficients;
  const coefficients = fitCoefficients(runs, start);
  const groups = [...new Set(runs.map((r) => r.group))];
  const heldOut = new Map(
    groups.map((g) => [
      g,
      fitCoefficients(
        runs.filter((r) => r.group !== g),
        coefficients,
      ),
    ]),
  );
  const fit: Fit = {
    family,
    coefficients,
    source: `bench/results/${basename(file)}: ${device}, ${groups.length} workloads`,
    runs: runs.length,
    ...judgeFit(runs, () => coefficients),
    heldOutRmsPercent: judgeFit(runs, (g) => heldOut.get(g)!).rmsPercent,
  };
  const text = `${JSON.stringify(fitSchema.parse(fit), null, 2)}\n`;
  writeFileSync(new URL(`../compiler/tune/fits/${family}.json`, import.meta.url), text);
  process.stdout.write(text);
}
