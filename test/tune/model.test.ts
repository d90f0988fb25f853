import { describe, expect, it } from 'vitest';
import { Lowering } from '../../compiler/cli/lowering.ts';
import {
  configure,
  isRefused,
  residency,
  withRegisters,
  type Configuration,
} from '../../compiler/tune/configuration.ts';
import { findDevice, targetOn } from '../../compiler/tune/devices.ts';
import { budgetOf, refusal } from '../../compiler/tune/feasibility.ts';
import { fitOf } from '../../compiler/tune/fits.ts';
import { flowTime, type Flow } from '../../compiler/tune/flow.ts';
import { issueOf } from '../../compiler/tune/issue.ts';
import { blockTime, launchTime } from '../../compiler/tune/model.ts';
import { spearman } from '../../compiler/tune/statistics.ts';
import { lookUp, makeTable, winners, type CellTimes } from '../../compiler/tune/table.ts';
import { tableFor, winnersThatFit, shipped } from '../../compiler/tune/defaults.ts';
import { devices } from '../../compiler/tune/devices.ts';
import { forward, pat } from '../../examples/pat/index.ts';
import { linearGelu } from '../../examples/gemm/kernel.ts';

const spec = { headDim: 128, group: 4, kvHeads: 8, page: 16, dtype: 'f16' };
const usual = Object.fromEntries(Object.entries(forward.tile).map(([name, [v]]) => [name, v!]));
const h100 = findDevice('h100');
const lowering = new Lowering(targetOn(h100));
function shape(tile: Record<string, number>): Configuration {
  const found = configure(lowering, forward, spec, { ...usual, ...tile });
  if (isRefused(found)) throw new Error(found.diagnostic.message);
  return found;
}

describe('what a block does', () => {
  it('is counted on Tile IR: two products a step, keys and values streamed', () => {
    const { work } = shape({ m: 64, n: 32 });
    expect(work).toMatchObject({
      rows: 64,
      step: 32,
      matrixFlops: 2 * 2 * 64 * 32 * 128,
      streamBytes: 2 * 32 * 128 * 2,
    });
  });

  it('of a counted loop too', () => {
    const tile = { rows: 64, width: 64, step: 32 };
    const found = configure(lowering, linearGelu, { columns: 256, depth: 512, dtype: 'f16' }, tile);
    expect(isRefused(found)).toBe(false);
    expect((found as Configuration).work).toMatchObject({
      rows: 64,
      step: 32,
      trips: 16,
      matrixFlops: 2 * 64 * 64 * 32,
    });
  });
});

describe('budgets', () => {
  it('hold the bytes and threads of the lowering', () => {
    const c = shape({ m: 64, n: 64, stages: 2 });
    const line = (name: string) => budgetOf(c, h100).lines.find((l) => l.name === name)!;
    expect(line('shared memory a block')).toMatchObject({
      need: c.kernel.sharedBytes,
      limit: 232448,
      ok: true,
    });
    expect(line('threads a block').need).toBe(c.kernel.threads);
    expect(line('bytes in flight').arithmetic).toContain('Little');
  });

  it('take nvcc at its word: a spill rejects, registers decide how many blocks fit', () => {
    const c = shape({ m: 64, n: 64, stages: 2 });
    expect(budgetOf(withRegisters(c, 255, 96), h100).rejection).toMatchObject({ reason: 'register spill' });
    expect(budgetOf(withRegisters(c, 128, 0), h100).rejection).toBeUndefined();
    const { threads } = c;
    expect(residency(withRegisters(c, 255, 0), h100).blocks).toBe(
      Math.min(2, Math.floor(65536 / (256 * threads))),
    );
    expect(residency(withRegisters(c, 64, 0), h100)).toMatchObject({ bound: 'shared memory' });
  });

  it('keep the lowering’s reason and arithmetic for what it refuses', () => {
    const wgsl = new Lowering(targetOn(findDevice('webgpu')));
    const found = configure(wgsl, forward, spec, { ...usual, m: 128, n: 128 });
    expect(isRefused(found)).toBe(true);
    const r = refusal(found as Exclude<typeof found, Configuration>);
    expect(r.reason).toBe('shared memory');
    expect(r.arithmetic).toMatch(/needs [\d,]+ B/);
  });
});

