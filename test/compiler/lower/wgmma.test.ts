/** Dots by wgmma: products of every storage order, and loops whose loads run ahead, with and without producers. */
import { describe, expect, it } from 'vitest';
import { simulate, simulateRequest } from '../../../backends/cpu/simulator/index.ts';
import { encodeArray, poisoned } from '../../../compiler/ir/numeric.ts';
import { lowerKernel } from '../../../compiler/lower/index.ts';
import type { KernelTemplate, Tile } from '../../../compiler/program.ts';
import { findTarget } from '../../../compiler/target.ts';
import { walkStmts } from '../../../compiler/thread/build.ts';
import type { Stmt, ThreadKernel } from '../../../compiler/thread/nodes.ts';
import { kernel, type Tile as TileValue } from '../../../dsl/index.ts';
import gemm from '../../../examples/gemm/program.ts';
import { forward } from '../../../examples/pat/forward.ts';
import { merge } from '../../../examples/pat/merge.ts';
import { makeProgram } from '../../../examples/pat/program.ts';

const hopper = findTarget('cuda:sm_90a')!;

const countOf = (k: ThreadKernel, kind: Stmt['s']): number => {
  let n = 0;
  walkStmts(k.body, (s) => void (n += s.s === kind ? 1 : 0));
  return n;
};

interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly element: 'f16' | 'bf16';
  /** How the right operand is stored. */
  readonly order: 'kn' | 'nk';
  /** The right operand comes out of registers. */
  readonly computed?: boolean;
}

/** out = a · b, and a count that starts the accumulators. Shapes that tsc cannot follow. */
function product({ m, n, k, element, order, computed = false }: Product, tile: Tile = { wgmma: 1 }) {
  const traced = kernel('product', {}, (c) => {
    const at = (rows: number, columns: number) =>
      [c.iota(rows).expand(1), c.iota(columns).expand(0)] as const;
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    type Any = TileValue<any, any>;
    const a = c.input('a', element, [m, k]).load(at(m, k)) as Any;
    const [rows, columns] = order === 'kn' ? [k, n] : [n, k];
    const stored = c.input('b', element, [rows, columns]).load(at(rows, columns)) as Any;
    const b: Any = computed ? stored.add(stored) : stored;
    const start = c.input('start', 'f32', [m, n]).load(at(m, n)) as Any;
    const dot = c.dot(a, order === 'kn' ? b : b.T, start) as Any;
    c.output('out', 'f32', [m, n]).store(at(m, n), dot);
  }).trace({}, {});
  const lowered = lowerKernel({ ...traced, tile }, hopper);
  // Small integers: every order of summation is exact.
  const number = (i: number, j: number, modulus: number): number =>
    ((i * 7 + j * 5) % modulus) - (modulus >> 1);
  const values = (rows: number, columns: number, modulus: number): number[] =>
    Array.from({ length: rows * columns }, (_, i) => number(Math.floor(i / columns), i % columns, modulus));
  const [av, bv, sv] = [values(m, k, 11), values(k, n, 13), values(m, n, 17)];
  const storedB =
    order === 'kn' ? bv : Array.from({ length: n * k }, (_, i) => bv[(i % k) * n + Math.floor(i / k)]!);
  const buffers = new Map([
    ['a', encodeArray(element, av)],
    ['b', encodeArray(element, storedB)],
    ['start', Float32Array.from(sv)],
    ['out', poisoned('f32', m * n)],
  ]);
  const report = simulate(lowered, [1, 1, 1], buffers, {});
  const want = new Float32Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = sv[i * n + j]!;
      for (let x = 0; x < k; x++) sum += av[i * k + x]! * bv[x * n + j]! * (computed ? 2 : 1);
      want[i * n + j] = sum;
    }
  return { lowered, report, got: buffers.get('out')!, want };
}

