/** How many threads a block has for its products, how they are laid over the result, and what cannot be. */
import { describe, expect, it } from 'vitest';
import { PatcError } from '../../../compiler/diagnostics/error.ts';
import { Analysis } from '../../../compiler/lower/analysis.ts';
import { product } from '../../../compiler/lower/layout.ts';
import { planDots, type BlockPlan } from '../../../compiler/lower/plan-dots.ts';
import { findTarget } from '../../../compiler/target.ts';
import type { KernelContext, Tile } from '../../../dsl/index.ts';
import { everywhere } from '../../support/corpus.ts';
import { traced } from '../../support/interpret.ts';

type Sum = Tile<'f32', readonly [number, number]>;
type Shape = readonly [m: number, n: number, k: number];
type Use = (k: KernelContext, sum: Sum) => void;

const keep: Use = (k, sum) =>
  k.output(`y${sum.shape[1]}`, 'f32', sum.shape).store(everywhere(k, sum.shape), sum);
const factor = (k: KernelContext, name: string, element: 'f16' | 'bf16' | 'f32', shape: readonly number[]) =>
  k.input(name, element, shape).load(everywhere(k, shape)) as Tile<'f16', readonly [number, number]>;

function plan(
  [m, n, depth]: Shape,
  { use = keep, element = 'f16' as 'f16' | 'bf16' | 'f32', target = 'cuda:sm_80', warps = 0 } = {},
): BlockPlan {
  const kernel = traced((k) => {
    const b = factor(k, 'b', element, [depth, n]);
    use(k, k.dot(factor(k, 'a', element, [m, depth]), b as never) as Sum);
  });
  const tile = warps ? { warps } : {};
  return planDots({ ...kernel, tile }, findTarget(target)!, new Analysis(kernel));
}

describe('matrix instructions', () => {
  const kinds = (...args: Parameters<typeof plan>): string[] =>
    [...plan(...args).dots.values()].map((d) => d.kind);
  it('where the target has them and the shape is a multiple of theirs', () => {
    expect(kinds([16, 8, 16])).toEqual(['mma']);
    for (const shape of [
      [8, 8, 16],
      [16, 4, 16],
      [16, 8, 8],
    ] as const)
      expect(kinds(shape)).toEqual(['fma']);
    expect(kinds([16, 8, 16], { target: 'wgsl' })).toEqual(['fma']);
    expect(kinds([16, 8, 16], { element: 'f32' })).toEqual(['fma']);
    expect(kinds([16, 8, 16], { element: 'bf16' })).toEqual(['mma']);
  });
  it('warps by the size of the result', () => {
    const threads = (m: number, n: number) => plan([m, n, 16]).threads;
    expect([threads(32, 64), threads(64, 64), threads(64, 128), threads(128, 128)]).toEqual([
      32, 128, 128, 256,
    ]);
    expect(plan([64, 64, 16], { warps: 2 }).threads).toBe(64);
  });
  const softmax: Use = (k, sum) => keep(k, sum.sub(sum.reduceMax(1).expand(1)) as Sum);
  const second: Use = (k, sum) => {
    const v = factor(k, 'v', 'f16', [sum.shape[1], 16]);
    keep(k, k.dot(sum.cast('f16') as never, v as never) as Sum);
  };
  const right: Use = (k, sum) => {
    const v = factor(k, 'v', 'f16', [32, sum.shape[0]]);
    keep(k, k.dot(v as never, sum.cast('f16') as never) as Sum);
  };
  const inLoop =
    (use: Use): Use =>
    (k, sum) => {
      const { a } = k.loop({ to: 2 }, { a: sum }, (_, { a }) => ({ a: a.mul(2) as Sum }));
      use(k, a);
    };
  const inBranch: Use = (k, sum) => {
    const { a } = k.when(
      k.programId(0).eq(0),
      () => ({ a: sum }),
      () => ({ a: sum.mul(2) as Sum }),
    );
    softmax(k, a);
  };
  const besideAnother: Use = (k, sum) => {
    const start = { a: k.zeros(sum.shape), b: sum };
    const { a, b } = k.loop({ to: 2 }, start, (_, { a, b }) => ({ a: a.add(1) as Sum, b: b.mul(2) as Sum }));
    k.output('other', 'f32', a.shape).store(everywhere(k, a.shape), a);
    const { y } = k.when(
      k.programId(0).eq(0),
      () => ({ x: k.const(1), y: b }),
      () => ({ x: k.const(2), y: b.mul(2) as Sum }),
    );
    softmax(k, y);
  };
  const inRows: Use = (k, sum) =>
    keep(k, k.rows({ from: 1, to: 9 }, { a: sum }, ({ a }) => ({ a: a.mul(2) as Sum })).a as Sum);
  it.each([
    ['reduced along rows', softmax],
    ['the left factor of another', second],
    ['the right factor of another', right],
    ['reduced after a loop', inLoop(softmax)],
    ['reduced after a branch', inBranch],
    ['one of what a loop carries and a branch gives', besideAnother],
    ['carried by a rows region', inRows],
  ] as const)('a warp for every 16 rows, up to 8, of what is %s', (_, use) => {
    expect(plan([32, 64, 16], { use }).threads).toBe(64);
    if (use !== right) expect(plan([256, 32, 16], { use }).threads).toBe(256);
    for (const { layout } of plan([32, 64, 16], { use }).dots.values())
      for (const d of layout.threads.slice(2)) expect(d.dim).toBe(0);
  });
  it('but not of what is only kept, in a loop or out of it', () => {
    expect(plan([32, 64, 16], { use: inLoop(keep) }).threads).toBe(32);
  });
  it('warps are laid out so that each has a block as square as can be', () => {
    const grid = (m: number, n: number, warps: number) =>
      [...plan([m, n, 16], { warps }).dots.values()][0]!.layout.threads
        .slice(2)
        .map((d) => `${d.dim}:${d.size}`)
        .join(' ');
    expect(grid(128, 64, 8)).toBe('0:4 1:2');
    expect(grid(64, 128, 8)).toBe('0:2 1:4');
    expect(grid(16, 64, 4)).toBe('1:4');
    expect(grid(64, 8, 4)).toBe('0:4');
  });
  it('PAT0302 where rows do not go round, with what would', () => {
    const refused = (...args: Parameters<typeof plan>): PatcError => {
      try {
        plan(...args);
      } catch (error) {
        if (error instanceof PatcError) return error;
      }
      throw new Error('not refused');
    };
    const rows = refused([32, 64, 16], { use: softmax, warps: 4 });
    expect(rows.code).toBe('PAT0302');
    expect(rows.message).toContain('32x64');
    expect(rows.diagnostics[0]!.help).toContain('multiple of 64');
    expect(refused([16, 8, 16], { warps: 2 }).code).toBe('PAT0302');
  });
});

