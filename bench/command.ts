/** One benchmark run from options to a written result. `patc bench` and bench.ts are two ways to call it. */
import { writeFileSync } from 'node:fs';
import type { Device } from '../compiler/backend.ts';
import { backendOf } from '../compiler/cli/backends.ts';
import { fail } from '../compiler/diagnostics/error.ts';
import type { Tile } from '../compiler/program.ts';
import { findTarget } from '../compiler/target.ts';
import { pat } from '../examples/pat/index.ts';
import { commitOf } from './commit.ts';
import { readPeers, type Peers } from './peers.ts';
import { writeResult, type BenchResult, type BenchRow } from './results.ts';
import { runSuite } from './run.ts';
import { findSuite, suites, type BenchCase } from './suites.ts';

export interface BenchOptions {
  readonly suite: string;
  readonly on: string;
  /** Lower for this target instead of the device's own. */
  readonly target?: string | undefined;
  /** Path of a file of recorded peers. */
  readonly peers?: string | undefined;
  readonly repeats: number;
  readonly seed: number;
  /** Regular expression over `TREE HEADS DTYPE dHEADDIM pPAGE`. */
  readonly filter: string;
  readonly budgetS: number;
  readonly full: boolean;
  readonly flags: Readonly<Record<string, string>>;
  readonly tile: Tile;
  readonly commit?: string | undefined;
  /** Folder of the result. */
  readonly out: string;
  /** The command line, for the record. */
  readonly command: string;
}

export interface BenchOutcome {
  readonly ok: boolean;
  readonly file: string;
  readonly result: BenchResult;
  readonly peers: Peers | undefined;
}

/** Measured on an H100 (dense f16, f32 accumulate); Hopper's other cards have the same matrix units and clocks. */
const matrixTflops = 790;
const matrixMethod = 'measured on an H100 80GB HBM3; other devices: the same figure';

/** @throws PAT0601, PAT0602 for wrong options, PAT07xx where the device is missing. */
export async function runBench(o: BenchOptions, progress: (line: string) => void): Promise<BenchOutcome> {
  const suite =
    findSuite(o.suite) ??
    fail('PAT0601', `there is no suite '${o.suite}'`, {
      notes: suites.map((s) => ({ text: `${s.name}: ${s.cases.length} cases, ${s.about}` })),
    });
  if (o.on !== 'cuda' && o.on !== 'webgpu') fail('PAT0601', `--on ${o.on}: cuda or webgpu`);
  const peers = o.peers === undefined ? undefined : readPeers(o.peers);
  const wanted = pattern(o.filter);
  const cases = suite.cases.filter((c) => wanted.test(caseText(c)));
  if (cases.length === 0)
    fail('PAT0601', `--filter ${o.filter}: no case of ${suite.name} matches`, {
      help: `cases read like '${caseText(suite.cases[0]!)}'`,
    });
  const device = await (await backendOf(o.on === 'cuda' ? 'cuda' : 'wgsl')).open();
  try {
    const target = o.target === undefined ? device.target : findTarget(o.target);
    if (!target) return fail('PAT0602', `there is no target '${o.target}'`);
    const { driver, readTbPerS, bandwidthMethod } = await readyDevice(device);
    progress(`${suite.name}: ${cases.length} cases on ${device.description}`);
    const { rows, complete } = await runSuite(cases, {
      program: pat,
      device,
      target,
      roof: { readTbPerS: readTbPerS ?? undefined, matrixTflops },
      repeats: o.repeats,
      seed: o.seed,
      flags: o.flags,
      tile: o.tile,
      full: o.full,
      budgetS: o.budgetS,
      onRow: (row, seconds) => progress(rowText(row, seconds)),
    });
    const result: BenchResult = {
      suite: suite.name,
      target: target.name,
      device: device.description,
      driver,
      commit: commitOf(o.commit),
      command: o.command,
      measured: new Date().toISOString().slice(0, 10),
      units: device.units,
      readTbPerS,
      bandwidthMethod,
      matrixTflops,
      matrixMethod,
      repeats: o.repeats,
      seed: o.seed,
      complete: complete && cases.length === suite.cases.length,
      rows,
    };
    const file = writeResult(o.out, result);
    await drawChart(file, result, peers, progress);
    return { ok: rows.length > 0 && rows.every((r) => r.verified), file, result, peers };
  } finally {
    await device.close();
  }
}

const caseText = (c: BenchCase): string => `${c.tree} ${c.heads} ${c.dtype} d${c.headDim} p${c.page}`;

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    return fail('PAT0601', `--filter: ${(error as Error).message}`);
  }
}

/** Keeps the pool that all cases' K and V come from on the device, and measures what floors are computed from. */
async function readyDevice(
  device: Device,
): Promise<{ driver: string | null; readTbPerS: number | null; bandwidthMethod: string }> {
  const { CudaDevice } = await import('../backends/cuda/runtime/index.ts');
  if (!(device instanceof CudaDevice))
    return { driver: null, readTbPerS: null, bandwidthMethod: 'not measured' };
  device.keepUploads = true;
  const { measureBandwidth } = await import('./device/bandwidth.ts');
  const { readTbPerS, method } = await measureBandwidth(device);
  return { driver: device.gpu.facts.driver, readTbPerS, bandwidthMethod: method };
}

function rowText(row: BenchRow, seconds: number): string {
  const judged =
    row.error ?? (row.verified ? 'verified' : `NOT VERIFIED (relative error ${row.relError ?? 'NaN'})`);
  const [time, floor] = [row.timeUs, row.floorUs].map((us) => us?.toFixed(1) ?? '-');
  return `${row.tree} ${row.heads}: ${time} us, floor ${floor}, ${judged} [${seconds.toFixed(1)} s]`;
}

/** A chart that cannot be drawn costs no measurement. */
async function drawChart(
  file: string,
  result: BenchResult,
  peers: Peers | undefined,
  progress: (line: string) => void,
): Promise<void> {
  try {
    const { chartSvg } = await import('./chart.ts');
    writeFileSync(file.replace(/\.json$/, '.svg'), await chartSvg(result, peers));
  } catch (error) {
    progress(`no chart: ${error instanceof Error ? error.message : String(error)}`);
  }
}