describe('the model', () => {
  const k = fitOf('cuda').coefficients;
  it('grows with tokens and with rows beyond the tile', () => {
    const c = shape({ m: 64, n: 64 });
    const time = (rows: number, tokens: number) => blockTime(c, h100, k, { rows, tokens });
    expect(time(64, 2048)).toBeGreaterThan(1.8 * time(64, 1024));
    expect(time(128, 1024)).toBeGreaterThan(time(64, 1024));
    expect(time(1, 1024)).toBe(time(64, 1024));
  });

  it('is never below the bytes over the bandwidth', () => {
    const c = shape({ m: 64, n: 64 });
    const bytes = 3e9;
    const launch = { template: forward, tile: c.tile, blocks: [{ rows: 64, tokens: 64, count: 132 }], bytes };
    expect(launchTime(launch, c, h100, k).us).toBeGreaterThan((bytes / 3.0e12) * 1e6);
  });

  it('lets blocks flow: longest first, each to the place that is free first', () => {
    const flow = (steps: number, count: number): Flow => ({
      from: 0,
      count,
      steps,
      delay: 0,
      chain: 1,
      busy: 0.25,
    });
    const machine = (units: number, blocksPerUnit = 1) => ({
      units,
      blocksPerUnit,
      traffic: () => 0,
      combine: (...limits: readonly number[]) => Math.max(...limits),
    });
    // Events closer than 2 % are one.
    const near = (x: number, y: number) => expect(Math.abs(x / y - 1)).toBeLessThan(0.05);
    near(flowTime([flow(5, 1), flow(3, 3)], machine(2)), 8);
    near(flowTime([flow(7, 2)], machine(4)), 7);
    // Four blocks on one unit fill each other's waits; eight keep it busy twice as long.
    near(flowTime([flow(6, 4)], machine(1, 4)), 6);
    near(flowTime([flow(6, 8)], machine(1, 8)), 12);
    expect(flowTime([], machine(4))).toBe(0);
  });

  it('counts what warps issue in a step of the main loop, apart from what only partaking warps do', () => {
    const { always, partaking } = issueOf(shape({ m: 64, n: 64, stages: 3 }).kernel);
    // Two products of 16 x 64 x 128, 16 x 8 x 16 each.
    expect(partaking.matrix).toBe(128);
    expect(always.matrix).toBe(0);
    // The assembler's loop has 770 instructions a warp and step.
    expect(always.instructions + partaking.instructions).toBeGreaterThan(700);
    expect(always.instructions + partaking.instructions).toBeLessThan(1200);
    expect(partaking.sharedBytes).toBe(2 * 64 * 128 * 2);
  });

  it('charges what a step does not touch to nobody', () => {
    const c = shape({ m: 128, n: 64 });
    const of = (active: number) =>
      launchTime(
        {
          template: forward,
          tile: c.tile,
          blocks: [{ rows: 128, tokens: 4096, active, count: 132 }],
          bytes: 1e6,
        },
        c,
        h100,
        k,
      ).us;
    expect(of(16)).toBeLessThan(of(128));
  });

  it('says how far off it is', () => {
    const fit = fitOf('cuda');
    expect(fit.runs).toBeGreaterThan(100);
    expect(fit.heldOutRmsPercent).toBeGreaterThanOrEqual(fit.rmsPercent * 0.9);
    expect(fit.rmsPercent).toBeLessThan(10);
    expect(fit.spearman).toBeGreaterThan(0.75);
    expect(fit.heldOutSpearman).toBeGreaterThan(0.7);
    expect(fit.regretPercent).toBeLessThan(8);
    expect(fit.heldOutRegretPercent).toBeLessThan(8);
  });

  it('ranks as Spearman does', () => {
    expect(spearman([1, 2, 3, 4], [10, 20, 30, 40])).toBeCloseTo(1);
    expect(spearman([1, 2, 3, 4], [4, 3, 2, 1])).toBeCloseTo(-1);
    expect(spearman([1, 1, 2], [1, 2, 3])).toBeCloseTo(0.866, 3);
    expect(spearman([1, 1], [1, 2])).toBeNaN();
  });
});