describe('a product', () => {
  it.each([
    { m: 64, n: 64, k: 64, element: 'f16', order: 'nk' },
    { m: 64, n: 64, k: 64, element: 'bf16', order: 'kn' },
    { m: 64, n: 24, k: 128, element: 'f16', order: 'nk' },
    { m: 64, n: 192, k: 48, element: 'f16', order: 'kn' },
    { m: 128, n: 128, k: 128, element: 'bf16', order: 'nk' },
    { m: 128, n: 256, k: 64, element: 'f16', order: 'kn' },
    { m: 128, n: 64, k: 256, element: 'f16', order: 'nk' },
    { m: 64, n: 64, k: 64, element: 'f16', order: 'nk', computed: true },
    { m: 64, n: 128, k: 32, element: 'bf16', order: 'kn', computed: true },
  ] as const)('$m x $n x $k $element, right operand $order, computed=$computed', (shape) => {
    const { lowered, report, got, want } = product(shape);
    expect(report.errors).toEqual([]);
    expect(got).toEqual(want);
    expect(countOf(lowered, 'wgmma')).toBe(shape.k / 16);
    expect(countOf(lowered, 'mma')).toBe(0);
    expect(lowered.threads).toBe(2 * shape.m);
  });

  it('is refused where it does not fit', () => {
    const good = { m: 64, n: 64, k: 64, element: 'f16', order: 'kn' } as const;
    expect(() => product({ ...good, m: 32 })).toThrow(/32 rows/);
    expect(() => product({ ...good, n: 40 })).toThrow(/128 bytes/);
    expect(() => product({ ...good, k: 24, order: 'nk' })).toThrow(/16 products/);
    expect(() => product(good, { wgmma: 1, warps: 8 })).toThrow(/64 rows/);
  });
});

const first = (t: KernelTemplate): Record<string, number> =>
  Object.fromEntries(Object.entries(t.tile).map(([name, values]) => [name, values[0]!]));

/** Runs the forward kernel of one small batch. */
function request(tile: Tile, lowering: Tile, flags: Record<string, string>) {
  const lowered = new Map<KernelTemplate, ThreadKernel>();
  const instance = makeProgram({ forward, merge }).instantiate({
    workload: '1,2,4_48,23,140',
    seed: 3,
    spec: {},
    flags: { heads: '8/1', headDim: '64', packing: 'auto', ...flags },
    verify: true,
    device: { family: 'cuda', units: 4, feasible: (t) => [t === forward ? tile : first(t)] },
  });
  for (const { template, tile: own } of instance.launches) {
    if (lowered.has(template)) continue;
    const spec = Object.fromEntries(Object.entries(instance.spec).filter(([name]) => name in template.spec));
    const traced = template.trace({ ...template.spec, ...spec }, own);
    const numbers = template === forward ? { ...traced.tile, ...lowering } : traced.tile;
    lowered.set(template, lowerKernel({ ...traced, tile: numbers }, hopper));
  }
  const kernels = [...lowered.values()];
  const launches = instance.launches.map((l) => ({
    ...l,
    kernel: kernels.indexOf(lowered.get(l.template)!),
  }));
  const run = () => simulateRequest({ kernels, buffers: instance.buffers, launches, repeats: 0 });
  return { instance, kernel: lowered.get(forward)!, run };
}

