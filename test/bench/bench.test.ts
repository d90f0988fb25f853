import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noiseKernel, readKernel } from '../../bench/device/bandwidth.ts';
import { chartSvg } from '../../bench/chart.ts';
import { bestPeer, geometricMean, readPeers, summarise } from '../../bench/peers.ts';
import { InputPool } from '../../bench/pool.ts';
import {
  deviceSlug,
  resultName,
  resultSchema,
  writeResult,
  type BenchResult,
  type BenchRow,
} from '../../bench/results.ts';
import { runSuite, type SuiteOptions } from '../../bench/run.ts';
import { samplePairs, verifySample } from '../../bench/sample.ts';
import { findSuite, suites } from '../../bench/suites.ts';
import { tableText } from '../../bench/table.ts';
import { smokeCases } from '../../bench/smoke/cases.ts';
import { openSimulator } from '../../backends/cpu/simulator/index.ts';
import type { Device } from '../../compiler/backend.ts';
import { decodeArray } from '../../compiler/ir/numeric.ts';
import { findTarget } from '../../compiler/target.ts';
import { loadWorkload, pat } from '../../examples/pat/index.ts';

const target = findTarget('cuda:sm_80')!;

describe('suites', () => {
  it('have distinct names and cases that load', () => {
    expect(new Set(suites.map((s) => s.name)).size).toBe(suites.length);
    expect(findSuite('fig10')!.cases).toHaveLength(80);
    for (const suite of suites) {
      const keys = suite.cases.map((c) => JSON.stringify(c));
      expect(new Set(keys).size, suite.name).toBe(keys.length);
      // One case of a tree stands for its heads: making the batch is what could fail.
      const trees = new Map(suite.cases.map((c) => [`${c.tree} ${c.page}`, c]));
      for (const c of trees.values()) expect(loadWorkload(c.tree, c).lengths.length).toBeGreaterThan(0);
    }
  });
});

describe('the input pool', () => {
  it('gives K and V that differ, and pages that differ from each other', () => {
    const pool = new InputPool(3);
    const [k, v] = [pool.take('k', 'f16', 1 << 20)!, pool.take('v', 'f16', 1 << 20)!];
    expect(k.length).toBe(1 << 20);
    expect(pool.take('q', 'f16', 8)).not.toEqual(k.subarray(0, 8));
    expect(pool.take('lengths', 'f16', 8)).toBeUndefined();
    const page = 1 << 12;
    const starts = new Set<string>();
    for (const data of [k, v])
      for (let at = 0; at < data.length; at += page) starts.add(data.subarray(at, at + 16).join());
    expect(starts.size).toBe((2 * k.length) / page);
    const values = decodeArray('f16', k.subarray(0, 100_000));
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(values.reduce((a, b) => a + b * b, 0) / values.length - 1)).toBeLessThan(0.05);
    expect(pool.take('k', 'f16', 1 << 21)!.subarray(0, 1000)).toEqual(k.subarray(0, 1000));
    expect(pool.take('k', 'bf16', 1000)).not.toEqual(k.subarray(0, 1000));
  });
});

