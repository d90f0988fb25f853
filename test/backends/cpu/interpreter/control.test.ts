import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Kernel, Op } from '../../../../compiler/ir/nodes.ts';
import type { Tile } from '../../../../dsl/index.ts';
import { run, traced } from '../../../support/interpret.ts';

test('program ids and the grid', () => {
  const k = traced((k) => {
    const [x, y, z] = [k.programId(0), k.programId(1), k.programId(2)];
    k.output('out', 'i32', [2, 3, 4]).store([z, y, x], x.add(y.mul(10)).add(z.mul(100)));
  });
  const { out } = run(k, {}, [4, 3, 2]);
  expect(out.out).toEqual(
    Array.from({ length: 24 }, (_, i) => (i % 4) + (Math.floor(i / 4) % 3) * 10 + Math.floor(i / 12) * 100),
  );
});

describe('loops', () => {
  test('step from lo to hi and carry records; values change hands at once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -5, max: 5 }),
        fc.integer({ min: -5, max: 20 }),
        fc.integer({ min: 1, max: 4 }),
        (lo, hi, step) => {
          const k = traced((k) => {
            const range = { from: k.scalar('lo', 'i32'), to: k.scalar('hi', 'i32'), step };
            const start = { a: k.zeros([3], 'i32'), b: k.full([3], 1, 'i32') };
            // A swap: each next value is the other's parameter.
            const swapped = k.loop(range, start, (_i, { a, b }) => ({ a: b, b: a }));
            const summed = k.loop(range, { s: k.iota(3) }, (i, { s }) => ({ s: s.mul(3).add(i) }));
            const at = [k.iota(3)];
            k.output('a', 'i32', [3]).store(at, swapped.a);
            k.output('s', 'i32', [3]).store(at, summed.s);
          });
          let [a, b, s] = [0, 1, [0, 1, 2]];
          for (let i = lo; i < hi; i += step) {
            [a, b] = [b, a];
            s = s.map((v) => (Math.imul(v, 3) + i) | 0);
          }
          expect(run(k, {}, [1, 1, 1], { lo, hi }).out).toEqual({ a: [a, a, a], s });
        },
      ),
      { numRuns: 40 },
    );
  });

  test('nest, with inner results used by the outer loop', () => {
    const k = traced((k) => {
      const { total } = k.loop({ to: 4 }, { total: k.const(0, 'i32') }, (i, { total }) => {
        const { row } = k.loop({ to: i }, { row: k.const(1, 'i32') }, (j, { row }) => ({ row: row.add(j) }));
        return { total: total.mul(10).add(row) };
      });
      k.output('out', 'i32', [1]).store([0], total);
    });
    // Rows: 1, 1+0, 1+0+1, 1+0+1+2.
    expect(run(k).out.out).toEqual([1124]);
  });

  test('ragged: trips of every entry, in order, skipping the empty ones', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -1, max: 4 }), { minLength: 5, maxLength: 5 }),
        fc.integer({ min: 1, max: 3 }),
        (trips, step) => {
          const k = traced((k) => {
            const table = k.input('trips', 'i32', [5]);
            const range = {
              from: 1,
              to: k.scalar('to', 'i32'),
              step,
              trips: (e: Tile<'i32', readonly []>) => table.at(e),
            };
            const start = { hash: k.const(7, 'i32'), n: k.zeros([2], 'i32') };
            const { hash, n } = k.ragged(range, start, (e, t, { hash, n }) => ({
              hash: hash.mul(31).add(e.mul(8)).add(t),
              n: n.add(1),
            }));
            k.output('hash', 'i32', [1]).store([0], hash);
            k.output('n', 'i32', [2]).store([k.iota(2)], n);
          });
          let [hash, n] = [7, 0];
          for (let e = 1; e < 5; e += step)
            for (let t = 0; t < trips[e]!; t++, n++) hash = (Math.imul(hash, 31) + e * 8 + t) | 0;
          expect(run(k, { trips }, [1, 1, 1], { to: 5 }).out).toEqual({ hash: [hash], n: [n, n] });
        },
      ),
      { numRuns: 30 },
    );
  });
});

test('when runs one side only', () => {
  const k = traced((k) => {
    const i = k.programId(0);
    const out = k.inout('out', 'i32', [4]);
    const { v } = k.when(
      i.rem(2).eq(0),
      () => ({ v: i.mul(100) }),
      () => ({ v: i.neg() }),
    );
    out.store([i], v);
    // The load below would be out of bounds if it ran.
    k.when(i.eq(3), () => out.atomicAdd([k.input('big', 'i32', [1]).at(i.sub(3))], 1000));
  });
  expect(run(k, { big: [1], out: [0, 0, 0, 0] }, [4, 1, 1]).out.out).toEqual([0, 999, 200, -3]);
});

