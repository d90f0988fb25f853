/**
 * Runs a recorded benchmark and writes bench/results/TARGET-DEVICE-SUITE.json, .svg beside it, and a table to stdout.
 *   node bench/bench.ts --suite fig10 [--on cuda|webgpu] [--target cuda:sm_80] [--peers FILE.json] [--repeats 20]
 *     [--filter REGEX] [--budget SECONDS] [--full] [--flag packing=node] [--tile stages=3] [--commit ID] [--out DIR] [--json] [--seed N]
 * Exits 0 when every case that was run is verified, 1 when not, 3 when the device is missing.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { backendOf } from '../compiler/cli/backends.ts';
import type { Device } from '../compiler/backend.ts';
import { fail, PatcError } from '../compiler/diagnostics/error.ts';
import { parseTile } from '../compiler/cli/options.ts';
import { findTarget } from '../compiler/target.ts';
import { pat } from '../examples/pat/index.ts';
import { readPeers } from './peers.ts';
import { writeResult, type BenchResult } from './results.ts';
import { runSuite } from './run.ts';
import { findSuite, suites } from './suites.ts';
import { summaryLines, tableText } from './table.ts';

const options = {
  suite: { type: 'string', default: 'quick' },
  on: { type: 'string', default: 'cuda' },
  target: { type: 'string' },
  peers: { type: 'string' },
  repeats: { type: 'string', default: '20' },
  seed: { type: 'string', default: '1' },
  filter: { type: 'string', default: '' },
  budget: { type: 'string', default: '1e9' },
  full: { type: 'boolean', default: false },
  flag: { type: 'string', multiple: true, default: [] as string[] },
  tile: { type: 'string', default: '' },
  commit: { type: 'string' },
  out: { type: 'string', default: 'bench/results' },
  json: { type: 'boolean', default: false },
} as const;

/** Measured on an H100 (dense f16, f32 accumulate); Hopper's other cards have the same matrix units and clocks. */
const matrixTflops = 790;
const matrixMethod = 'measured on an H100 80GB HBM3; other devices: the same figure';

function commitOf(given: string | undefined): string {
  if (given) return given;
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
    const changed = git('status', '--porcelain', '--untracked-files=no') !== '';
    return git('rev-parse', 'HEAD') + (changed ? '+changes' : '');
  } catch {
    return 'unknown';
  }
}

/** Keeps the pool that all cases' K and V come from on the device, and measures what floors are computed from. */
async function readyDevice(device: Device): Promise<{ readTbPerS: number | null; method: string }> {
  const { CudaDevice } = await import('../backends/cuda/runtime/index.ts');
  if (!(device instanceof CudaDevice)) return { readTbPerS: null, method: 'not measured' };
  device.keepUploads = true;
  const { measureBandwidth } = await import('./device/bandwidth.ts');
  return measureBandwidth(device);
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options });
  const suite =
    findSuite(values.suite) ??
    fail('PAT0601', `there is no suite '${values.suite}'`, {
      notes: suites.map((s) => ({ text: `${s.name}: ${s.cases.length} cases, ${s.about}` })),
    });
  if (values.on !== 'cuda' && values.on !== 'webgpu') fail('PAT0601', `--on ${values.on}: cuda or webgpu`);
  const peers = values.peers === undefined ? undefined : readPeers(values.peers);
  const wanted = new RegExp(values.filter);
  const cases = suite.cases.filter((c) =>
    wanted.test(`${c.tree} ${c.heads} ${c.dtype} d${c.headDim} p${c.page}`),
  );
  const device = await (await backendOf(values.on === 'cuda' ? 'cuda' : 'wgsl')).open();
  try {
    const target = values.target === undefined ? device.target : findTarget(values.target);
    if (!target) return fail('PAT0602', `there is no target '${values.target}'`);
    const bandwidth = await readyDevice(device);
    const flags = Object.fromEntries(values.flag.map((f) => f.split('=', 2) as [string, string]));
    process.stderr.write(`${suite.name}: ${cases.length} cases on ${device.description}\n`);
    const [repeats, seed] = [Number(values.repeats), Number(values.seed)];
    let driver: string | null = null;
    const { rows, complete } = await runSuite(cases, {
      program: pat,
      device,
      target,
      roof: { readTbPerS: bandwidth.readTbPerS ?? undefined, matrixTflops },
      repeats,
      seed,
      flags,
      tile: parseTile(values.tile),
      full: values.full,
      budgetS: Number(values.budget),
      onRow: (row, seconds) =>
        process.stderr.write(
          `${row.tree} ${row.heads}: ${row.timeUs?.toFixed(1) ?? '-'} us, floor ${row.floorUs?.toFixed(1) ?? '-'}, ${row.error ?? (row.verified ? 'verified' : `NOT VERIFIED (relative error ${row.relError})`)} [${seconds.toFixed(1)} s]\n`,
        ),
    });
    if ('gpu' in device) driver = (device as { gpu: { facts: { driver: string } } }).gpu.facts.driver;
    const result: BenchResult = {
      suite: suite.name,
      target: target.name,
      device: device.description,
      driver,
      commit: commitOf(values.commit),
      command: ['node', 'bench/bench.ts', ...process.argv.slice(2)].join(' '),
      measured: new Date().toISOString().slice(0, 10),
      units: device.units,
      readTbPerS: bandwidth.readTbPerS,
      bandwidthMethod: bandwidth.method,
      matrixTflops,
      matrixMethod,
      repeats,
      seed,
      complete: complete && cases.length === suite.cases.length,
      rows,
    };
    const file = writeResult(values.out, result);
    if (values.json)
      console.log(JSON.stringify({ ok: rows.every((r) => r.verified), file, ...result }, null, 1));
    else console.log(tableText(result, peers));
    await chart(file, result, peers);
    for (const line of summaryLines(result, peers)) process.stderr.write(`${line}\n`);
    return rows.every((r) => r.verified) ? 0 : 1;
  } finally {
    await device.close();
  }
}

/** A chart that cannot be drawn costs no measurement. */
async function chart(
  file: string,
  result: BenchResult,
  peers: ReturnType<typeof readPeers> | undefined,
): Promise<void> {
  try {
    const { chartSvg } = await import('./chart.ts');
    writeFileSync(file.replace(/\.json$/, '.svg'), await chartSvg(result, peers));
  } catch (error) {
    process.stderr.write(`no chart: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    if (!(error instanceof PatcError)) {
      console.error(error);
      process.exitCode = 70;
      return;
    }
    for (const d of error.diagnostics) {
      console.error(error.message);
      for (const note of d.notes ?? []) console.error(`  ${note.text}`);
      if (d.help) console.error(`  help: ${d.help}`);
    }
    process.exitCode = error.exitCode;
  },
);
