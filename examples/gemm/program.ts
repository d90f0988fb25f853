/** A linear layer with GELU on seeded random data, checked against float64. */
import { decodeArray, erf, poisoned, Random } from '../../compiler/ir/numeric.ts';
import type { Program } from '../../compiler/program.ts';
import { flag, specialise, storage, verifyOutput } from '../verify.ts';
import { linearGelu } from './kernel.ts';

export const gemm: Program = {
  name: 'gemm',
  kernels: [linearGelu],
  flags: { rows: 'rows of the matrix' },
  instantiate(options) {
    const { spec, tile } = specialise(linearGelu, options);
    const [columns, depth] = [Number(spec.columns), Number(spec.depth)];
    const dtype = storage(spec.dtype);
    const m = flag(options, 'rows', 200);

    const random = new Random(options.seed);
    const x = random.normals(dtype, m * depth);
    // Outputs of unit size, whatever the depth.
    const w = random.normals(dtype, depth * columns, 1 / Math.sqrt(depth));
    const bias = random.normals(dtype, columns, 0.1);
    const y = poisoned(dtype, m * columns);
    const reference = () => {
      const [a, b, c] = [decodeArray(dtype, x), decodeArray(dtype, w), decodeArray(dtype, bias)];
      return linearGeluReference(a, b, c, depth);
    };
    return {
      spec,
      buffers: [
        { name: 'x', element: dtype, data: x, output: false },
        { name: 'w', element: dtype, data: w, output: false },
        { name: 'bias', element: dtype, data: bias, output: false },
        { name: 'y', element: dtype, data: y, output: true },
      ],
      launches: [
        {
          template: linearGelu,
          tile,
          grid: [Math.ceil(columns / tile.width!), Math.ceil(m / tile.rows!), 1],
          buffers: { x: 'x', w: 'w', bias: 'bias', y: 'y' },
          scalars: { m },
        },
      ],
      verify: (outputs) => verifyOutput(dtype, outputs.get('y')!, reference()),
      flops: 2 * m * columns * depth,
      bytes: x.byteLength + w.byteLength + bias.byteLength + y.byteLength,
      report: { rows: m, columns, depth },
    };
  },
};

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

export default gemm;
