/**
 * A linear layer with its activation: y = gelu(x · w + bias), x [m, depth], w [depth, columns].
 *
 * The exact GELU: gelu(z) = z/2 · (1 + erf(z/√2)) (Hendrycks and Gimpel, arXiv:1606.08415).
 */
import { kernel, tune } from '../../dsl/index.ts';

export const linearGelu = kernel(
  'linear_gelu',
  {
    spec: { columns: 1024, depth: 1024, dtype: 'f16' },
    tile: {
      rows: tune(128, 64, 32, 16, 256),
      width: tune(128, 64, 32, 256),
      step: tune(32, 64, 16),
      stages: tune(3, 4),
      producers: tune(0, 1),
      wgmma: tune(0, 1),
    },
    // Warpgroups (64 rows each) have up to 128 accumulators a thread, and panels of 64 columns fill a ring of four stages.
    where: ({ rows, width, step, stages, producers, wgmma }) =>
      wgmma === 1
        ? producers === 1 &&
          step === 64 &&
          stages === 4 &&
          rows >= 128 &&
          width >= 128 &&
          rows * width <= 32768
        : producers === 0 && rows <= 128 && width <= 128,
  },
  (k, { columns, depth, dtype, rows, width, step }) => {
    const x = k.input('x', dtype, ['m', depth]);
    const w = k.input('w', dtype, [depth, columns]);
    const bias = k.input('bias', dtype, [columns]);
    const y = k.output('y', dtype, ['m', columns]);

    const row = k.programId(1).mul(rows).add(k.iota(rows)).expand(1);
    const column = k.programId(0).mul(width).add(k.iota(width)).expand(0);
    const rowLive = row.lt(k.dim('m'));
    const columnLive = column.lt(columns);

    const { acc } = k.loop({ to: depth, step }, { acc: k.zeros([rows, width]) }, (from, { acc }) => {
      const inner = from.add(k.iota(step));
      const [across, down] = [inner.expand(0), inner.expand(1)];
      const left = x.load([row, across], { mask: rowLive.and(across.lt(depth)) });
      const right = w.load([down, column], { mask: down.lt(depth).and(columnLive) });
      return { acc: k.dot(left, right, acc) };
    });

    const z = acc.add(bias.load([column], { mask: columnLive }).cast('f32'));
    const gelu = z.mul(0.5).mul(z.mul(Math.SQRT1_2).erf().add(1));
    y.store([row, column], gelu.cast(dtype), { mask: rowLive.and(columnLive) });
  },
);
