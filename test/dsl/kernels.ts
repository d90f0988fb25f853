/** Kernels that use every construct of the language, for tests of tracing, text and verification. */
import { kernel, tune } from '../../dsl/index.ts';

export const rowSoftmax = kernel(
  'row_softmax',
  { spec: { columns: 64, dtype: 'f32' }, tile: { rows: tune(1, 2, 4) } },
  (k, { columns, rows, dtype }) => {
    const x = k.input('x', dtype, ['n', columns]);
    const y = k.output('y', dtype, ['n', columns]);
    const row = k.programId(0).mul(rows).add(k.iota(rows));
    const live = row.lt(k.dim('n'));
    const column = k.iota(columns);
    const at = [row.expand(1), column.expand(0)];
    const t = x.load(at, { mask: live.expand(1), other: 0 }).cast('f32');
    const p = t.sub(t.reduceMax(1).expand(1)).exp();
    y.store(at, p.div(p.reduceSum(1).expand(1)).cast(dtype), { mask: live.expand(1) });
  },
);

/** Not meant to compute anything useful: every op and every region once. */
export const everything = kernel(
  'everything',
  { spec: { inner: 32, dtype: 'f16' }, tile: { m: tune(16, 32), n: tune(16) } },
  (k, { inner, m, n, dtype }) => {
    const a = k.input('a', dtype, ['M', inner], { strides: ['pitch', 1] });
    const b = k.input('b', dtype, [inner, n]);
    const c = k.inout('c', 'f32', ['M', n]);
    const count = k.inout('count', 'i32', [4]);
    const scale = k.scalar('scale', 'f32');
    const row = k.programId(0).mul(m).add(k.iota(m));
    const col = k.iota(n);
    const inside = row.lt(k.dim('M')).expand(1);
    const { acc } = k.loop({ to: inner, step: 16 }, { acc: k.zeros([m, n]) }, (k0, { acc }) => {
      const depth = k0.add(k.iota(16));
      const x = a.load([row.expand(1), depth.expand(0)], { mask: inside, other: 1 });
      const y = b.load([depth.expand(1), col.expand(0)]);
      return { acc: k.dot(x, y, acc) };
    });
    const { acc: doubled } = k.rows({ from: 1, to: k.dim('M') }, { acc }, ({ acc }) => ({
      acc: acc.mul(scale).neg(),
    }));
    const { z } = k.when(
      k.programId(1).eq(0),
      () => ({ z: doubled }),
      () => ({ z: doubled.T.transpose([1, 0]).add(-Infinity).max(0.5) }),
    );
    const r = k.ragged({ from: 0, to: 3, trips: (e) => count.at(e) }, { z }, (e, t, { z }) => ({
      z: z.gt(0).and(inside).where(z, t.add(e).cast('f32')).reshape([n, m]).T,
    }));
    const top = r.z.reduceMin(0).reduceSum(0);
    k.when(top.lt(4), () => {
      c.store([row.expand(1), col.expand(0)], r.z, { mask: inside });
      count.atomicAdd([k.programId(0).rem(4)], 1);
    });
  },
);
