/**
 * What tsc says about shapes and elements. Never run: shapes.types.test.ts type-checks it. Every `@ts-expect-error` is a
 * mistake that tsc underlines; every line without one must pass, in particular with extents of type number.
 */
/* eslint-disable @typescript-eslint/no-unused-vars -- values are made here for their types */
import { kernel, tune, type Tile } from '../../dsl/index.ts';

type Is<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Is<A, B>): void => {};
type Scalar<E extends 'i32' | 'f32' | 'bool'> = Tile<E, readonly []>;

export const literals = kernel('literals', {}, (k) => {
  const a = k.zeros([64, 128], 'f16');
  const b = k.zeros([128, 32], 'f16');
  const c = k.zeros([64, 32]);
  const row = k.iota(64);
  same<typeof a, Tile<'f16', readonly [64, 128]>>(true);
  same<typeof row, Tile<'i32', readonly [64]>>(true);

  // dot: the inner extents, the accumulator, the elements.
  const d = k.dot(a, b, c);
  same<typeof d, Tile<'f32', readonly [64, 32]>>(true);
  k.dot(a, a.T);
  // @ts-expect-error 128 against 64
  k.dot(a, a);
  // @ts-expect-error the accumulator is [64, 128]
  k.dot(a, b, k.zeros([64, 128]));
  // @ts-expect-error the accumulator is f16
  k.dot(a, b, k.zeros([64, 32], 'f16'));
  // @ts-expect-error f16 times bf16
  k.dot(a, k.zeros([128, 32], 'bf16'));
  // @ts-expect-error a vector
  k.dot(a, k.zeros([128], 'f16'));
  // @ts-expect-error integers
  k.dot(k.zeros([4, 4], 'i32'), k.zeros([4, 4], 'i32'));

  // Elementwise: equal extents, 1, scalars and numbers meet.
  same<ReturnType<typeof c.add<typeof c>>, Tile<'f32', readonly [64, 32]>>(true);
  const sums = c.reduceSum(1);
  same<typeof sums, Tile<'f32', readonly [64]>>(true);
  const column = sums.expand(1);
  same<typeof column, Tile<'f32', readonly [64, 1]>>(true);
  const shifted = c.sub(column).mul(0.5).add(k.const(2));
  same<typeof shifted, Tile<'f32', readonly [64, 32]>>(true);
  const outer = column.add(k.zeros([1, 32]));
  same<typeof outer, Tile<'f32', readonly [64, 32]>>(true);
  const scaled = k.const(2).mul(c);
  same<typeof scaled, Tile<'f32', readonly [64, 32]>>(true);
  // @ts-expect-error [64] against [64, 32]: insert the axis
  c.sub(sums);
  // @ts-expect-error 64 against 32 along axis 1
  c.add(k.zeros([64, 64]));
  // @ts-expect-error f32 and f16
  c.add(c.cast('f16'));
  // @ts-expect-error i32 and f32
  row.mul(sums);
  // @ts-expect-error a string
  c.add('1');

  // Comparisons and choices.
  const below = row.lt(32);
  same<typeof below, Tile<'bool', readonly [64]>>(true);
  below.and(row.ge(1)).or(true);
  // @ts-expect-error bool and i32
  below.and(row);
  const picked = below.expand(1).where(c, 0);
  same<typeof picked, Tile<'f32', readonly [64, 32]>>(true);
  const spread = below.expand(1).where(k.zeros([1, 8]), k.const(1));
  same<typeof spread, Tile<'f32', readonly [64, 8]>>(true);

  // Memory.
  const x = k.input('x', 'f16', ['n', 128]);
  const y = k.output('y', 'f32', ['n', 32]);
  const at = [row.expand(1), k.iota(128).expand(0)] as const;
  const t = x.load(at, { mask: row.lt(k.dim('n')).expand(1), other: 0 });
  same<typeof t, Tile<'f16', readonly [64, 128]>>(true);
  const one = x.at(k.programId(0), 3);
  same<typeof one, Tile<'f16', readonly []>>(true);
  y.store([row.expand(1), k.iota(32).expand(0)], d);
  // @ts-expect-error y holds f32
  y.store([row.expand(1), k.iota(32).expand(0)], d.cast('f16'));
  // @ts-expect-error an index is i32
  x.load([row.cast('f32').expand(1), 0]);
  // @ts-expect-error a mask is bool
  x.load(at, { mask: row.expand(1) });
  // @ts-expect-error bool does not lie in memory
  k.input('m', 'bool', [4]);

  // Control flow keeps the types of carried tiles.
  const { acc, top } = k.loop({ to: 4 }, { acc: c, top: sums }, (i, { acc, top }) => {
    same<typeof i, Scalar<'i32'>>(true);
    same<typeof acc, Tile<'f32', readonly [64, 32]>>(true);
    return { acc: k.dot(a, b, acc), top: top.max(acc.reduceMax(1)) };
  });
  same<typeof acc, Tile<'f32', readonly [64, 32]>>(true);
  same<typeof top, Tile<'f32', readonly [64]>>(true);
  // @ts-expect-error acc changes its shape
  k.loop({ to: 4 }, { acc: c }, (_, { acc }) => ({ acc: acc.T }));
  // @ts-expect-error acc changes its element
  k.loop({ to: 4 }, { acc: c }, (_, { acc }) => ({ acc: acc.cast('f16') }));
  // @ts-expect-error acc is missing
  k.loop({ to: 4 }, { acc: c }, () => ({}));
  k.loop({ to: 4 }, {}, () => {});
  k.loop({ to: k.dim('n'), step: 2 }, {}, (i) => y.store([i, k.iota(32)], 0));
  // @ts-expect-error the bound is a tile
  k.loop({ to: row }, {}, () => {});
  k.rows({ from: 1, to: k.dim('n') }, { c }, ({ c }) => ({ c: c.mul(2) }));
  // @ts-expect-error the row region must return its tiles
  k.rows({ to: 1 }, { c }, () => {});
  k.ragged({ to: 3, trips: (e) => e.add(1) }, { c }, (e, t, { c }) => ({ c: c.add(e.add(t).cast('f32')) }));
  const { r } = k.when(k.programId(0).eq(0), () => ({ r: c }), () => ({ r: c.neg() })); // prettier-ignore
  same<typeof r, Tile<'f32', readonly [64, 32]>>(true);
  k.when(k.programId(0).eq(0), () => y.store([0, 0], 1));
  // @ts-expect-error the other branch gives another shape
  k.when(k.programId(0).eq(0), () => ({ r: c }), () => ({ r: c.T })); // prettier-ignore
  // @ts-expect-error a branch that gives a record needs the other one
  k.when(k.programId(0).eq(0), () => ({ r: c }));
  // @ts-expect-error the condition is a tile
  k.when(below, () => {});
});

