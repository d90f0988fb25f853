/** Row softmax of a seeded random matrix, checked against float64. */
import { decodeArray, poisoned, Random } from '../../compiler/ir/numeric.ts';
import type { Program } from '../../compiler/program.ts';
import { flag, specialise, storage, verifyOutput } from '../verify.ts';
import { rowSoftmax } from './kernel.ts';

export const softmax: Program = {
  name: 'softmax',
  kernels: [rowSoftmax],
  flags: { rows: 'rows of the matrix' },
  instantiate(options) {
    const { spec, tile } = specialise(rowSoftmax, options);
    const columns = Number(spec.columns);
    const dtype = storage(spec.dtype);
    const n = flag(options, 'rows', 1000);

    const x = new Random(options.seed).normals(dtype, n * columns, 3);
    return {
      spec,
      buffers: [
        { name: 'x', element: dtype, data: x, output: false },
        { name: 'y', element: dtype, data: poisoned(dtype, n * columns), output: true },
      ],
      launches: [
        {
          template: rowSoftmax,
          tile,
          grid: [Math.ceil(n / tile.rows!), 1, 1],
          buffers: { x: 'x', y: 'y' },
          scalars: { n },
        },
      ],
      verify: (outputs) =>
        verifyOutput(dtype, outputs.get('y')!, softmaxReference(decodeArray(dtype, x), columns)),
      flops: 4 * n * columns,
      bytes: 2 * x.byteLength,
      report: { rows: n, columns },
    };
  },
};

/** Softmax of each row of `columns` numbers, in float64. */
export function softmaxReference(x: Float64Array, columns: number): Float64Array {
  const y = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += columns) {
    const row = x.subarray(from, from + columns);
    const highest = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const p = row.map((v) => Math.exp(v - highest));
    const total = p.reduce((a, b) => a + b, 0);
    y.set(
      p.map((v) => v / total),
      from,
    );
  }
  return y;
}

export default softmax;