describe('rows', () => {
  /** A kernel with a chain of row-local and other ops in a row region, in a loop over ranges. */
  const chain = (): Kernel =>
    traced((k) => {
      const range = k.input('range', 'i32', [3, 2]);
      const [i, j] = [k.iota(4).expand(1), k.iota(3).expand(0)];
      const x = k.input('x', 'f32', [4, 3]).load([i, j]);
      const w = k.input('w', 'f32', [3, 3]).load([k.iota(3).expand(1), j]);
      const start = { acc: x, top: k.zeros([4]) };
      const { acc, top } = k.loop({ to: 3 }, start, (n, { acc, top }) =>
        k.rows({ from: range.at(n, 0), to: range.at(n, 1) }, { acc, top }, ({ acc, top }) => {
          const scaled = acc.mul(2).sub(acc.reduceMax(1).expand(1));
          const mixed = k.dot(scaled, w, acc);
          // Along the rows: wants every row of mixed, also those outside the range.
          const column = mixed.reduceSum(0).expand(0);
          return { acc: mixed.add(column), top: top.add(mixed.T.reduceSum(0)) };
        }),
      );
      k.output('acc', 'f32', [4, 3]).store([i, j], acc);
      k.output('top', 'f32', [4]).store([k.iota(4)], top);
    });

  const f = Math.fround;
  function model(x: number[], w: number[], ranges: number[][]): { acc: number[]; top: number[] } {
    let acc = x.map(f);
    let top = [0, 0, 0, 0];
    for (const [lo, hi] of ranges as [number, number][]) {
      const highest = top.map((_, i) => Math.max(...acc.slice(i * 3, i * 3 + 3)));
      const scaled = acc.map((v, at) => f(f(v * 2) - highest[Math.floor(at / 3)]!));
      const mixed = acc.map((v, at) => {
        let s = v;
        for (let d = 0; d < 3; d++)
          s = f(s + f(scaled[Math.floor(at / 3) * 3 + d]! * f(w[d * 3 + (at % 3)]!)));
        return s;
      });
      const fold = (values: number[]) => values.slice(1).reduce((a, b) => f(a + b), values[0]!);
      const column = [0, 1, 2].map((j) => fold([0, 1, 2, 3].map((i) => mixed[i * 3 + j]!)));
      const inside = (i: number) => lo <= i && i < hi;
      const next = acc.map((v, at) => (inside(Math.floor(at / 3)) ? f(mixed[at]! + column[at % 3]!) : v));
      top = top.map((v, i) => (inside(i) ? f(v + fold(mixed.slice(i * 3, i * 3 + 3))) : v));
      acc = next;
    }
    return { acc, top };
  }

  const numbers = (n: number) =>
    fc.array(fc.float({ noNaN: true, min: -4, max: 4 }), { minLength: n, maxLength: n });
  const ranges = fc.array(fc.tuple(fc.integer({ min: -2, max: 5 }), fc.integer({ min: -2, max: 6 })), {
    minLength: 3,
    maxLength: 3,
  });

  test('only the rows of the range change', () => {
    fc.assert(
      fc.property(numbers(12), numbers(9), ranges, (x, w, ranges) => {
        expect(run(chain(), { x, w, range: ranges.flat() }).out).toEqual(model(x, w, ranges));
      }),
      { numRuns: 60 },
    );
  });

  test('carried tiles can trade places inside', () => {
    const k = traced((k) => {
      const i = k.iota(3);
      const start = { a: i, b: i.mul(10) };
      const { a, b } = k.rows({ from: 1, to: 3 }, start, ({ a, b }) => ({ a: b, b: a }));
      k.output('a', 'i32', [3]).store([i], a);
      k.output('b', 'i32', [3]).store([i], b);
      // The tiles that went in are still what they were.
      k.output('start', 'i32', [3]).store([i], start.b);
    });
    expect(run(k).out).toEqual({ a: [0, 10, 20], b: [0, 1, 2], start: [0, 10, 20] });
  });

  test('in a loop, constants that go in stay constant', () => {
    const k = traced((k) => {
      const zeros = k.zeros([2], 'i32');
      const { sum } = k.loop({ to: 3 }, { sum: k.zeros([2], 'i32') }, (i, { sum }) => {
        const { one } = k.rows({ from: i, to: 2 }, { one: zeros }, ({ one }) => ({ one: one.add(1) }));
        return { sum: sum.add(one) };
      });
      k.output('out', 'i32', [2]).store([k.iota(2)], sum);
    });
    expect(run(k).out.out).toEqual([1, 2]);
  });

  test('an empty range changes nothing, but the loads are carried out and checked', () => {
    const k = traced((k) => {
      const n = k.scalar('n', 'i32');
      const x = k.input('x', 'f32', [2]);
      const { v } = k.rows({ from: 0, to: n }, { v: k.zeros([2]) }, ({ v }) => ({ v: v.add(x.at(n)) }));
      k.output('out', 'f32', [2]).store([k.iota(2)], v);
    });
    expect(run(k, { x: [5, 6] }, [1, 1, 1], { n: 0 }).out.out).toEqual([0, 0]);
    expect(run(k, { x: [5, 6] }, [1, 1, 1], { n: 1 }).out.out).toEqual([6, 0]);
    expect(() => run(k, { x: [5, 6] }, [1, 1, 1], { n: -1 })).toThrow('PAT0405');
  });

  test('a mask picks rows of the range', () => {
    const k = traced((k) => {
      const i = k.iota(6);
      const odd = i.rem(2).eq(1);
      const { v } = k.rows({ where: odd }, { v: i }, ({ v }) => ({ v: v.add(10) }));
      const { v: w } = k.rows({ from: 2, to: 5, where: odd.not() }, { v }, ({ v }) => ({ v: v.neg() }));
      k.output('out', 'i32', [6]).store([i], w);
    });
    expect(run(k).out.out).toEqual([0, 11, -2, 13, -4, 15]);
  });

  test('a predicated body is taken at its word', () => {
    const k = traced((k) => {
      const i = k.iota(3);
      const { v } = k.rows({ from: 1, to: 2 }, { v: i }, ({ v }) => ({ v: v.add(10) }));
      k.output('out', 'i32', [3]).store([i], v);
    });
    const claim = (op: Op): Op => (op.op === 'rows' ? { ...op, predicated: true } : op);
    const claimed = { ...k, body: { ...k.body, ops: k.body.ops.map(claim) } };
    expect(run(k).out.out).toEqual([0, 11, 2]);
    expect(run(claimed).out.out).toEqual([10, 11, 12]);
  });
});