describe('on the simulator', () => {
  let device: Device;
  beforeAll(() => {
    device = openSimulator(target);
  });
  afterAll(() => device.close());

  it('every hand-made kernel computes what it should', async () => {
    for (const c of smokeCases(7)) {
      // The approximations of exp2 and division are the GPU's; the simulator is at least as close.
      if (c.name === 'vector_add') continue;
      const result = await device.run(c.request);
      expect(c.check(result.outputs), c.name).toBeLessThanOrEqual(1);
    }
  });

  it('the bandwidth kernels write and read every word', async () => {
    const [rows, words] = [3, 4096];
    const x = { name: 'x', element: 'u32', data: new Uint32Array(rows * words), output: true } as const;
    const out = { name: 'out', element: 'u32', data: new Uint32Array(1), output: true } as const;
    const result = await device.run({
      kernels: [noiseKernel(), readKernel()],
      buffers: [x, out],
      launches: [
        { kernel: 0, grid: [rows, 1, 1], buffers: { x: 'x' }, scalars: { rows } },
        { kernel: 1, grid: [2, 1, 1], buffers: { x: 'x', out: 'out' }, scalars: { rows, blocks: 2 } },
      ],
      repeats: 0,
    });
    expect(new Set(result.outputs.get('x')).size).toBeGreaterThan(rows * words * 0.99);
  });

  const options = (): SuiteOptions => ({
    program: pat,
    device,
    target,
    roof: { readTbPerS: 3, matrixTflops: 790 },
    repeats: 0,
    seed: 5,
    flags: {},
    tile: { m: 16, n: 16, stages: 2 },
    full: false,
    budgetS: 1e9,
    onRow: () => undefined,
  });
  const small = { heads: '4/2', dtype: 'f16', headDim: 64, page: 16 } as const;

  it('a suite runs, is verified, and an impossible case is a row', async () => {
    const cases = [
      { ...small, tree: '1,3_32,16' },
      { ...small, tree: '1,3_32' },
    ];
    const { rows, complete } = await runSuite(cases, options());
    expect(complete).toBe(true);
    expect(rows[0]).toMatchObject({ verified: true, sampledRows: 12, rows: 12 });
    expect(rows[0]!.relError!).toBeLessThan(1e-3);
    expect(rows[0]!.floorUs!).toBeGreaterThan(0);
    expect(rows[1]).toMatchObject({ verified: false, timeUs: null });
    expect(rows[1]!.error).toContain('PAT0501');
  });

  it('stops when its time is up', async () => {
    const { rows, complete } = await runSuite([{ ...small, tree: '1,3_32,16' }], {
      ...options(),
      budgetS: -1,
    });
    expect([rows.length, complete]).toEqual([0, false]);
  });

  it('one wrong head of one sequence, or one element not written, is not verified', async () => {
    const c = { ...small, tree: '1,3_32,16' };
    const batch = loadWorkload(c.tree, c);
    const shape = { family: 'cuda', units: 4, feasible: () => [{ m: 16, n: 16, stages: 2 }] } as const;
    const flags = { heads: c.heads, headDim: '64', page: '16' };
    const instance = pat.instantiate({
      workload: c.tree,
      seed: 1,
      spec: {},
      flags,
      device: shape,
      verify: false,
    });
    const out = new Uint16Array(3 * 4 * 64);
    const judge = (o: Uint16Array) => verifySample(batch, instance.buffers, new Map([['out', o]]), 1 / 8, 1);
    expect(judge(out).ok).toBe(false);
    const { Lowering } = await import('../../compiler/cli/lowering.ts');
    const lowering = new Lowering(target);
    const kernels = instance.launches.map((l) => lowering.lower(l.template, instance.spec, l.tile));
    const launches = instance.launches.map((l, kernel) => ({ ...l, kernel }));
    const good = (await device.run({ kernels, launches, buffers: instance.buffers, repeats: 0 })).outputs.get(
      'out',
    ) as Uint16Array;
    expect(judge(good).ok).toBe(true);
    expect(judge(Uint16Array.from(good, (x, i) => (i >= 300 && i < 310 ? x ^ 0x8000 : x))).ok).toBe(false);
    const hole = good.slice();
    hole[700] = 0x7e00;
    expect(judge(hole)).toMatchObject({ ok: false, unwritten: 1 });
  });

  it('samples distinct pairs within the budget', () => {
    const batch = loadWorkload('1,64_512,32', { heads: '32/8', headDim: 128, page: 32 });
    const pairs = samplePairs(batch, 9, 2e7);
    expect(new Set(pairs.map(String)).size).toBe(pairs.length);
    expect(pairs.length).toBeGreaterThan(4);
    expect(pairs.length).toBeLessThan(100);
    expect(samplePairs(batch, 9, 1e12)).toHaveLength(512);
    expect(samplePairs(batch, 9, 2e7)).toEqual(pairs);
  });
});