describe('the table', () => {
  it('gives a cell to a shape within the margin that wins elsewhere', () => {
    const cells: CellTimes[] = [
      { rows: 1, tokens: 1, times: [10, 10.2, 20] },
      { rows: 1, tokens: 2, times: [12, 10, 20] },
      { rows: 1, tokens: 3, times: [30, 30, 20] },
    ];
    expect(winners(cells)).toEqual([1, 1, 2]);
  });

  it('keeps a shape with the most rows for planners that must hold them', () => {
    const [small, large] = [shape({ m: 16, n: 64 }), shape({ m: 128, n: 64 })];
    const cells = [4, 8, 16, 32, 64, 128, 256].flatMap((rows) =>
      Array.from({ length: 9 }, (_, i) => ({ rows, tokens: 2 ** (5 + i), times: [1, 5] })),
    );
    const facts = {
      program: 'pat',
      kernel: 'pat_forward',
      target: 'cuda:sm_90a',
      device: 'h100',
      from: 'modelled',
      spec,
    } as const;
    const table = makeTable(facts, cells, [small, large]);
    expect(table.tiles).toEqual([small.tile, large.tile]);
    const narrow = cells.map((c) => ({ ...c, times: c.times.slice(0, 1) }));
    expect(makeTable(facts, narrow, [small], [small, large]).tiles).toEqual([small.tile, large.tile]);
    expect(lookUp(table, 3, 100)).toEqual(small.tile);
    expect(lookUp(table, 1000, 1e6)).toEqual(small.tile);
  });

  it('is shipped for every device, of shapes that the kernel has', () => {
    for (const d of devices) {
      const table = tableFor(forward, d.targets[0]!, d.id, spec, [shipped()]);
      expect(table, d.id).toBeDefined();
      expect(
        winnersThatFit(table!, forward, () => true),
        d.id,
      ).toEqual(table!.tiles);
    }
  });

  it('of the user comes before shipped ones, and one of another kernel is none', () => {
    const [mine] = shipped();
    const other = { ...mine!, from: 'measured' as const };
    expect(tableFor(forward, mine!.target, mine!.device, spec, [[other], [mine!]])).toBe(other);
    const renamed = { ...mine!, tiles: [{ q: 3 }] };
    expect(winnersThatFit(renamed, forward, () => true)).toBeUndefined();
  });
});

describe('a plan as work', () => {
  it('covers every token that the plan loads, in whole steps', () => {
    const tile = { ...usual, m: 64, n: 32 };
    const report = pat.plan!({
      workload: '1,4_64,40',
      seed: 1,
      spec: {},
      flags: { heads: '32/8', packing: 'auto' },
      verify: false,
      device: {
        family: 'cuda',
        units: 132,
        feasible: (t) => [t === forward ? tile : { parts: 4, warps: 1 }],
      },
    });
    const [first] = report.work!;
    const tokens = first!.blocks.reduce((sum, b) => sum + b.tokens * b.count, 0);
    // One pack of 64 shared and 4 x 40 own tokens, rounded up to 64 each, for each of 8 heads; or cut finer.
    expect(tokens).toBeGreaterThanOrEqual((64 + 4 * 64) * 8);
    expect(tokens % 32).toBe(0);
    for (const b of first!.blocks) expect(b.active).toBeLessThanOrEqual(64);
    expect(report.spec).toMatchObject({ group: 4, kvHeads: 8 });
    expect(report.bytes).toBe((64 + 160) * 8 * 512 + 4 * 32 * 512);
  });

  it('and a cell is a workload of equal packs', () => {
    const cell = pat.cell!(spec, 64, 1000, 132);
    expect(cell).toEqual({ workload: '17,272_1000,0', rows: 64, tokens: 1000, count: 136 });
    expect(pat.cell!(spec, 2, 30, 8)).toEqual({ workload: '1_30', rows: 4, tokens: 30, count: 8 });
  });
});
