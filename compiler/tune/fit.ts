/** Fits the model's coefficients to measured runs: seeded random search in logarithms, then coordinate steps that shrink. */
import { Random } from '../ir/numeric.ts';
import type { LaunchWork } from '../work.ts';
import type { Configuration } from './configuration.ts';
import type { DeviceDescription } from './devices.ts';
import type { Coefficients, Fit } from './fits.ts';
import { launchUs } from './model.ts';
import { geometricMean, rmsPercent, spearman } from './statistics.ts';

export interface MeasuredRun {
  /** Runs of one group are one workload at several tile shapes. */
  readonly group: string;
  /** What is left out of a fit together when it is judged. */
  readonly fold: string;
  readonly device: DeviceDescription;
  readonly launches: readonly { readonly work: LaunchWork; readonly configuration: Configuration }[];
  readonly us: number;
}

export const predictRun = (run: MeasuredRun, k: Coefficients): number =>
  run.launches.reduce((sum, l) => sum + launchUs(l.work, l.configuration, run.device, k), 0);

const ranges: Readonly<Record<keyof Coefficients, readonly [number, number]>> = {
  issue: [0.1, 4],
  matrix: [0.5, 5],
  groupMatrix: [1, 3],
  chain: [0.1, 12],
  // Steps of 32 and 64 alone, as sweeps had, do not tell a step's fixed cost from its instructions; steps of 16, of earlier
  // kernels, had about this much.
  syncNs: [250, 20000],
  latency: [0.2, 6],
  lacking: [0.01, 3],
  sharpness: [1.5, 12],
  packNs: [50, 50000],
  pieceNs: [1, 3000],
  pieceBusyNs: [1, 3000],
  bandwidth: [0.3, 1.2],
  crowd: [0.001, 0.2],
  cache: [0.5, 8],
  cached: [0.3, 1],
  scatter: [0.05, 1.2],
  startUs: [1, 60],
};
const names = Object.keys(ranges) as (keyof Coefficients)[];

/** Squared errors, and more weight on what a choice depends on: how shapes of one workload stand to each other. */
function loss(runs: readonly MeasuredRun[], k: Coefficients): number {
  const groups = new Map<string, number[]>();
  for (const run of runs) {
    const error = Math.log(predictRun(run, k) / run.us);
    const group = groups.get(run.group);
    if (group) group.push(error);
    else groups.set(run.group, [error]);
  }
  let sum = 0;
  for (const errors of groups.values()) {
    const mean = errors.reduce((a, b) => a + b, 0) / errors.length;
    for (const e of errors) sum += e ** 2 + 3 * (e - mean) ** 2;
  }
  return sum / runs.length;
}

/** The best of several descents: the loss has valleys. */
export function fitCoefficients(
  runs: readonly MeasuredRun[],
  start: Coefficients,
  starts = 3,
  seed = 1,
): Coefficients {
  const random = new Random(seed);
  let best = start;
  let least = Infinity;
  for (let i = 0; i < starts; i++) {
    const k = descend(runs, i === 0 ? start : scattered(runs, start, random));
    const l = loss(runs, k);
    if (l < least) [best, least] = [k, l];
  }
  return Object.fromEntries(names.map((n) => [n, Number(best[n].toPrecision(3))])) as Coefficients;
}

const clamp = (name: keyof Coefficients, v: number): number =>
  Math.min(ranges[name][1], Math.max(ranges[name][0], v));

function scattered(runs: readonly MeasuredRun[], start: Coefficients, random: Random): Coefficients {
  let best = start;
  let least = Infinity;
  for (let i = 0; i < 40; i++) {
    const k = Object.fromEntries(
      names.map((name) => [name, clamp(name, start[name] * Math.exp(random.normal()))]),
    ) as Coefficients;
    const l = loss(runs, k);
    if (l < least) [best, least] = [k, l];
  }
  return best;
}

function descend(runs: readonly MeasuredRun[], start: Coefficients): Coefficients {
  let best = start;
  let least = loss(runs, best);
  for (let stride = 0.6; stride > 0.02; stride *= 0.6) {
    for (let moved = true, rounds = 0; moved && rounds < 6; rounds++) {
      moved = false;
      for (const name of names) {
        for (const sign of [1, -1]) {
          const k = { ...best, [name]: clamp(name, best[name] * Math.exp(sign * stride)) };
          const l = loss(runs, k);
          if (l < least) [best, least, moved] = [k, l, true];
        }
      }
    }
  }
  return best;
}

/** How good coefficients are on runs; `k` of a run may be coefficients that never saw it. */
export function judgeFit(
  runs: readonly MeasuredRun[],
  k: (run: MeasuredRun) => Coefficients,
): Pick<Fit, 'rmsPercent' | 'spearman' | 'regretPercent'> {
  const predicted = runs.map((r) => predictRun(r, k(r)));
  const measured = runs.map((r) => r.us);
  const groups = [...new Set(runs.map((r) => r.group))];
  const ranks: number[] = [];
  const regrets: number[] = [];
  for (const group of groups) {
    const at = runs.flatMap((r, i) => (r.group === group ? [i] : []));
    if (at.length < 3) continue;
    ranks.push(
      spearman(
        at.map((i) => predicted[i]!),
        at.map((i) => measured[i]!),
      ),
    );
    const chosen = at.reduce((a, b) => (predicted[b]! < predicted[a]! ? b : a));
    regrets.push(measured[chosen]! / Math.min(...at.map((i) => measured[i]!)));
  }
  return {
    rmsPercent: Number(rmsPercent(predicted, measured).toFixed(1)),
    spearman: Number((ranks.reduce((a, b) => a + b, 0) / ranks.length).toFixed(3)),
    regretPercent: Number((100 * (geometricMean(regrets) - 1)).toFixed(1)),
  };
}