const row = (tree: string, heads: string, timeUs: number, floorUs: number): BenchRow => ({
  tree,
  heads,
  dtype: 'f16',
  headDim: 128,
  page: 32,
  timeUs,
  graphUs: timeUs - 1,
  chainedUs: timeUs - 2,
  coldUs: timeUs + 1,
  floorUs,
  bytesUs: floorUs,
  matrixUs: 1,
  verified: true,
  relError: 1e-4,
  sampledRows: 10,
  rows: 100,
  launches: [{ kernel: 'forward', us: timeUs }],
  kernels: [
    {
      kernel: 'forward',
      tile: { m: 64, n: 32, stages: 3 },
      registers: 168,
      spillBytes: 0,
      sharedBytes: 1,
      blocksPerUnit: 2,
    },
  ],
  plan: {},
});
const result = (device: string): BenchResult => ({
  suite: 'fig10',
  target: 'cuda:sm_90a',
  device,
  driver: '13.0',
  commit: 'abc',
  command: 'node bench/bench.ts',
  measured: '2026-11-23',
  units: 132,
  readTbPerS: 3,
  bandwidthMethod: 'm',
  matrixTflops: 790,
  matrixMethod: 'm',
  repeats: 20,
  seed: 1,
  complete: true,
  rows: [row('1,2_32,32', '32/8', 20, 10), row('1,4_32,32', '32/8', 90, 20)],
});

describe('results', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'patc-bench-'));
  const peersFile = path.join(folder, 'peers.json');
  const peer = (tree: string, floor_us: number, pat_us: number, flashinfer_us: number) => ({
    tree,
    heads: '32/8',
    floor_us,
    pat_us,
    flashinfer_us,
    fasttree_us: null,
  });
  writeFileSync(
    peersFile,
    JSON.stringify({
      device: 'NVIDIA H100 80GB HBM3',
      dtype: 'f16',
      head_dim: 128,
      page: 32,
      rows: [peer('1,2_32,32', 10, 40, 60), peer('1,4_32,32', 20, 100, 80)],
    }),
  );
  const peers = readPeers(peersFile);

  it('are named after target, device and suite', () => {
    expect(resultName(result('NVIDIA H100 80GB HBM3'))).toBe('cuda-h100-fig10.json');
    expect(resultName({ ...result('NVIDIA H200'), target: 'cuda:sm_80', suite: 'bf16' })).toBe(
      'cudasm80-h200-bf16.json',
    );
    expect(['NVIDIA GeForce RTX 4090', 'NVIDIA L4', 'NVIDIA A100-SXM4-80GB'].map(deviceSlug)).toEqual([
      '4090',
      'l4',
      'a100',
    ]);
  });

  it('survive being written and read', () => {
    const file = writeResult(folder, result('NVIDIA H200'));
    expect(resultSchema.parse(JSON.parse(readFileSync(file, 'utf8')))).toEqual(result('NVIDIA H200'));
  });

  it('compare with peers in time on their device, and over the floor elsewhere', () => {
    expect(bestPeer(peers.rows[1]!)).toEqual({ name: 'flashinfer', us: 80 });
    expect(geometricMean([2, 8])).toBeCloseTo(4);
    const here = summarise(result('NVIDIA H100 80GB HBM3'), peers);
    expect(here).toMatchObject({ sameDevice: true, slowerThanPat: 0, slowerThanBestPeer: 1 });
    expect(here.overPat!).toBeCloseTo(Math.sqrt(0.5 * 0.9));
    const there = summarise(result('NVIDIA H200'), peers);
    expect(there.sameDevice).toBe(false);
    expect(there.overPatByFloor!).toBeCloseTo(Math.sqrt(0.5 * 0.9));
    expect(tableText(result('NVIDIA H200'), peers)).toContain('microseconds do not compare across devices');
    expect(tableText(result('NVIDIA H100 80GB HBM3'), peers)).toContain('64x32/3');
  });

  it('are drawn', async () => {
    const svg = await chartSvg(result('NVIDIA H200'), peers);
    expect(svg).toMatch(/^<svg /);
    expect(svg).toContain('1,4_32,32');
  });
});