describe('multiply-adds', () => {
  const options = { element: 'f32', target: 'wgsl' } as const;
  it('64 threads, and more where one would hold more than 32 elements', () => {
    const threads = (m: number, n: number) => plan([m, n, 16], options).threads;
    expect([threads(16, 16), threads(32, 64), threads(64, 64), threads(128, 128), threads(256, 128)]).toEqual(
      [64, 64, 128, 256, 256],
    );
    expect(plan([16, 16, 16], { ...options, warps: 4 }).threads).toBe(128);
  });
  it.each([
    [[64, 64, 16], '1:8 0:16'],
    [[8, 64, 16], '1:8 0:8'],
    [[64, 8, 16], '1:4 0:16'],
    [[64, 7, 16], '0:64'],
    [[24, 32, 16], '1:8 0:8'],
  ] as const)('threads over rows and columns of %j: %s', (shape, want) => {
    const { layout } = [...plan(shape, options).dots.values()][0]!;
    expect(
      layout.threads
        .filter((d) => d.dim !== null)
        .map((d) => `${d.dim}:${d.size}`)
        .join(' '),
    ).toBe(want);
  });
});

describe('several products, or none', () => {
  const several = (
    shapes: readonly Shape[],
    use: Use,
    tile: Record<string, number> = {},
    target = 'cuda:sm_80',
  ) => {
    const kernel = traced((k) =>
      shapes.forEach(([m, n, depth], i) => {
        const a = factor(k, `a${i}`, 'f16', [m, depth]);
        use(k, k.dot(a, factor(k, `b${i}`, 'f16', [depth, n]) as never) as Sum);
      }),
    );
    return planDots({ ...kernel, tile }, findTarget(target)!, new Analysis(kernel));
  };
  const sums: Use = (k, sum) =>
    k.output(`y${sum.shape[0]}`, 'f32', [sum.shape[0]]).store([k.iota(sum.shape[0])], sum.reduceSum(1));
  it('the largest says how many warps, the one of the fewest rows where rows stay together', () => {
    expect(
      several(
        [
          [32, 32, 16],
          [128, 128, 16],
        ],
        keep,
      ).threads,
    ).toBe(256);
    expect(
      several(
        [
          [128, 128, 16],
          [32, 32, 16],
        ],
        keep,
      ).threads,
    ).toBe(256);
    expect(
      several(
        [
          [128, 32, 16],
          [32, 32, 16],
        ],
        sums,
      ).threads,
    ).toBe(64);
    expect(
      several(
        [
          [32, 32, 16],
          [128, 128, 16],
        ],
        keep,
        {},
        'wgsl',
      ).threads,
    ).toBe(256);
  });
  it('all by matrix instructions or none', () => {
    const kinds = (shapes: readonly Shape[]) => [...several(shapes, keep).dots.values()].map((d) => d.kind);
    expect(
      kinds([
        [16, 16, 16],
        [16, 8, 16],
      ]),
    ).toEqual(['mma', 'mma']);
    expect(
      kinds([
        [16, 16, 16],
        [8, 8, 16],
      ]),
    ).toEqual(['fma', 'fma']);
  });
  it('none: four warps, or as many as the tile says', () => {
    const load: Use = (k) => k.output('z', 'f32', [4]).store([k.iota(4)], 1);
    const none = (tile: Record<string, number>) => {
      const kernel = traced((k) => load(k, undefined as never));
      return planDots({ ...kernel, tile }, findTarget('wgsl')!, new Analysis(kernel));
    };
    expect([none({}).threads, none({ warps: 2 }).threads]).toEqual([128, 64]);
  });
  it('never more threads than the target has, and every thread has its place', () => {
    const kernel = traced((k) => {
      keep(k, k.dot(factor(k, 'a', 'f32', [128, 16]), factor(k, 'b', 'f32', [16, 128]) as never) as Sum);
    });
    for (const maxThreads of [64, 128, 256, 1024])
      expect(planDots(kernel, { ...findTarget('wgsl')!, maxThreads }, new Analysis(kernel)).threads).toBe(
        Math.min(256, maxThreads),
      );
    for (const shape of [
      [8, 7, 16],
      [7, 8, 16],
      [64, 64, 16],
    ] as const) {
      const { threads, dots } = plan(shape, { element: 'f32', target: 'wgsl' });
      for (const { layout } of dots.values()) expect(product(layout.threads)).toBe(threads);
    }
  });
});
