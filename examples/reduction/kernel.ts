/**
 * The sum of a long vector by two kernels. A block sums one piece of the vector, the second kernel the blocks' sums. The order
 * of the additions is fixed, so the same vector has the same sum, bit for bit, which atomics would not promise.
 */
import { kernel, tune, type KernelContext, type Tile } from '../../dsl/index.ts';

type Load = (index: Tile<'i32'>, inside: Tile<'bool'>) => Tile<'f32'>;

/** Adds up what `load` gives for `from` to `to`; `width` running sums are combined at the end. */
function sumOver(
  k: KernelContext,
  from: Tile<'i32'>,
  to: Tile<'i32'>,
  width: number,
  load: Load,
): Tile<'f32'> {
  const { sums } = k.loop({ from, to, step: width }, { sums: k.zeros([width]) }, (start, { sums }) => {
    const index = start.add(k.iota(width));
    return { sums: sums.add(load(index, index.lt(to))) };
  });
  return sums.reduceSum(0);
}

export const pieceSums = kernel(
  'piece_sums',
  { spec: { dtype: 'f32' }, tile: { width: tune(1024, 512, 2048), steps: tune(16, 4, 8, 32) } },
  (k, { dtype, width, steps }) => {
    const x = k.input('x', dtype, ['n']);
    const sums = k.output('sums', 'f32', ['pieces']);
    const piece = k.programId(0);
    const from = piece.mul(width * steps);
    const to = from.add(width * steps).min(k.dim('n'));
    const sum = sumOver(k, from, to, width, (index, mask) => x.load([index], { mask }).cast('f32'));
    sums.store([piece], sum);
  },
);

export const totalSum = kernel('total_sum', { tile: { width: tune(1024, 512, 2048) } }, (k, { width }) => {
  const sums = k.input('sums', 'f32', ['pieces']);
  const total = k.output('total', 'f32', [1]);
  const sum = sumOver(k, k.const(0, 'i32'), k.dim('pieces'), width, (index, mask) =>
    sums.load([index], { mask }),
  );
  total.store([0], sum);
});
