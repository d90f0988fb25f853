/** Loops whose loads run ahead: every number of stages, with and without warps that only copy, is silent and right. */
import { describe, expect, it } from 'vitest';
import { emitCuda } from '../../../backends/cuda/index.ts';
import { simulateRequest } from '../../../backends/cpu/simulator/index.ts';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import type { KernelTemplate, Tile } from '../../../compiler/program.ts';
import { findTarget } from '../../../compiler/target.ts';
import type { Stmt, ThreadKernel } from '../../../compiler/thread/nodes.ts';
import { walkStmts } from '../../../compiler/thread/build.ts';
import { linearGelu } from '../../../examples/gemm/kernel.ts';
import { forward } from '../../../examples/pat/forward.ts';
import { merge } from '../../../examples/pat/merge.ts';
import { makeProgram } from '../../../examples/pat/program.ts';

const first = (t: KernelTemplate): Record<string, number> =>
  Object.fromEntries(Object.entries(t.tile).map(([name, values]) => [name, values[0]!]));

const countOf = (k: ThreadKernel, kind: Stmt['s']): number => {
  let n = 0;
  walkStmts(k.body, (s) => void (n += s.s === kind ? 1 : 0));
  return n;
};

/** The forward kernel of one small batch, at a tile shape with numbers that only the lowering reads. */
function request(tile: Tile, lowering: Tile, target: string, flags: Record<string, string> = {}) {
  const lowered = new Map<KernelTemplate, ThreadKernel>();
  const instance = makeProgram({ forward, merge }).instantiate({
    // Sequences of several lengths, one shorter than a tile; more trips than stages, and fewer.
    workload: '1,2,4_48,23,40',
    seed: 3,
    spec: {},
    flags: { heads: '8/2', headDim: '64', packing: 'pat', ...flags },
    verify: true,
    device: { family: 'cuda', units: 4, feasible: (t) => [t === forward ? tile : first(t)] },
  });
  for (const { template, tile: own } of instance.launches) {
    if (lowered.has(template)) continue;
    const spec = Object.fromEntries(Object.entries(instance.spec).filter(([name]) => name in template.spec));
    const kernel = template.trace({ ...template.spec, ...spec }, own);
    const numbers = template === forward ? { ...kernel.tile, ...lowering } : kernel.tile;
    lowered.set(template, lowerKernel({ ...kernel, tile: numbers }, findTarget(target)!));
  }
  const kernels = [...lowered.values()];
  const launches = instance.launches.map((l) => ({
    kernel: kernels.indexOf(lowered.get(l.template)!),
    grid: l.grid,
    buffers: l.buffers,
    scalars: { ...l.scalars },
  }));
  const run = () => simulateRequest({ kernels, buffers: instance.buffers, launches, repeats: 0 });
  return { instance, kernel: lowered.get(forward)!, run, launches };
}

const small: Tile = { m: 16, n: 16, stages: 2 };
const shapes: readonly Tile[] = [
  { m: 32, n: 16, stages: 2 },
  { m: 16, n: 32, stages: 2 },
];

describe.each([1, 2, 3, 4])('%i stages', (stages) => {
  it.each(shapes.flatMap((shape) => [0, 1, 2].map((producers) => ({ ...shape, producers }))))(
    'm=$m n=$n producers=$producers',
    ({ producers, ...tile }) => {
      const { instance, kernel, run } = request(tile, { producers, stages }, 'cuda:sm_80');
      const { reports, outputs } = run();
      expect(reports.flatMap((r) => r.errors)).toEqual([]);
      expect(instance.verify(outputs)).toMatchObject({ ok: true, unwritten: 0 });
      const ring = stages >= 2 && producers > 0;
      expect(countOf(kernel, 'mbarrierInit')).toBe(ring ? 2 * stages : 0);
      expect(kernel.threads % 32).toBe(0);
    },
  );
});

it('the shape that has been seen to race: three stages, one producer', () => {
  const { instance, run } = request({ m: 32, n: 32, stages: 3 }, { producers: 1 }, 'cuda:sm_80');
  const { reports, outputs } = run();
  expect(reports.flatMap((r) => r.errors)).toEqual([]);
  expect(instance.verify(outputs).ok).toBe(true);
});

