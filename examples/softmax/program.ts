/** Row softmax of a seeded random matrix, checked against float64. */
import { program } from '../../dsl/index.ts';
import { rowSoftmax } from './kernel.ts';

export default program(
  'softmax',
  {
    kernels: [rowSoftmax],
    flags: { rows: 'rows of the matrix' },
    small: { flags: { rows: '5' }, spec: { columns: 100 } },
  },
  (run) => {
    const { columns, dtype, rows } = run.use(rowSoftmax);
    const n = run.flag('rows', 1000);
    const x = run.input('x', dtype, n * columns, 3);
    const y = run.output('y', dtype, n * columns);
    run.launch(rowSoftmax, { grid: [Math.ceil(n / rows)], buffers: { x, y }, scalars: { n } });
    run.expect(y, () => softmaxReference(x.values, columns));
    run.work(4 * n * columns);
  },
);

/** Softmax of each row of `columns` numbers, in float64. */
export function softmaxReference(x: Float64Array, columns: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += columns) {
    const row = x.subarray(from, from + columns);
    const highest = row.reduce((a, b) => Math.max(a, b));
    const p = row.map((v) => Math.exp(v - highest));
    const total = p.reduce((a, b) => a + b);
    y.set(
      p.map((v) => v / total),
      from,
    );
  }
  return y;
}
