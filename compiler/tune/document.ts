/** report.json: everything that a tuning run found, in the published form (schemas.ts). */
import type { Lowering } from '../cli/lowering.ts';
import type { KernelTemplate, Spec, Tile } from '../program.ts';
import { codeOf } from './code.ts';
import { figureOf } from './devices.ts';
import { fitOf } from './fits.ts';
import type { Predictor } from './predict.ts';
import type { ConfigurationJson, TunedTable, TuneJson } from './schemas.ts';
import type { Candidate } from './search.ts';
import { rmsPercent, spearman } from './statistics.ts';
import { cellsJson, type CellTimes } from './table.ts';
import { timelineOf } from './timeline.ts';
import { timeOf, type TuneOptions } from './tune.ts';

export interface Findings {
  readonly options: TuneOptions;
  readonly template: KernelTemplate;
  readonly spec: Spec;
  readonly predictor: Predictor;
  readonly lowering: Lowering;
  readonly candidates: readonly Candidate[];
  /** Those that the table chose from, best first. */
  readonly considered: readonly Candidate[];
  readonly unseen: number;
  readonly cells: readonly CellTimes[];
  readonly table: TunedTable | undefined;
  readonly elapsedSeconds: number;
}

/** Null where one of the two says the same of all. */
function ranked(predicted: readonly number[], measured: readonly number[]): number | null {
  const r = spearman(predicted, measured);
  return Number.isNaN(r) ? null : round(r);
}

const round = (x: number): number => Number(x.toPrecision(5));

export function documentOf(f: Findings): TuneJson {
  const { options: o, template, candidates, considered, predictor } = f;
  const best = considered[0]!;
  const tiles = f.table?.tiles ?? [best.tile];
  const tunedLaunches = predictor.launches(tiles);
  const tunedUs = tunedLaunches.reduce((sum, l) => sum + l.prediction.us, 0);
  const { flops, bytes } = leastWork(o, predictor, best.tile);
  const bandwidth = figureOf(o.device, 'bandwidth');
  const matrixFlops = figureOf(
    o.device,
    best.configuration!.matrix === 'none' ? 'vectorFlops' : 'matrixFlops',
  );
  const index = (c: Candidate): number => candidates.indexOf(c);
  const fit = fitOf(o.device.family);
  const pairs = considered.filter((c) => c.measured);
  return {
    ok: true,
    version: 1,
    program: o.program.name,
    kernel: template.name,
    command: o.command,
    on: o.on,
    seed: o.seed,
    budgetSeconds: o.budgetSeconds,
    elapsedSeconds: Number(f.elapsedSeconds.toFixed(2)),
    toolchain: o.toolchain,
    workload: o.workload ?? null,
    spec: { ...f.spec },
    target: o.target.name,
    device: {
      id: o.device.id,
      name: o.deviceName,
      units: figureOf(o.device, 'units'),
      bandwidth,
      matrixFlops,
    },
    floorUs: round(Math.max(bytes / bandwidth, flops / matrixFlops) * 1e6),
    flops,
    bytes,
    best: {
      tile: { ...best.tile },
      predictedUs: round(best.predictedUs!),
      ...(best.measured ? { measuredUs: round(best.measured.us) } : {}),
    },
    tuned: { predictedUs: round(tunedUs), tiles: tiles.map((t) => ({ ...t })) },
    comparisons: comparisons(f, tunedUs),
    ...(f.table ? { table: f.table } : {}),
    cells: cellsJson(f.cells, considered.map(index)),
    configurations: candidates.map((c) => configurationJson(c, template.name)),
    unseen: f.unseen,
    sensitivity: sensitivity(f, best.tile),
    timeline: timelineOf(tunedLaunches, o.device),
    model: {
      source: fit.source,
      runs: fit.runs,
      rmsPercent: fit.rmsPercent,
      heldOutRmsPercent: fit.heldOutRmsPercent,
      spearman: fit.spearman,
      regretPercent: fit.regretPercent,
      heldOutSpearman: fit.heldOutSpearman,
      heldOutRegretPercent: fit.heldOutRegretPercent,
      ...(pairs.length >= 3
        ? {
            here: {
              runs: pairs.length,
              rmsPercent: round(
                rmsPercent(
                  pairs.map((c) => c.predictedUs!),
                  pairs.map((c) => c.measured!.us),
                ),
              ),
              spearman: ranked(
                pairs.map((c) => c.predictedUs!),
                pairs.map((c) => c.measured!.us),
              ),
            },
          }
        : {}),
    },
    code: codeOf(o.program.name, best.configuration!, o.target),
  };
}