export const tuned = kernel(
  'tuned',
  { spec: { depth: 128, dtype: 'f16' }, tile: { m: tune(16, 32), n: tune(64, 128) } },
  (k, { depth, dtype, m, n }) => {
    same<typeof m, 16 | 32>(true);
    same<typeof depth, number>(true);
    same<typeof dtype, 'f32' | 'f16' | 'bf16'>(true);
    const a = k.zeros([m, depth], dtype);
    const b = k.zeros([n, depth], dtype);
    // An extent typed number unifies with everything; a tuned one with itself.
    const s = k.dot(a, b.T);
    same<typeof s, Tile<'f32', readonly [16 | 32, 64 | 128]>>(true);
    const p = s.sub(s.reduceMax(1).expand(1)).exp();
    k.dot(p.cast(dtype), b);
    k.dot(a, k.zeros([depth, 8], dtype));
    k.dot(a, k.zeros([128, 8], dtype));
    s.add(k.zeros([m, n]));
    // @ts-expect-error m is 16 or 32, n is 64 or 128
    s.add(k.zeros([n, m]));
    // @ts-expect-error dtype may be f16: cast first
    k.zeros([m, depth]).add(a);
    // A tile of an unknown shape fits anywhere, as does one whose author wrote no type arguments.
    const free = (t: Tile): Tile => t.mul(2);
    k.dot(free(s), s.T, free(s));
    k.dot(s, free(s)).add(free(s));
    s.add(free(s)).add(s.reshape([m * n]).reshape([m, n]));
    k.loop({ to: depth, step: 16 }, { s }, (_, { s }) => ({ s: k.dot(a, b.T, s) }));
    k.loop({ to: depth, step: 16 }, { x: k.zeros([depth, 4]) }, (_, { x }) => ({
      x: x.add(k.zeros([depth, 4])),
    }));
  },
);