describe('two dots in a row', () => {
  it.each([
    { m: 64, n: 64, stages: 2, headDim: 64, producers: 0, dtype: 'f16' },
    { m: 64, n: 64, stages: 3, headDim: 128, producers: 0, dtype: 'bf16' },
    { m: 64, n: 128, stages: 2, headDim: 128, producers: 1, dtype: 'f16' },
    { m: 128, n: 64, stages: 3, headDim: 64, producers: 2, dtype: 'f16' },
    { m: 128, n: 128, stages: 2, headDim: 128, producers: 0, dtype: 'f16' },
    { m: 64, n: 64, stages: 1, headDim: 128, producers: 0, dtype: 'bf16' },
    { m: 128, n: 64, stages: 4, headDim: 64, producers: 1, dtype: 'bf16' },
    { m: 64, n: 64, stages: 2, headDim: 256, producers: 1, dtype: 'bf16' },
    { m: 128, n: 128, stages: 3, headDim: 128, producers: 1, dtype: 'f16' },
  ])('m=$m n=$n stages=$stages headDim=$headDim producers=$producers $dtype', (shape) => {
    const { m, n, stages, headDim, producers, dtype } = shape;
    const { instance, kernel, run } = request(
      { m, n, stages: 2 },
      { wgmma: 1, producers, stages },
      { headDim: String(headDim), dtype, page: String(stages === 2 ? 24 : 16) },
    );
    const { reports, outputs } = run();
    expect(reports.flatMap((r) => r.errors)).toEqual([]);
    expect(instance.verify(outputs)).toMatchObject({ ok: true, unwritten: 0 });
    expect(countOf(kernel, 'wgmma')).toBe((headDim + n) / 16);
    expect(kernel.threads).toBe(2 * m + (producers > 0 ? 128 : 0));
  });

  it('rows outside a range are skipped by whole groups of warps', () => {
    const { instance, kernel, run } = request(
      { m: 128, n: 64, stages: 2 },
      { wgmma: 1 },
      { heads: '8/1', packing: 'pat' },
    );
    const { reports, outputs } = run();
    expect(reports.flatMap((r) => r.errors)).toEqual([]);
    expect(instance.verify(outputs).ok).toBe(true);
    expect(countOf(kernel, 'wgmmaWait')).toBe(2);
  });
});

describe('a loop over one dot', () => {
  it.each([
    { rows: 64, width: 64, step: 64, stages: 3, producers: 0, columns: 160, depth: 200 },
    { rows: 128, width: 128, step: 32, stages: 3, producers: 1, columns: 160, depth: 200 },
    { rows: 64, width: 64, step: 64, stages: 3, producers: 1, columns: 160, depth: 200 },
    { rows: 128, width: 256, step: 64, stages: 4, producers: 1, columns: 264, depth: 328 },
    { rows: 256, width: 128, step: 64, stages: 4, producers: 1, columns: 64, depth: 64 },
    { rows: 128, width: 128, step: 64, stages: 4, producers: 1, columns: 70, depth: 72 },
  ])(
    'rows=$rows width=$width step=$step stages=$stages producers=$producers columns=$columns depth=$depth',
    ({ producers, columns, depth, ...tile }) => {
      const instance = gemm.instantiate({
        seed: 11,
        spec: { columns, depth, dtype: 'bf16' },
        device: { family: 'cuda', units: 1, feasible: () => [tile] },
        flags: { rows: '150' },
        verify: true,
      });
      const kernels = instance.launches.map((l) => {
        const traced = l.template.trace(instance.spec, l.tile);
        return lowerKernel({ ...traced, tile: { ...traced.tile, wgmma: 1, producers } }, hopper);
      });
      const launches = instance.launches.map((l, i) => ({ ...l, kernel: i }));
      const { reports, outputs } = simulateRequest({
        kernels,
        buffers: instance.buffers,
        launches,
        repeats: 0,
      });
      expect(reports.flatMap((r) => r.errors)).toEqual([]);
      expect(instance.verify(outputs)).toMatchObject({ ok: true, unwritten: 0 });
      const [kernel] = kernels as [ThreadKernel];
      expect(countOf(kernel, 'wgmma')).toBe(tile.step / 16);
      // Rows of 16-byte multiples, and panels: boxes then, whose masks are the tensors' bounds.
      const boxed = producers > 0 && tile.step === 64 && columns % 8 === 0;
      expect(countOf(kernel, 'tensorCopy') > 0).toBe(boxed);
      expect(countOf(kernel, 'cpAsync') > 0).toBe(!boxed);
      // In a ring, a step's products go on into the next.
      expect(pendingOf(kernel)).toEqual(producers > 0 && tile.step === 64 ? [1, 0] : [0]);
    },
  );
});

/** Groups that each wait leaves on their way. */
function pendingOf(k: ThreadKernel): number[] {
  const found: number[] = [];
  walkStmts(k.body, (s) => void (s.s === 'wgmmaWait' && found.push(s.pending)));
  return found;
}
