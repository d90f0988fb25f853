/** Runs the cases of a suite on a device: plan, run once and verify, then time. */
import type { Device } from '../compiler/backend.ts';
import { PatcError } from '../compiler/diagnostics/error.ts';
import { Lowering } from '../compiler/cli/lowering.ts';
import type { DeviceShape, Program, Tile } from '../compiler/program.ts';
import type { Target } from '../compiler/target.ts';
import type { ThreadKernel } from '../compiler/thread/nodes.ts';
import { loadWorkload } from '../examples/pat/index.ts';
import { InputPool } from './pool.ts';
import type { BenchRow } from './results.ts';
import { verifySample } from './sample.ts';
import type { BenchCase } from './suites.ts';

export interface Roof {
  /** TB/s; undefined where it is not known. */
  readonly readTbPerS: number | undefined;
  readonly matrixTflops: number;
}

export interface SuiteOptions {
  readonly program: Program;
  readonly device: Device;
  /** What to lower for: the device's own target, or an older one that it also runs. */
  readonly target: Target;
  readonly roof: Roof;
  readonly repeats: number;
  readonly seed: number;
  /** Flags of the program, e.g. { packing: 'node' }. */
  readonly flags: Readonly<Record<string, string>>;
  /** Tile numbers that are fixed rather than chosen, e.g. { stages: 3 }. */
  readonly tile: Tile;
  /** Compare every row with the program's own reference instead of a sample with the bench's. */
  readonly full: boolean;
  /** No case is begun after this many seconds. */
  readonly budgetS: number;
  readonly onRow: (row: BenchRow, seconds: number) => void;
}

export async function runSuite(
  cases: readonly BenchCase[],
  options: SuiteOptions,
): Promise<{ rows: BenchRow[]; complete: boolean }> {
  const lowering = new Lowering(options.target);
  const pool = new InputPool(options.seed);
  const begin = performance.now();
  const rows: BenchRow[] = [];
  for (const c of cases) {
    if (performance.now() - begin > options.budgetS * 1000) return { rows, complete: false };
    const start = performance.now();
    let row: BenchRow;
    try {
      row = await runCase(c, options, lowering, pool);
    } catch (error) {
      // One failing case is a row; a lost device ends the run.
      if (!(error instanceof PatcError) || error.code === 'PAT0704') throw error;
      row = failed(c, error);
    }
    rows.push(row);
    options.onRow(row, (performance.now() - start) / 1000);
  }
  return { rows, complete: true };
}

async function runCase(
  c: BenchCase,
  options: SuiteOptions,
  lowering: Lowering,
  pool: InputPool,
): Promise<BenchRow> {
  const { program, device, seed } = options;
  const heads = { heads: c.heads, headDim: String(c.headDim), page: String(c.page), dtype: c.dtype };
  const shape: DeviceShape = {
    family: options.target.family,
    units: device.units,
    feasible: (template, spec) => lowering.feasible(template, spec, options.tile),
  };
  const instance = program.instantiate({
    workload: c.tree,
    seed,
    spec: {},
    flags: { ...heads, ...options.flags },
    device: shape,
    verify: options.full,
    inputs: pool,
  });
  const kernels: ThreadKernel[] = [];
  const tiles: Tile[] = [];
  const launches = instance.launches.map((launch) => {
    const kernel = lowering.lower(launch.template, instance.spec, launch.tile);
    let index = kernels.indexOf(kernel);
    if (index < 0) {
      index = kernels.push(kernel) - 1;
      tiles.push(launch.tile);
    }
    return { kernel: index, grid: launch.grid, buffers: launch.buffers, scalars: launch.scalars };
  });
  const result = await device.run({ kernels, buffers: instance.buffers, launches, repeats: options.repeats });
  const checked = options.full ? fully(instance.verify(result.outputs)) : undefined;
  const batch = loadWorkload(c.tree, { heads: c.heads, headDim: c.headDim, page: c.page, dtype: c.dtype });
  const scale = Math.fround(Number(options.flags['scale'] ?? 1 / Math.sqrt(c.headDim)));
  const sample = checked ?? verifySample(batch, instance.buffers, result.outputs, scale, seed);
  const { readTbPerS, matrixTflops } = options.roof;
  const bytesUs = readTbPerS === undefined ? null : instance.bytes / readTbPerS / 1e6;
  const matrixUs = instance.flops / matrixTflops / 1e6;
  const { timing } = result;
  return {
    ...c,
    timeUs: result.timeUs ?? null,
    graphUs: timing?.graphUs ?? null,
    chainedUs: timing?.chainedUs ?? null,
    coldUs: timing?.coldUs ?? null,
    floorUs: bytesUs === null ? null : Math.max(bytesUs, matrixUs),
    bytesUs,
    matrixUs,
    verified: sample.ok,
    relError: Number.isNaN(sample.relError) ? null : sample.relError,
    sampledRows: sample.sampledRows ?? batch.lengths.length * batch.qHeads,
    rows: batch.lengths.length * batch.qHeads,
    launches: [...(timing?.launches ?? [])],
    kernels: (result.kernels ?? []).map((k, i) => ({ ...k, tile: tiles[i]! })),
    plan: (instance.report['plan'] ?? {}) as Record<string, unknown>,
  };
}

const fully = (v: { ok: boolean; relError: number; unwritten: number }) => ({ ...v, sampledRows: undefined });

function failed(c: BenchCase, error: PatcError): BenchRow {
  return {
    ...c,
    timeUs: null,
    graphUs: null,
    chainedUs: null,
    coldUs: null,
    floorUs: null,
    bytesUs: null,
    matrixUs: null,
    verified: false,
    relError: null,
    sampledRows: 0,
    rows: 0,
    launches: [],
    kernels: [],
    plan: {},
    error: error.message,
  };
}