function leastWork(o: TuneOptions, predictor: Predictor, tile: Tile): { flops: number; bytes: number } {
  const asked = {
    ...(o.workload === undefined ? {} : { workload: o.workload }),
    seed: o.seed,
    spec: o.spec,
    flags: o.flags,
    verify: false,
    device: predictor.shape([tile]),
  };
  const planned = o.program.plan?.(asked);
  if (planned?.flops !== undefined && planned.bytes !== undefined)
    return { flops: planned.flops, bytes: planned.bytes };
  const { flops, bytes } = o.program.instantiate(asked);
  return { flops, bytes };
}

function comparisons(
  { considered, candidates, predictor, template }: Findings,
  tunedUs: number,
): TuneJson['comparisons'] {
  const all = candidates.filter((c) => c.predictedUs !== undefined && !c.rejection && !c.failure);
  const usual = all.find((c) => Object.entries(template.tile).every(([n, [first]]) => c.tile[n] === first));
  const best = considered[0]!;
  const entry = (name: string, c: Candidate): TuneJson['comparisons'][number] => ({
    name,
    us: round(timeOf(c)),
    measured: c.measured !== undefined,
  });
  return [
    ...(usual ? [entry('the default shape alone', usual)] : []),
    entry('the best single shape', best),
    {
      name: 'the planner, every shape that fits',
      us: round(predictor.us(all.map((c) => c.tile))),
      measured: false,
    },
    { name: 'the planner, the winners of the table', us: round(tunedUs), measured: false },
  ];
}

function configurationJson(c: Candidate, kernel: string): ConfigurationJson {
  const { configuration: k, budget } = c;
  const state = c.rejection ? 'rejected' : c.failure ? 'failed' : c.measured ? 'measured' : 'modelled';
  return {
    kernel,
    tile: { ...c.tile },
    state,
    ...(k
      ? {
          threads: k.threads,
          sharedBytes: k.sharedBytes,
          registers: k.registers.perThread,
          registersFrom: k.registers.from,
          spillBytes: k.registers.spillBytes,
        }
      : {}),
    ...(budget
      ? {
          blocksPerUnit: budget.blocksPerUnit,
          bytesInFlight: Math.round(budget.bytesInFlight),
          binding: budget.binding,
        }
      : {}),
    ...(c.predictedUs === undefined ? {} : { predictedUs: round(c.predictedUs) }),
    ...(c.measured ? { measuredUs: round(c.measured.us), checked: true, cached: c.measured.cached } : {}),
    ...(c.failure ? { error: c.failure.why, cached: c.failure.cached } : {}),
    ...(c.rejection ? { rejection: c.rejection } : {}),
  };
}

/**
 * Each number through its candidates, the others as in the best shape; where no shape differs from the best in that number
 * alone, the others as suits them best.
 */
function sensitivity({ candidates, template }: Findings, best: Tile): TuneJson['sensitivity'] {
  const judged = candidates.filter((c) => c.predictedUs !== undefined && !c.failure && !c.rejection);
  return Object.keys(template.tile)
    .map((parameter) => {
      const alone = judged.filter((c) =>
        Object.entries(best).every(([name, v]) => name === parameter || c.tile[name] === v),
      );
      const times = new Map<number, number>();
      for (const c of alone.length > 1 ? alone : judged) {
        const value = c.tile[parameter]!;
        times.set(value, Math.min(times.get(value) ?? Infinity, timeOf(c)));
      }
      const points = [...times].map(([value, us]) => ({ value, us: round(us) }));
      return { parameter, points: points.sort((a, b) => a.value - b.value) };
    })
    .filter((s) => s.points.length > 1);
}
