/** RMSNorm of a seeded random matrix, checked against float64. */
import { program } from '../../dsl/index.ts';
import { rmsNorm } from './kernel.ts';

export default program(
  'rmsnorm',
  {
    kernels: [rmsNorm],
    flags: { rows: 'rows of the matrix' },
    small: { flags: { rows: '5' }, spec: { columns: 300 } },
  },
  (run) => {
    const { columns, dtype, eps, rows } = run.use(rmsNorm);
    const n = run.flag('rows', 500);
    const x = run.input('x', dtype, n * columns);
    const weight = run.input('weight', dtype, columns);
    const y = run.output('y', dtype, n * columns);
    run.launch(rmsNorm, { grid: [Math.ceil(n / rows)], buffers: { x, weight, y }, scalars: { n } });
    run.expect(y, () => rmsNormReference(x.values, weight.values, eps));
    run.work(4 * n * columns);
  },
);

/** x / sqrt(mean(x²) + eps) · weight for each row of weight.length numbers, in float64. */
export function rmsNormReference(x: Float64Array, weight: Float64Array, eps: number): Float64Array {
  const columns = weight.length;
  const y = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += columns) {
    const row = x.subarray(from, from + columns);
    const mean = row.reduce((sum, v) => sum + v * v, 0) / columns;
    const scale = 1 / Math.sqrt(mean + eps);
    y.set(
      row.map((v, i) => v * scale * weight[i]!),
      from,
    );
  }
  return y;
}
