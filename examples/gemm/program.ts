/** A linear layer with GELU on seeded random data, checked against float64. */
import { erf } from '../../compiler/ir/numeric.ts';
import { program } from '../../dsl/index.ts';
import { linearGelu } from './kernel.ts';

export default program(
  'gemm',
  {
    kernels: [linearGelu],
    flags: { rows: 'rows of the matrix' },
    small: { flags: { rows: '33' }, spec: { columns: 72, depth: 80 } },
  },
  (run) => {
    const { columns, depth, dtype, rows, width } = run.use(linearGelu, { wgmma: 1, rows: 128, width: 256 });
    const m = run.flag('rows', 200);
    const x = run.input('x', dtype, m * depth);
    // Outputs of unit size, whatever the depth.
    const w = run.input('w', dtype, depth * columns, 1 / Math.sqrt(depth));
    const bias = run.input('bias', dtype, columns);
    const y = run.output('y', dtype, m * columns);
    run.launch(linearGelu, {
      grid: [Math.ceil(columns / width), Math.ceil(m / rows)],
      buffers: { x, w, bias, y },
      scalars: { m },
    });
    run.expect(y, () => linearGeluReference(x.values, w.values, bias.values, depth));
    run.work(2 * m * columns * depth);
  },
);

/** gelu(x · w + bias) in float64; x [m, depth], w [depth, columns], bias [columns]. */
export function linearGeluReference(
  x: Float64Array,
  w: Float64Array,
  bias: Float64Array,
  depth: number,
): Float64Array {
  const columns = bias.length;
  const y = new Float64Array((x.length / depth) * columns);
  for (let i = 0; i * columns < y.length; i++) {
    const row = y.subarray(i * columns, (i + 1) * columns);
    row.set(bias);
    for (let d = 0; d < depth; d++) {
      const v = x[i * depth + d]!;
      for (let j = 0; j < columns; j++) row[j]! += v * w[d * columns + j]!;
    }
    for (let j = 0; j < columns; j++) row[j] = (row[j]! / 2) * (1 + erf(row[j]! * Math.SQRT1_2));
  }
  return y;
}
