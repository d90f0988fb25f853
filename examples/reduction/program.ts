/** The sum of a seeded random vector, checked against float64. */
import { program } from '../../dsl/index.ts';
import { pieceSums, totalSum } from './kernel.ts';

export default program(
  'reduction',
  {
    kernels: [pieceSums, totalSum],
    flags: { elements: 'elements of the vector' },
    small: { flags: { elements: '40000' } },
  },
  (run) => {
    const { dtype, width, steps } = run.use(pieceSums);
    const n = run.flag('elements', 1_000_000);
    const pieces = Math.ceil(n / (width * steps));
    const x = run.input('x', dtype, n);
    const sums = run.output('sums', 'f32', pieces);
    const total = run.output('total', 'f32', 1);
    run.launch(pieceSums, { grid: [pieces], buffers: { x, sums }, scalars: { n, pieces } });
    run.launch(totalSum, { grid: [1], buffers: { sums, total }, scalars: { pieces } });
    // What cancels in a sum does not cancel in its error, which is relative to the sum of magnitudes
    // (Higham, Accuracy and Stability of Numerical Algorithms, section 4.2).
    const { values } = x;
    const [sum, magnitude] = [0, 1].map((absolute) =>
      values.reduce((s, v) => s + (absolute ? Math.abs(v) : v), 0),
    ) as [number, number];
    run.expect(total, () => [sum], (1e-6 * magnitude) / Math.abs(sum));
    run.expect(sums, () => pieceReference(values, width * steps), 1e-5);
    run.work(n);
  },
);

/** The sums of consecutive pieces of `size` elements in float64. */
export function pieceReference(x: Float64Array, size: number): Float64Array {
  const sums = new Float64Array(Math.ceil(x.length / size));
  x.forEach((v, i) => (sums[Math.floor(i / size)]! += v));
  return sums;
}
