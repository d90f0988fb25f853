/** Small kernels that use every part of the language, with inputs: what all executors are held to. */
import type { Index, Tile } from '../../dsl/index.ts';
import { everywhere, keep, makeCase, whole, type NamedCase } from './cases.ts';

export { everywhere, makeCase, type NamedCase } from './cases.ts';

// Shapes are checked while tracing; here they are built from lists, which tsc cannot follow.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Matrix<E extends 'f32' | 'f16' | 'bf16'> = Tile<E, any>;

/** `scale` shrinks nothing below what a kernel needs; every case runs in milliseconds. */
export const corpus: readonly NamedCase[] = [
  makeCase(
    'copy with masks',
    (k) => {
      const at = k.programId(0).mul(32).add(k.iota(32));
      const x = k.input('x', 'f32', ['n']);
      const live = at.lt(k.dim('n'));
      k.output('y', 'f32', ['n']).store([at], x.load([at], { mask: live }).mul(2).add(1), { mask: live });
    },
    { grid: [3, 1, 1], scalars: { n: 77 } },
  ),
  makeCase('float functions', (k) => {
    const x = whole(k, 'x', 'f32', [8, 32]);
    keep(k, 'exponentials', x.exp().add(x.exp2()).add(x.abs().add(1).log()).add(x.abs().add(1).log2()));
    keep(
      k,
      'roots',
      x.abs().add(0.5).sqrt().mul(x.abs().add(0.5).rsqrt()).add(x.neg().floor()).add(x.ceil()),
    );
    keep(k, 'curves', x.tanh().add(x.erf()));
    keep(k, 'pairs', x.max(0.25).div(x.min(-0.25)).sub(x.rem(0.75)));
    keep(k, 'choice', x.gt(0).where(x, x.mul(0.1)));
  }),
  {
    ...makeCase('sine and cosine', (k) => {
      const x = whole(k, 'x', 'f32', [64]);
      keep(k, 'sin', x.sin());
      keep(k, 'cos', x.cos());
    }),
    // WGSL promises an absolute error of 2^-11.
    tolerance: { sin: 2 ** -11, cos: 2 ** -11 },
  },
  makeCase(
    'integers',
    (k) => {
      const x = whole(k, 'x', 'i32', [64]);
      const u = x.cast('u32');
      keep(k, 'sums', x.mul(7).add(3).sub(x.shl(2)));
      keep(k, 'parts', x.div(5).mul(1000).add(x.rem(5)));
      keep(k, 'bits', x.and(0xff).or(0x100).xor(0x33).add(x.shr(3)));
      keep(k, 'unsigned', u.div(7).add(u.shr(5)).max(u.rem(11)));
      keep(k, 'float', x.cast('f32').mul(0.5));
      keep(k, 'flags', x.gt(0).and(x.rem(2).eq(0)).or(x.lt(-50)).not().cast('i32'));
    },
    { data: { x: Array.from({ length: 64 }, (_, i) => (i - 32) * 1237) } },
  ),
  ...(['f16', 'bf16'] as const).map((element) =>
    makeCase(`${element} arithmetic`, (k) => {
      const [x, y] = [whole(k, 'x', element, [4, 32]), whole(k, 'y', element, [4, 32])];
      keep(k, 'sum', x.add(y).mul(x.sub(y)));
      keep(k, 'wide', x.cast('f32').mul(y.cast('f32')));
      keep(k, 'rounded', x.cast('f32').exp().cast(element));
      keep(k, 'total', x.cast('f32').reduceSum(1));
      keep(k, 'halves', x.reduceSum(1));
    }),
  ),
  makeCase('broadcasts', (k) => {
    const [row, column] = [whole(k, 'row', 'f32', [1, 32]), whole(k, 'column', 'f32', [16, 1])];
    keep(k, 'outer', row.mul(column));
    keep(k, 'vector', column.reshape([16]).add(k.iota(16).cast('f32')));
    keep(k, 'scalar', row.add(k.input('s', 'f32', [4]).at(2)));
  }),
  ...[0, 1].map((axis) =>
    makeCase(`reductions along ${axis}`, (k) => {
      const x = whole(k, 'x', 'f32', [16, 32]);
      keep(k, 'sum', x.reduceSum(axis));
      keep(k, 'max', x.reduceMax(axis));
      keep(k, 'centred', x.sub(x.reduceMin(axis).expand(axis)));
    }),
  ),
  makeCase('reduction to a scalar', (k) => {
    const x = whole(k, 'x', 'f32', [64]);
    keep(k, 'scaled', x.div(x.abs().reduceMax(0)));
    k.output('sum', 'f32', [1]).store([0], x.reduceSum(0));
  }),
  makeCase('transpose', (k) => {
    const x = whole(k, 'x', 'f32', [16, 32]);
    keep(k, 'turned', x.T);
    keep(k, 'both', x.T.add(whole(k, 'y', 'f32', [32, 16])));
    keep(k, 'sums', x.T.reduceSum(1));
  }),
  ...(['f32', 'f16', 'bf16'] as const).flatMap((element) => [
    makeCase(`dot of ${element}`, (k) => {
      const a = whole(k, 'a', element, [16, 32]) as Matrix<typeof element>;
      const b = whole(k, 'b', element, [32, 16]) as Matrix<typeof element>;
      keep(k, 'c', k.dot(a, b, whole(k, 'start', 'f32', [16, 16]) as Matrix<'f32'>));
    }),
    makeCase(`dot of ${element} with a transposed operand, then another`, (k) => {
      const q = whole(k, 'q', element, [16, 32]) as Matrix<typeof element>;
      const y = whole(k, 'y', element, [32, 32]) as Matrix<typeof element>;
      const s = k.dot(q, y.T as Matrix<typeof element>);
      const p = s.sub(s.reduceMax(1).expand(1)).exp();
      const weights = p.div(p.reduceSum(1).expand(1)).cast(element) as Matrix<typeof element>;
      keep(k, 'out', k.dot(weights, y));
    }),
  ]),
  makeCase(
    'product in a loop over a ragged depth',
    (k) => {
      const [i, j] = [k.iota(16), k.iota(16)];
      const a = k.input('a', 'f16', [16, 'depth']);
      const n = k.dim('depth');
      const b = k.input('b', 'f16', ['depth', 16]);
      const { acc } = k.loop({ to: n, step: 16 }, { acc: k.zeros([16, 16]) }, (from, { acc }) => {
        const at = from.add(k.iota(16));
        const live = at.lt(n);
        const x = a.load([i.expand(1), at.expand(0)], { mask: live.expand(0).broadcast([16, 16]) });
        const y = b.load([at.expand(1), j.expand(0)], { mask: live.expand(1).broadcast([16, 16]) });
        return { acc: k.dot(x, y, acc) };
      });
      keep(k, 'c', acc);
    },
    { scalars: { depth: 41 } },
  ),
  makeCase(
    'gather through a table',
    (k) => {
      const table = k.input('table', 'i32', [4]);
      const pool = k.input('pool', 'f16', [9, 8, 32]);
      const slot = k.iota(32);
      const page = table.load([slot.div(8)]);
      const x = pool.load([page.expand(1), slot.rem(8).expand(1), k.iota(32).expand(0)]);
      keep(k, 'rows', x.cast('f32').reduceSum(1));
      keep(k, 'x', x);
    },
    { data: { table: [7, 0, 3, 8] } },
  ),
  makeCase('scatter and strides', (k) => {
    const at = k.iota(32);
    const turned = at.mul(5).add(3).rem(32);
    const x = k.input('x', 'f32', [8, 4], { strides: [1, 8] });
    const y = k.inout('y', 'f32', [32]);
    y.store([turned], x.load([at.rem(8), at.div(8)]), { mask: at.lt(30) });
  }),
  makeCase(
    'atomics',
    (k) => {
      const at = k.iota(64).add(k.programId(0).mul(64));
      k.inout('counts', 'i32', [4]).atomicAdd([at.rem(4)], 1, { mask: at.lt(100) });
      k.inout('highest', 'i32', [4]).atomicMax([at.rem(4)], at.mul(3).rem(101));
      k.inout('sum', 'f32', [2]).atomicAdd([at.rem(2)], at.cast('f32').mul(0.5));
    },
    { grid: [2, 1, 1] },
  ),
  makeCase(
    'nested loops and values that change hands',
    (k) => {
      const start = { a: whole(k, 'x', 'f32', [32]), b: k.zeros([32]) };
      const { a, b } = k.loop({ to: k.scalar('n', 'i32') }, start, (i, { a, b }) => {
        const { a: c } = k.loop({ from: i, to: 4 }, { a }, (j, { a }) => ({
          a: a.mul(0.5).add(j.cast('f32')),
        }));
        return { a: b.add(1), b: c };
      });
      keep(k, 'a', a);
      keep(k, 'b', b);
    },
    { scalars: { n: 5 } },
  ),
  makeCase(
    'ragged loop',
    (k) => {
      const counts = k.input('counts', 'i32', [5]);
      const x = k.input('x', 'f32', [5, 4, 32]);
      const range = { from: 0, to: 5, trips: (e: Tile<'i32', readonly []>) => counts.at(e) };
      const { sum } = k.ragged(range, { sum: k.zeros([32]) }, (e, t, { sum }) => ({
        sum: sum.mul(0.5).add(x.load([e, t, k.iota(32)])),
      }));
      keep(k, 'sum', sum);
    },
    { data: { counts: [2, 0, 4, -1, 1] } },
  ),
  makeCase(
    'ragged product',
    (k) => {
      const counts = k.input('counts', 'i32', [4]);
      const x = k.input('x', 'f16', [4, 3, 16, 32]);
      const q = whole(k, 'q', 'f16', [16, 32]) as Matrix<'f16'>;
      const range = { from: 0, to: 4, trips: (e: Tile<'i32', readonly []>) => counts.at(e) };
      const { acc } = k.ragged(range, { acc: k.zeros([16, 16]) }, (e, t, { acc }) => {
        const block = x.load([e, t, k.iota(16).expand(1), k.iota(32).expand(0)]) as Matrix<'f16'>;
        return { acc: k.dot(q, block.T as Matrix<'f16'>, acc) as Matrix<'f32'> };
      });
      keep(k, 'acc', acc);
    },
    { data: { counts: [1, 3, 0, 2] } },
  ),
  makeCase(
    'branches',
    (k) => {
      const i = k.programId(0);
      const x = whole(k, 'x', 'f32', [32]);
      const { y } = k.when(
        i.rem(2).eq(0),
        () => ({ y: x.mul(2) }),
        () => ({ y: x.neg().add(i.cast('f32')) }),
      );
      const out = k.output('out', 'f32', [4, 32]);
      out.store([i, k.iota(32)], y);
      const late = k.output('late', 'i32', [4]);
      late.store([i], -1);
      k.when(i.gt(1), () => late.store([i], i.mul(10)));
    },
    { grid: [4, 1, 1] },
  ),
  makeCase(
    'rows of a range',
    (k) => {
      const ranges = k.input('ranges', 'i32', [4, 2]);
      const w = whole(k, 'w', 'f16', [32, 32]) as Matrix<'f16'>;
      const x = whole(k, 'x', 'f32', [32, 32]);
      const start = { acc: x, top: k.full([32], -100) };
      const { acc, top } = k.loop({ to: 4 }, start, (n, { acc, top }) =>
        k.rows({ from: ranges.at(n, 0), to: ranges.at(n, 1) }, { acc, top }, ({ acc, top }) => {
          const highest = top.max(acc.reduceMax(1));
          const p = acc.sub(highest.expand(1)).exp().cast('f16') as Matrix<'f16'>;
          return { acc: k.dot(p, w, acc.mul(0.5) as Matrix<'f32'>), top: highest };
        }),
      );
      keep(k, 'acc', acc);
      keep(k, 'top', top);
    },
    { data: { ranges: [0, 32, 5, 9, 16, 16, 30, 40] } },
  ),
  // Rows are rescaled where their maximum grows by much: some warps do, some do not, and rows outside the range never.
  makeCase(
    'rows where a mask holds, in rows of a range',
    (k) => {
      const ranges = k.input('ranges', 'i32', [4, 2]);
      const w = whole(k, 'w', 'f16', [32, 32]) as Matrix<'f16'>;
      const x = whole(k, 'x', 'f32', [32, 32]);
      const start = { acc: x, top: k.full([32], -Infinity), sum: k.zeros([32]) };
      const { acc, top, sum } = k.loop({ to: 4 }, start, (n, { acc, top, sum }) =>
        k.rows({ from: ranges.at(n, 0), to: ranges.at(n, 1) }, { acc, top, sum }, ({ acc, top, sum }) => {
          const scores = k.dot(acc.mul(0.1).cast('f16') as Matrix<'f16'>, w) as Matrix<'f32'>;
          const highest = scores.reduceMax(1) as Tile<'f32', readonly [32]>;
          const kept = k.rows(
            { where: highest.gt(top.add(0.25)) },
            { top, sum, acc },
            ({ top, sum, acc }) => {
              const rescale = top.sub(highest).exp2();
              return { top: highest, sum: sum.mul(rescale), acc: acc.mul(rescale.expand(1)) };
            },
          );
          const p = scores.sub(kept.top.expand(1)).exp2();
          return {
            top: kept.top,
            sum: kept.sum.add(p.reduceSum(1)),
            acc: k.dot(p.cast('f16') as Matrix<'f16'>, w, kept.acc as Matrix<'f32'>),
          };
        }),
      );
      keep(k, 'acc', acc);
      keep(k, 'top', top);
      keep(k, 'sum', sum);
    },
    { data: { ranges: [0, 32, 5, 9, 16, 16, 30, 40] } },
  ),
  makeCase('rows where a mask of the index holds', (k) => {
    const x = whole(k, 'x', 'f32', [64, 32]);
    const odd = k.iota(64).rem(2).eq(1);
    const late = k.iota(64).ge(40);
    const { x: some } = k.rows({ where: late }, { x }, ({ x }) => ({ x: x.mul(2) }));
    const { x: fewer } = k.rows({ from: 3, to: 50, where: odd }, { x: some }, ({ x }) => ({
      x: x.sub(1).abs(),
    }));
    keep(k, 'y', fewer);
  }),
  // The selects stand under a branch that only a step with masked elements takes: the first, the last, or all.
  makeCase(
    'scores masked at both ends of a range',
    (k) => {
      const ranges = k.input('ranges', 'i32', [3, 2]);
      const a = whole(k, 'a', 'f16', [32, 32]) as Matrix<'f16'>;
      const b = whole(k, 'b', 'f16', [32, 32]) as Matrix<'f16'>;
      const { top } = k.ragged(
        { from: 0, to: 3, trips: (e) => ranges.at(e, 1).add(31).div(32) },
        { top: k.full([32], -100) },
        (e, t, { top }) => {
          const place = t.mul(32).add(k.iota(32));
          const seen = place.ge(ranges.at(e, 0)).and(place.lt(ranges.at(e, 1)));
          const scores = seen.expand(0).where(k.dot(a, b) as Matrix<'f32'>, -50) as Matrix<'f32'>;
          const [least, most] = [scores.reduceMin(1), scores.reduceMax(1)] as Tile<'f32', readonly [32]>[];
          return { top: top.max(most!).add(least!.mul(0.01)) };
        },
      );
      keep(k, 'top', top);
    },
    { data: { ranges: [0, 96, 5, 70, 40, 64] } },
  ),
  // Control flow in a rows region is uniform over warps, not over the block.
  makeCase(
    'a ragged loop in rows of a range',
    (k) => {
      const ranges = k.input('ranges', 'i32', [3, 2]);
      const counts = k.input('counts', 'i32', [4]);
      const x = whole(k, 'x', 'f32', [64, 32]);
      const { acc } = k.loop({ to: 3 }, { acc: x }, (n, { acc }) =>
        k.rows({ from: ranges.at(n, 0), to: ranges.at(n, 1) }, { acc }, ({ acc }) =>
          k.ragged({ from: 0, to: 4, trips: (e) => counts.at(e) }, { acc }, (e, t, { acc }) => ({
            acc: acc.mul(0.5).add(e.add(t).cast('f32')),
          })),
        ),
      );
      keep(k, 'acc', acc);
    },
    { data: { ranges: [0, 64, 7, 20, 48, 48], counts: [1, 0, 3, 2] } },
  ),
  // A mask that folds to false must still mask: the operand is zero, and nothing out of bounds is read.
  makeCase('dot of an operand whose mask is never true', (k) => {
    const a = k.input('a', 'f16', [16, 16]);
    const b = k.input('b', 'f16', [16, 8]);
    const c = k.output('c', 'f32', [16, 8]);
    const [row, along, column] = [k.iota(16), k.iota(16), k.iota(8)];
    const never = row.expand(1).lt(0);
    const left = a.load([row.expand(1).add(1000), along.expand(0)], { mask: never });
    const right = b.load([along.expand(1), column.expand(0)]);
    c.store([row.expand(1), column.expand(0)], k.dot(left, right));
  }),
  makeCase('reshapes that move elements between threads', (k) => {
    // Turned, so that what lies side by side after them lies in different threads before.
    const x = whole(k, 'x', 'f32', [16, 32]).T;
    keep(k, 'cut', x.mul(2).reshape([16, 32]));
    keep(k, 'joined', x.add(1).reshape([512]));
    keep(k, 'flags', x.gt(0).reshape([8, 64]).cast('i32'));
    keep(k, 'lazy', k.iota(64).reshape([4, 16]).mul(3));
    k.output('one', 'f32', [1]).store([0], x.reduceMax(0).reduceMax(0).reshape([1]).reshape([]));
  }),
  makeCase(
    'indices and masks from registers',
    (k) => {
      const order = whole(k, 'order', 'i32', [32]);
      const x = whole(k, 'x', 'f32', [8, 32]);
      keep(k, 'seen', order);
      const column = order.expand(0);
      const row = k.iota(8).expand(1);
      k.output('moved', 'f32', [8, 32]).store([row, column], x);
      keep(k, 'gathered', k.input('w', 'f32', [8, 32]).load([row, column], { mask: x.gt(-9) }));
      k.inout('kept', 'f32', [8, 32]).store(everywhere(k, [8, 32]), x, { mask: x.gt(0) });
    },
    { data: { order: Array.from({ length: 32 }, (_, i) => (i * 5 + 3) % 32) } },
  ),
  makeCase(
    'single elements',
    (k) => {
      const i = k.programId(0);
      const total = k.inout('total', 'i32', [2]);
      total.atomicAdd([0], i.add(1));
      total.atomicMax([1], i.mul(3), { mask: i.lt(2) });
      const y = k.output('y', 'i32', [4]);
      y.store(
        [i],
        k
          .input('x', 'i32', [4])
          .load([i], { mask: i.gt(0), other: 7 })
          .mul(2),
        { mask: i.ne(2) },
      );
      k.when(i.eq(2), () => y.store([i], -1));
    },
    { grid: [4, 1, 1], data: { x: [9, 3, 5, 8] } },
  ),
  makeCase('numbers made of coordinates', (k) => {
    const [row, column] = everywhere(k, [16, 64]) as [Tile<'i32'>, Tile<'i32'>];
    const number = row.mul(100).add(column);
    keep(k, 'numbers', number);
    keep(k, 'turned', number.T);
    keep(k, 'joined', number.reshape([1024]));
    keep(k, 'sums', number.reduceSum(1));
    keep(k, 'columns', number.cast('f32').reduceMax(0));
    const factor = row.rem(4).add(column.rem(8)).cast('f16') as Matrix<'f16'>;
    keep(k, 'product', k.dot(factor, whole(k, 'w', 'f16', [64, 16]) as Matrix<'f16'>));
  }),
  makeCase(
    'rows that are not aligned',
    (k) => {
      const at = everywhere(k, [16, 64]);
      keep(k, 'known', k.input('x', 'f32', [16, 67]).load(at));
      keep(k, 'unknown', k.input('y', 'f32', ['rows', 'columns']).load(at));
      const gaps = k.input('z', 'f16', [16, 64], { strides: [70, 1] });
      keep(k, 'gaps', gaps.load(at));
      const w = whole(k, 'w', 'f16', [64, 8]) as Matrix<'f16'>;
      keep(k, 'product', k.dot(gaps.load(at) as Matrix<'f16'>, w));
    },
    {
      scalars: { rows: 17, columns: 67 },
      data: { z: Array.from({ length: 16 * 70 }, (_, i) => ((i * 7) % 23) - 11) },
    },
  ),
  makeCase(
    'numbers from branches and loops',
    (k) => {
      const i = k.programId(0);
      const { from, scale } = k.when(
        i.rem(2).eq(0),
        () => ({ from: i.mul(8), scale: k.const(2) }),
        () => ({ from: i.add(1), scale: k.const(-1) }),
      );
      const { last } = k.loop({ from, to: 20, step: 3 }, { last: k.const(0, 'i32') }, (n, { last }) => ({
        last: last.max(n.mul(2)),
      }));
      const x = k.input('x', 'f32', [64]).load([k.iota(32).add(from)]);
      k.output('y', 'f32', [4, 32]).store([i, k.iota(32)], x.mul(scale).add(last.cast('f32')));
    },
    { grid: [4, 1, 1] },
  ),
  makeCase(
    'rows of a range that go through shared memory',
    (k) => {
      const ranges = k.input('ranges', 'i32', [3, 2]);
      const w = whole(k, 'w', 'f16', [32, 32]) as Matrix<'f16'>;
      const start = { acc: k.dot(w, w.T as Matrix<'f16'>) };
      const { acc } = k.loop({ to: 3 }, start, (n, { acc }) =>
        k.rows({ from: ranges.at(n, 0), to: ranges.at(n, 1) }, { acc }, ({ acc }) => ({
          acc: k.dot(w, acc.tanh().cast('f16') as Matrix<'f16'>) as typeof acc,
        })),
      );
      keep(k, 'acc', acc);
    },
    { data: { ranges: [0, 32, 5, 9, 16, 30] } },
  ),
  makeCase(
    'branches on what the block has summed',
    (k) => {
      const i = k.programId(0);
      const x = whole(k, 'x', 'f32', [16, 64]);
      const sum = x.add(i.sub(1).cast('f32')).reduceSum(1).reduceSum(0);
      const { y } = k.when(
        sum.gt(0),
        () => ({ y: x.reduceMax(0).expand(0).broadcast([16, 64]) }),
        () => ({ y: x }),
      );
      k.output('y', 'f32', [3, 16, 64]).store([i, ...everywhere(k, [16, 64])], y);
    },
    { grid: [3, 1, 1] },
  ),
  makeCase('tiles that change places', (k) => {
    const start = { a: whole(k, 'x', 'f32', [16, 16]), b: whole(k, 'y', 'f32', [16, 16]) };
    const swapped = k.loop({ to: 3 }, start, (_, { a, b }) => ({ a: b, b: a }));
    keep(k, 'a', swapped.a);
    const { now, before, earlier } = k.loop(
      { to: 3 },
      { now: start.a, before: start.b, earlier: start.b },
      (_, { now, before }) => ({ now: now.mul(3), before: now, earlier: before }),
    );
    keep(k, 'now', now);
    keep(k, 'before', before);
    keep(k, 'earlier', earlier);
    const range = { from: k.programId(0).add(3), to: 9 };
    const { c, d } = k.rows(range, { c: now, d: before }, ({ c, d }) => ({ c: d, d: c }));
    keep(k, 'c', c);
    keep(k, 'd', d);
  }),
  makeCase('views that change places', (k) => {
    const start = { a: whole(k, 'x', 'f32', [16, 16]), b: whole(k, 'y', 'f32', [16, 16]) };
    const { a, b } = k.loop({ to: 3 }, start, (_, { a, b }) => ({ a: b.T, b: a.T }));
    keep(k, 'a', a);
    keep(k, 'b', b);
    const rows = { top: a.reduceMax(1), spread: b };
    const { top, spread } = k.loop({ to: 3 }, rows, (_, { top, spread }) => ({
      top: spread.reduceMin(1),
      spread: top.expand(1).broadcast([16, 16]),
    }));
    keep(k, 'top', top);
    keep(k, 'spread', spread);
    const flat = { u: a.reshape([1, 256]), v: b.reshape([256, 1]) };
    const { u, v } = k.loop({ to: 3 }, flat, (_, { u, v }) => ({
      u: v.reshape([1, 256]),
      v: u.reshape([256, 1]),
    }));
    keep(k, 'u', u);
    keep(k, 'v', v);
  }),
  makeCase(
    'products whose factors depend on the step before',
    (k) => {
      const [row, column] = everywhere(k, [16, 32]) as [Tile<'i32'>, Tile<'i32'>];
      const x = k.input('x', 'f16', [16, 256]);
      const w = whole(k, 'w', 'f16', [32, 16]) as Matrix<'f16'>;
      const next = k.inout('next', 'i32', [8]);
      const n = k.scalar('n', 'i32');
      const block = (at: Index) => x.load([row, column.add(at)]) as Matrix<'f16'>;
      // By a number that is carried, by memory that is written, and by what an inner loop has counted.
      const carried = k.loop(
        { to: n },
        { acc: k.zeros([16, 16]), at: k.const(0, 'i32') },
        (i, { acc, at }) => ({
          acc: k.dot(block(at), w, acc as Matrix<'f32'>),
          at: at.add(i.mul(8)).add(8),
        }),
      );
      keep(k, 'carried', carried.acc);
      const written = k.loop({ to: n }, { acc: k.zeros([16, 16]) }, (i, { acc }) => {
        const at = next.at(i);
        next.store([i.add(1)], at.add(24));
        return { acc: k.dot(block(at), w, acc as Matrix<'f32'>) };
      });
      keep(k, 'written', written.acc);
      const counted = k.loop({ to: n }, { acc: k.zeros([16, 16]) }, (i, { acc }) => {
        const { at } = k.loop({ to: i }, { at: k.const(0, 'i32') }, (j, { at }) => ({
          at: at.add(j).add(7),
        }));
        return { acc: k.dot(block(at), w, acc as Matrix<'f32'>) };
      });
      keep(k, 'counted', counted.acc);
      const nested = k.loop({ to: n }, { acc: k.zeros([16, 16]) as Matrix<'f32'> }, (i, { acc }) =>
        k.loop({ to: 2 }, { acc }, (j, { acc }) => ({
          acc: k.dot(block(i.mul(32).add(j.mul(16))), w, acc as Matrix<'f32'>) as Matrix<'f32'>,
        })),
      );
      keep(k, 'nested', nested.acc);
    },
    { scalars: { n: 4 }, data: { next: [0, 0, 0, 0, 0, 0, 0, 0] } },
  ),
  makeCase(
    'rows of a range beside what they were',
    (k) => {
      const ranges = k.input('ranges', 'i32', [3, 2]);
      const x = whole(k, 'x', 'f32', [32, 32]);
      const start = { now: x, before: x.mul(0) };
      const { now, before } = k.loop({ to: 3 }, start, (n, { now }) => ({
        now: k.rows({ from: ranges.at(n, 0), to: ranges.at(n, 1) }, { now }, ({ now }) => ({
          now: now.mul(3),
        })).now,
        before: now,
      }));
      keep(k, 'now', now);
      keep(k, 'before', before);
    },
    { data: { ranges: [0, 32, 5, 9, 16, 30] } },
  ),
];
