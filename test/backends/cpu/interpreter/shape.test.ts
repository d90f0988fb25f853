import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { roundTo } from '../../../../compiler/ir/numeric.ts';
import type { Tile } from '../../../../dsl/index.ts';
import { everywhere } from '../../../support/cases.ts';
import { run, traced } from '../../../support/interpret.ts';

/** Applies f to a tile of 0, 1, 2, … of that shape. */
function counted(shape: number[], f: (x: Tile) => Tile): { values: number[]; shape: readonly number[] } {
  let result: readonly number[] = [];
  const size = shape.reduce((a, b) => a * b, 1);
  const k = traced((k) => {
    const x = k.input('x', 'f32', shape).load(everywhere(k, shape));
    const y = f(x);
    result = y.shape;
    k.output('out', 'f32', result.length ? [...result] : [1]).store(
      result.length ? everywhere(k, result) : [0],
      y,
    );
  });
  return { values: run(k, { x: Array.from({ length: size }, (_, i) => i) }).out.out!, shape: result };
}

test('broadcast stretches extents of 1', () => {
  expect(counted([2, 1], (x) => x.broadcast([2, 3]))).toEqual({ values: [0, 0, 0, 1, 1, 1], shape: [2, 3] });
  expect(counted([1, 3], (x) => x.broadcast([2, 3]))).toEqual({ values: [0, 1, 2, 0, 1, 2], shape: [2, 3] });
  expect(counted([2, 1, 2], (x) => x.broadcast([2, 2, 2])).values).toEqual([0, 1, 0, 1, 2, 3, 2, 3]);
  expect(counted([1, 1], (x) => x.broadcast([2, 2])).values).toEqual([0, 0, 0, 0]);
});

test('transpose and reshape', () => {
  expect(counted([2, 3], (x) => x.T)).toEqual({ values: [0, 3, 1, 4, 2, 5], shape: [3, 2] });
  expect(counted([2, 3, 4], (x) => x.transpose([2, 0, 1])).shape).toEqual([4, 2, 3]);
  const turned = counted([2, 3, 4], (x) => x.transpose([2, 0, 1])).values;
  for (let a = 0; a < 4; a++)
    for (let b = 0; b < 2; b++)
      for (let c = 0; c < 3; c++) expect(turned[(a * 2 + b) * 3 + c]).toBe((b * 3 + c) * 4 + a);
  expect(counted([2, 6], (x) => x.reshape([3, 4]).expand(1))).toEqual({
    values: Array.from({ length: 12 }, (_, i) => i),
    shape: [3, 1, 4],
  });
});

describe('reductions', () => {
  const value = fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 });
  const folds = {
    sum: (a: number, b: number) => Math.fround(a + b),
    max: Math.max,
    min: Math.min,
  };
  test.each(Object.keys(folds) as (keyof typeof folds)[])('%s along any axis, in index order', (name) => {
    const shape = [3, 4, 5];
    const method = `reduce${name[0]!.toUpperCase()}${name.slice(1)}` as 'reduceSum';
    fc.assert(
      fc.property(fc.array(value, { minLength: 60, maxLength: 60 }), fc.constantFrom(0, 1, 2), (x, axis) => {
        const rest = shape.filter((_, i) => i !== axis);
        const k = traced((k) => {
          const tile = k.input('x', 'f32', shape).load(everywhere(k, shape)) as Tile<'f32'>;
          k.output('out', 'f32', rest).store(everywhere(k, rest), tile[method](axis));
        });
        const strides = [20, 5, 1];
        const [s0, s1] = strides.filter((_, i) => i !== axis) as [number, number];
        const want: number[] = [];
        for (let a = 0; a < rest[0]!; a++)
          for (let b = 0; b < rest[1]!; b++) {
            const at = (j: number) => Math.fround(x[a * s0 + b * s1 + j * strides[axis]!]!);
            let s = at(0);
            for (let j = 1; j < shape[axis]!; j++) s = folds[name](s, at(j));
            want.push(s);
          }
        expect(run(k, { x }).out.out).toEqual(want);
      }),
      { numRuns: 20 },
    );
  });

  test('integers wrap; halves round once; a vector reduces to a scalar', () => {
    const k = traced((k) => {
      const i = k.iota(4);
      const ints = k.input('ints', 'i32', [4]).load([i]);
      const halves = k.input('halves', 'bf16', [4]).load([i]);
      k.output('sum', 'i32', [1]).store([0], ints.reduceSum(0));
      k.output('half', 'bf16', [1]).store([0], halves.reduceSum(0));
    });
    const ints = [2 ** 31 - 1, 1, 5, 7];
    // One by one in bf16, 256 + 1 would stay 256.
    const halves = [256, 1, 1, 1];
    const { out } = run(k, { ints, halves });
    expect(out).toEqual({ sum: [-(2 ** 31) + 12], half: [roundTo('bf16', 259)] });
  });
});

describe('dot', () => {
  test.each(['f32', 'f16', 'bf16'] as const)('%s accumulates in f32 in the order of k', (element) => {
    const shapes = fc.tuple(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 5 }),
    );
    const seed = fc.array(fc.float({ noNaN: true, min: -100, max: 100 }), { minLength: 100, maxLength: 100 });
    fc.assert(
      fc.property(shapes, seed, fc.boolean(), ([m, depth, n], numbers, accumulate) => {
        const rounded = numbers.map((x) => roundTo(element, x));
        const k = traced((k) => {
          const a = k.input('a', element, [m, depth]).load(everywhere(k, [m, depth])) as Tile<'f32', [1, 1]>;
          const b = k.input('b', element, [depth, n]).load(everywhere(k, [depth, n])) as Tile<'f32', [1, 1]>;
          const c = k.input('c', 'f32', [m, n]).load(everywhere(k, [m, n])) as Tile<'f32', [1, 1]>;
          const product = accumulate ? k.dot(a, b, c) : k.dot(a, b);
          k.output('out', 'f32', [m, n]).store(everywhere(k, [m, n]), product);
        });
        const [a, b, c] = [
          rounded.slice(0, m * depth),
          rounded.slice(50, 50 + depth * n),
          numbers.slice(0, m * n),
        ];
        const want = c.map((start, at) => {
          let s = accumulate ? Math.fround(start) : 0;
          const [i, j] = [Math.floor(at / n), at % n];
          for (let d = 0; d < depth; d++) s = Math.fround(s + Math.fround(a[i * depth + d]! * b[d * n + j]!));
          return s;
        });
        expect(run(k, { a, b, c }).out.out).toEqual(want);
      }),
      { numRuns: 50 },
    );
  });
});
