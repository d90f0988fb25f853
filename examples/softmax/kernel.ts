/** Softmax along the rows of a matrix, with a whole row in one tile. */
import { kernel, tune } from '../../dsl/index.ts';

export const rowSoftmax = kernel(
  'row_softmax',
  {
    spec: { columns: 1024, dtype: 'f32' },
    tile: { rows: tune(4, 1, 2, 8) },
  },
  (k, { columns, rows, dtype }) => {
    const x = k.input('x', dtype, ['n', columns]);
    const y = k.output('y', dtype, ['n', columns]);

    // A tile is as wide as the next power of two; what lies past the row is masked.
    const width = 2 ** Math.ceil(Math.log2(columns));
    const row = k.programId(0).mul(rows).add(k.iota(rows)).expand(1);
    const column = k.iota(width).expand(0);
    const live = row.lt(k.dim('n')).and(column.lt(columns));

    // exp(-Infinity) = 0: masked elements add nothing to the sum. Rows past n are computed from 0 and not stored.
    const loaded = x.load([row, column], { mask: live }).cast('f32');
    const logits = column.lt(columns).where(loaded, -Infinity);
    const shifted = logits.sub(logits.reduceMax(1).expand(1));
    const p = shifted.exp();
    const total = p.reduceSum(1).expand(1);
    y.store([row, column], p.div(total).cast(dtype), { mask: live });
  },
);
