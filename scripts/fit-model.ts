/**
 * Fits the tuner's cost model to recorded runs and writes compiler/tune/fits/FAMILY.json:
 *   node scripts/fit-model.ts bench/results/cuda-h100-tile-sweep.json [MORE.json]... [--dry]
 * Held-out figures are of workloads whose tree the fit never saw, at any number of heads. `--dry` writes nothing and prints
 * each workload and each tile shape with its error.
 */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fitCoefficients, judgeFit, predictRun, type MeasuredRun } from '../compiler/tune/fit.ts';
import { fitOf, fitSchema, type Fit } from '../compiler/tune/fits.ts';
import { rmsPercent } from '../compiler/tune/statistics.ts';
import { readRecorded, runsOf } from './measured-runs.ts';

const dry = process.argv.includes('--dry');
const files = process.argv.slice(2).filter((a) => !a.startsWith('--'));
if (files.length === 0) files.push('bench/results/cuda-h100-tile-sweep.json');
const recorded = files.map(readRecorded);
const all = recorded.map(runsOf);
const { family } = all[0]!;
const runs = all.flatMap((a) => a.runs);
const coefficients = fitCoefficients(runs, fitOf(family).coefficients);
const folds = [...new Set(runs.map((r) => r.fold))];
const heldOut = new Map(
  folds.map((fold) => {
    const k = fitCoefficients(
      runs.filter((r) => r.fold !== fold),
      coefficients,
      1,
    );
    return [fold, k];
  }),
);
const workloads = new Set(runs.map((r) => r.group)).size;
const held = judgeFit(runs, (r) => heldOut.get(r.fold)!);
const fit: Fit = {
  family,
  coefficients,
  source: `${files.map((f) => `bench/results/${basename(f)}`).join(', ')}: ${[...new Set(recorded.map((r) => r.device))].join(', ')}, ${workloads} workloads`,
  runs: runs.length,
  ...judgeFit(runs, () => coefficients),
  heldOutRmsPercent: held.rmsPercent,
  heldOutSpearman: held.spearman,
  heldOutRegretPercent: held.regretPercent,
};
const text = `${JSON.stringify(fitSchema.parse(fit), null, 2)}\n`;
if (!dry) writeFileSync(new URL(`../compiler/tune/fits/${family}.json`, import.meta.url), text);
process.stdout.write(text);

const described = (list: readonly MeasuredRun[]): string => {
  const errors = list.map((r) => Math.log(predictRun(r, coefficients) / r.us));
  const mean = errors.reduce((a, b) => a + b, 0) / errors.length;
  const off = rmsPercent(
    list.map((r) => predictRun(r, coefficients)),
    list.map((r) => r.us),
  );
  return `${list.length} runs, ${off.toFixed(0)} % off, ${(100 * mean).toFixed(0)} % in the mean`;
};
if (dry) {
  const shape = (r: MeasuredRun): string => JSON.stringify(r.launches[0]!.work.tile);
  for (const [name, list] of [...Map.groupBy(runs, shape)]) console.log(name, described(list));
  for (const [name, list] of [...Map.groupBy(runs, (r) => r.group)]) {
    const { spearman, regretPercent } = judgeFit(list, () => coefficients);
    console.log(`${name}: ${described(list)}, rank correlation ${spearman}, regret ${regretPercent} %`);
  }
}
