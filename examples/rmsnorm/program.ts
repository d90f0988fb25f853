/** RMSNorm of a seeded random matrix, checked against float64. */
import { decodeArray, poisoned, Random } from '../../compiler/ir/numeric.ts';
import type { Program } from '../../compiler/program.ts';
import { flag, specialise, storage, verifyOutput } from '../verify.ts';
import { rmsNorm } from './kernel.ts';

export const rmsnorm: Program = {
  name: 'rmsnorm',
  kernels: [rmsNorm],
  flags: { rows: 'rows of the matrix' },
  instantiate(options) {
    const { spec, tile } = specialise(rmsNorm, options);
    const columns = Number(spec.columns);
    const dtype = storage(spec.dtype);
    const n = flag(options, 'rows', 500);

    const random = new Random(options.seed);
    const x = random.normals(dtype, n * columns);
    const weight = random.uniforms(dtype, columns, 0.5, 1.5);
    const reference = () =>
      rmsNormReference(decodeArray(dtype, x), decodeArray(dtype, weight), Number(spec.eps));
    return {
      spec,
      buffers: [
        { name: 'x', element: dtype, data: x, output: false },
        { name: 'weight', element: dtype, data: weight, output: false },
        { name: 'y', element: dtype, data: poisoned(dtype, n * columns), output: true },
      ],
      launches: [
        {
          template: rmsNorm,
          tile,
          grid: [Math.ceil(n / tile.rows!), 1, 1],
          buffers: { x: 'x', weight: 'weight', y: 'y' },
          scalars: { n },
        },
      ],
      verify: (outputs) => verifyOutput(dtype, outputs.get('y')!, reference()),
      flops: 4 * n * columns,
      bytes: 2 * x.byteLength + weight.byteLength,
      report: { rows: n, columns },
    };
  },
};

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

export default rmsnorm;
