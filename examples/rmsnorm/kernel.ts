/** Root-mean-square normalisation: y = x / sqrt(mean(x²) + eps) · weight, along rows. */
import { kernel, tune } from '../../dsl/index.ts';

export const rmsNorm = kernel(
  'rms_norm',
  {
    spec: { columns: 4096, eps: 1e-6, dtype: 'f16' },
    tile: { rows: tune(1, 2, 4), block: tune(1024, 256, 512, 2048) },
  },
  (k, { columns, eps, dtype, rows, block }) => {
    const x = k.input('x', dtype, ['n', columns]);
    const weight = k.input('weight', dtype, [columns]);
    const y = k.output('y', dtype, ['n', columns]);

    const row = k.programId(0).mul(rows).add(k.iota(rows)).expand(1);
    const rowLive = row.lt(k.dim('n'));
    const blocks = { to: columns, step: block };

    // Each lane of the tile sums its own columns; one reduction at the end.
    const { squares } = k.loop(blocks, { squares: k.zeros([rows, block]) }, (from, { squares }) => {
      const column = from.add(k.iota(block)).expand(0);
      const v = x.load([row, column], { mask: rowLive.and(column.lt(columns)) }).cast('f32');
      return { squares: squares.add(v.mul(v)) };
    });
    const mean = squares.reduceSum(1).div(columns);
    const scale = mean.add(eps).rsqrt().expand(1);

    k.loop(blocks, {}, (from) => {
      const column = from.add(k.iota(block)).expand(0);
      const columnLive = column.lt(columns);
      const live = rowLive.and(columnLive);
      const v = x.load([row, column], { mask: live }).cast('f32');
      const w = weight.load([column], { mask: columnLive }).cast('f32');
      y.store([row, column], v.mul(scale).mul(w).cast(dtype), { mask: live });
    });
  },
);