describe('boxes by tensor copies', () => {
  const tile = { m: 64, n: 64, stages: 2 };
  const dims = [64, 128, 256];
  it.each(
    [2, 3, 5].flatMap((stages, i) =>
      [8, 16, 48].map((page, j) => ({ stages, page, headDim: dims[(i + j) % 3]!, producers: 1 + (i % 2) })),
    ),
  )('stages=$stages page=$page headDim=$headDim producers=$producers', ({ page, headDim, ...lowering }) => {
    const flags = { page: String(page), headDim: String(headDim) };
    const { instance, kernel, run } = request({ ...tile, m: 32, n: 32 }, lowering, 'cuda:sm_90a', flags);
    const { reports, outputs } = run();
    expect(reports.flatMap((r) => r.errors)).toEqual([]);
    expect(instance.verify(outputs)).toMatchObject({ ok: true, unwritten: 0 });
    expect(countOf(kernel, 'tensorCopy')).toBeGreaterThanOrEqual(2);
  });

  it.each([
    ['pages of one token', { page: '1' }],
    ['pages that no eight rows divide', { page: '12' }],
    ['rows of no whole panel', { headDim: '80' }],
  ])('%s are copied in chunks', (_, flags) => {
    const { instance, kernel, run } = request(tile, { producers: 1 }, 'cuda:sm_90a', flags);
    expect(countOf(kernel, 'tensorCopy')).toBe(0);
    const { reports, outputs } = run();
    expect(reports.flatMap((r) => r.errors)).toEqual([]);
    expect(instance.verify(outputs).ok).toBe(true);
  });
  it('ask L2 to drop first what one sequence reads alone, where the launch says so', () => {
    const { instance, kernel, run, launches } = request(tile, { producers: 1 }, 'cuda:sm_90a');
    let hinted = 0;
    walkStmts(
      kernel.body,
      (s) => void (hinted += Number(s.s === 'tensorCopy' && s.evictFirst !== undefined)),
    );
    expect(hinted).toBe(countOf(kernel, 'tensorCopy'));
    const { text } = emitCuda('pat', [kernel], 'cuda:sm_90a');
    const [, hint] = /if \((and\w*)\) tensor_copy_4d_evict_first\(/.exec(text)!;
    expect(text).toMatch(new RegExp(`bool ${hint} = streams != 0 && .*<= 1`));
    // A hint changes no result.
    const digests = [0, 1].map((streams) => {
      for (const l of launches) if ('streams' in l.scalars) l.scalars['streams'] = streams;
      const { reports, outputs } = run();
      expect(reports.flatMap((r) => r.errors)).toEqual([]);
      expect(instance.verify(outputs).ok).toBe(true);
      return outputs;
    });
    expect(digests[1]).toEqual(digests[0]);
  });
  it('lanes that have no box copy none', () => {
    const { instance, run } = request({ ...tile, n: 16 }, { producers: 1 }, 'cuda:sm_90a');
    const { reports, outputs } = run();
    expect(reports.flatMap((r) => r.errors)).toEqual([]);
    expect(instance.verify(outputs).ok).toBe(true);
  });
  it('where the target has none, or the tile says so, chunks are copied', () => {
    for (const [target, lowering] of [
      ['cuda:sm_80', { producers: 1 }],
      ['cuda:sm_90a', { producers: 1, bulk: 0 }],
    ] as const) {
      const { kernel } = request(tile, lowering, target);
      expect(countOf(kernel, 'tensorCopy')).toBe(0);
      expect(countOf(kernel, 'cpAsync')).toBeGreaterThan(0);
    }
  });
  it('a mask of the bounds of a matrix cuts no box', () => {
    const ring = (depth: number): ThreadKernel => {
      const kernel = linearGelu.trace({ ...linearGelu.spec, depth }, { ...first(linearGelu), step: 64 });
      return lowerKernel({ ...kernel, tile: { ...kernel.tile, producers: 1 } }, findTarget('cuda:sm_90a')!);
    };
    expect(countOf(ring(4096), 'tensorCopy')).toBeGreaterThan(0);
    expect(countOf(ring(4104), 'tensorCopy')).toBeGreaterThan(0);
    expect(countOf(ring(4104), 'cpAsync')).toBe(0);
    expect(countOf(ring(4104), 'mbarrierWait')).toBe(2);
  });
  it('warps meet at no block barrier in the loop', () => {
    const { kernel } = request(tile, { producers: 1 }, 'cuda:sm_90a');
    walkStmts(kernel.body, (s) => {
      if (s.s !== 'while') return;
      walkStmts(s.body, (x) => expect(x.s).not.toBe('barrier'));
    });
  });
});

describe('the numbers say what is emitted', () => {
  it('one stage copies and waits; more wait for all but the youngest', () => {
    const waits = (stages: number): number[] => {
      const found: number[] = [];
      walkStmts(request(small, { stages }, 'cuda:sm_80').kernel.body, (s) => {
        if (s.s === 'cpAsyncWait') found.push(s.pending);
      });
      return found;
    };
    expect(new Set(waits(1))).toEqual(new Set([0]));
    expect(waits(3)).toContain(1);
    expect(waits(4)).toContain(2);
  });
  it('stages cost shared memory', () => {
    const bytes = [2, 3, 4].map((stages) => request(small, { stages }, 'cuda:sm_80').kernel.sharedBytes);
    const stage = 2 * 16 * 64 * 2;
    expect([bytes[1]! - bytes[0]!, bytes[2]! - bytes[1]!]).toEqual([stage, stage]);
  });
  it('producers are warps of their own, and none where nothing can be copied ahead', () => {
    const threads = (producers: number, target: string): number =>
      request(small, { producers }, target).kernel.threads;
    expect(threads(2, 'cuda:sm_80') - threads(0, 'cuda:sm_80')).toBe(64);
    expect(threads(2, 'wgsl')).toBe(threads(0, 'wgsl'));
  });
});
