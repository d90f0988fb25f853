import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { interpret, interpretRequest } from '../../../../backends/cpu/interpreter/index.ts';
import { PatcError } from '../../../../compiler/diagnostics/error.ts';
import { decodeF16, encodeArray, poisoned } from '../../../../compiler/ir/numeric.ts';
import { run, traced } from '../../../support/interpret.ts';

function errorOf(f: () => unknown): PatcError {
  try {
    f();
  } catch (error) {
    if (error instanceof PatcError) return error;
    throw error;
  }
  return expect.fail('no error');
}

describe('gathers and scatters', () => {
  test('go through index tiles, with masks and other', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 4, maxLength: 4 }),
        fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
        (pages, mask) => {
          const k = traced((k) => {
            const table = k.input('table', 'i32', [4]);
            const pool = k.input('pool', 'f16', [7, 3]);
            const wanted = k.input('wanted', 'i32', [4, 3]);
            const [i, j] = [k.iota(4), k.iota(3).expand(0)];
            const live = wanted.load([i.expand(1), j]).ne(0);
            const page = table.load([i]).expand(1);
            const x = pool.load([page, j], { mask: live, other: -1 });
            k.output('out', 'f16', [4, 3]).store([i.expand(1), j], x);
          });
          const pool = Array.from({ length: 21 }, (_, i) => i + 0.5);
          const { out } = run(k, { table: pages, pool, wanted: mask.map(Number) });
          expect(out.out).toEqual(
            mask.map((live, at) => (live ? pages[Math.floor(at / 3)]! * 3 + (at % 3) + 0.5 : -1)),
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  test('follow named extents and strides', () => {
    const k = traced((k) => {
      const x = k.input('x', 'f32', ['h', 'n'], { strides: [1, 'pitch'] });
      const [h, n] = [k.iota(4).expand(1), k.iota(8).expand(0)];
      const live = h.lt(k.dim('h')).and(n.lt(k.dim('n')));
      k.output('out', 'f32', [4, 8]).store([h, n], x.load([h, n], { mask: live }));
    });
    const x = Array.from({ length: 13 }, (_, i) => i);
    const { out } = run(k, { x }, [1, 1, 1], { h: 2, n: 3, pitch: 5 });
    const want = Array.from({ length: 32 }, (_, at) => {
      const [h, n] = [Math.floor(at / 8), at % 8];
      return h < 2 && n < 3 ? h + 5 * n : 0;
    });
    expect(out.out).toEqual(want);
  });

  test('write only where the mask is', () => {
    const k = traced((k) => {
      const i = k.iota(4);
      k.inout('x', 'i32', [4]).store([k.const(3, 'i32').sub(i)], i.mul(10), { mask: i.rem(2).eq(1) });
    });
    expect(run(k, { x: [1, 2, 3, 4] }).out.x).toEqual([30, 2, 10, 4]);
  });

  test('every half comes back with the bits it had', () => {
    const k = traced((k) => {
      const i = k.programId(0).mul(1024).add(k.iota(1024));
      k.output('out', 'f16', [65536]).store([i], k.input('x', 'f16', [65536]).load([i]));
    });
    const x = Uint16Array.from({ length: 65536 }, (_, i) => (Number.isNaN(decodeF16(i)) ? 0 : i));
    const out = poisoned('f16', 65536);
    interpret(k, [64, 1, 1], new Map([['x', x], ['out', out]]), {}); // prettier-ignore
    expect(x.findIndex((bits, i) => bits !== out[i])).toBe(-1);
  });
});

test('atomics combine every element, duplicates too', () => {
  const k = traced((k) => {
    const i = k.iota(6);
    const at = i.rem(2);
    const value = i.add(k.programId(0).mul(10));
    k.inout('sum', 'i32', [2]).atomicAdd([at], value);
    k.inout('max', 'u32', [2]).atomicMax([at], value.cast('u32'));
    k.inout('min', 'i32', [2]).atomicMin([at], value, { mask: i.gt(1) });
    k.inout('floats', 'f32', [2]).atomicAdd([at], value.cast('f32').mul(0.5));
  });
  const start = { sum: [1, 0], max: [3, 50], min: [99, 4], floats: [0, 0.25] };
  expect(run(k, start, [2, 1, 1]).out).toEqual({
    sum: [1 + 6 + 36, 9 + 39],
    max: [14, 50],
    min: [2, 3],
    floats: [21, 24.25],
  });
});

describe('what is not allowed', () => {
  test('an index outside its dimension, with tensor, index and extent', () => {
    const k = traced((k) => {
      const x = k.input('x', 'f32', ['n', 4]);
      const i = k.iota(4);
      k.output('out', 'f32', [4, 4]).store(
        [i.expand(1), i.expand(0)],
        x.load([i.add(k.programId(0)).expand(1), i.expand(0)]),
      );
    });
    const x = new Array(20).fill(1);
    expect(run(k, { x }, [2, 1, 1], { n: 5 }).out.out).toHaveLength(16);
    const error = errorOf(() => run(k, { x }, [3, 1, 1], { n: 5 }));
    expect(error.code).toBe('PAT0405');
    const [first] = error.diagnostics;
    expect(first!.message).toBe('load of x[5, 0]: index 5 is outside dimension 0');
    expect(first!.notes!.map((n) => n.text)).toEqual([
      'dimension 0 of x has extent n = 5',
      'in program instance (2, 0, 0)',
    ]);
    expect(first!.span!.file).toMatch(/memory\.test\.ts$/);
    expect(first!.span!.line).toBeGreaterThan(1);
  });

  test('an index in the neighbouring row is outside, though its address exists', () => {
    const k = traced((k) => {
      k.output('out', 'f32', [2, 4]).store([0, k.iota(4).add(1)], k.zeros([4]));
    });
    expect(errorOf(() => run(k)).message).toContain('store to out[0, 4]: index 4 is outside dimension 1');
    const below = traced((k) => {
      k.inout('out', 'i32', [4]).atomicAdd([k.iota(4).sub(1)], 1);
    });
    expect(errorOf(() => run(below)).message).toContain('atomic on out[-1]');
  });

  test('masked elements may lie anywhere', () => {
    const k = traced((k) => {
      const i = k.iota(8).sub(2);
      const live = i.ge(0).and(i.lt(4));
      const x = k.input('x', 'f32', [4]).load([i], { mask: live, other: 9 });
      k.output('out', 'f32', [4]).store([i], x, { mask: live });
    });
    expect(run(k, { x: [1, 2, 3, 4] }).out.out).toEqual([1, 2, 3, 4]);
  });

  test('two elements of one store at one address', () => {
    const k = (div: number) =>
      traced((k) => k.output('out', 'f32', [8]).store([k.iota(8).div(div)], k.zeros([8])));
    expect(run(k(1)).out.out).toEqual(new Array(8).fill(0));
    const error = errorOf(() => run(k(2)));
    expect(error.code).toBe('PAT0402');
    expect(error.message).toContain('this store writes element 0 of out twice');
  });

  test('two program instances that leave different values at one address', () => {
    const k = (same: boolean) =>
      traced((k) => {
        const value = same ? k.const(1, 'i32') : k.programId(0);
        k.output('out', 'i32', [1]).store([0], value);
      });
    expect(run(k(true), {}, [3, 1, 1]).out.out).toEqual([1]);
    expect(errorOf(() => run(k(false), {}, [2, 1, 1])).code).toBe('PAT0402');
    expect(run(k(false), {}, [1, 1, 1]).out.out).toEqual([0]);
  });

  test('one instance may write one address in turn', () => {
    const k = traced((k) => {
      const out = k.output('out', 'i32', [1]);
      k.loop({ to: 4 }, {}, (i) => out.store([0], i));
    });
    expect(run(k).out.out).toEqual([3]);
  });
});

describe('arguments that do not fit', () => {
  const k = traced((k) => {
    const i = k.iota(2);
    const x = k.input('x', 'f16', ['n']).load([i]);
    k.output('y', 'f32', [2]).store([i], x.cast('f32').mul(k.scalar('scale', 'f32')));
  });
  const x = encodeArray('f16', [1, 2]);
  const y = new Float32Array(2);
  const good = new Map([['x', x], ['y', y]]) as Map<string, typeof x>; // prettier-ignore
  const attempt = (buffers: Map<string, typeof x>, scalars: Record<string, number>, grid = 1) =>
    errorOf(() => interpret(k, [grid, 1, 1], buffers, scalars));

  test('are named', () => {
    interpret(k, [1, 1, 1], good, { n: 2, scale: 3 });
    expect([...y]).toEqual([3, 6]);
    const errors = [
      attempt(new Map([['y', y]]), { n: 2, scale: 1 }),
      attempt(new Map(good).set('x', new Float32Array(2)), { n: 2, scale: 1 }),
      attempt(good, { n: 3, scale: 1 }),
      attempt(good, { n: 2 }),
      attempt(good, { n: 1.5, scale: 1 }),
      attempt(good, { n: 2, scale: 1 }, -1),
    ];
    expect(errors.map((e) => e.code)).toEqual(errors.map(() => 'PAT0408'));
    expect(errors.map((e) => e.diagnostics[0]!.message)).toEqual([
      'tested is launched without a buffer for x',
      'x has elements f16: its buffer must be a Uint16Array',
      'x needs 3 elements and its buffer has 2',
      'tested is launched without its argument scale',
      'n = 1.5 is not an i32',
      'the grid of tested is [-1, 1, 1]: extents are whole numbers from 0',
    ]);
  });
});

test('a request runs its launches in order on copies', () => {
  const double = traced((k) => {
    const x = k.inout('x', 'i32', [1]);
    x.store([0], x.at(0).mul(2));
  });
  const add = traced((k) => {
    const y = k.output('y', 'i32', [1]);
    y.store([0], k.input('x', 'i32', [1]).at(0).add(k.scalar('by', 'i32')));
  });
  const data = Int32Array.of(5);
  const result = interpretRequest({
    kernels: [double, add],
    buffers: [
      { name: 'a', element: 'i32', data, output: false },
      { name: 'b', element: 'i32', data: new Int32Array(1), output: true },
    ],
    launches: [
      { kernel: 0, grid: [1, 1, 1], buffers: { x: 'a' }, scalars: {} },
      { kernel: 1, grid: [1, 1, 1], buffers: { x: 'a', y: 'b' }, scalars: { by: 3 } },
    ],
  });
  expect(data).toEqual(Int32Array.of(5));
  expect(result.outputs).toEqual(new Map([['b', Int32Array.of(13)]]));
});
