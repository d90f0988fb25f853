/**
 * Causal attention over whole prompts of different lengths, packed one after the other: no padding, one launch. The heads of a
 * group are rows of one tile, so that K and V are read once for all of them.
 *
 * Online softmax (Milakov and Gimelshein, arXiv:1805.02867) in tiles, masked on the diagonal alone (Dao, FlashAttention-2,
 * arXiv:2307.08691).
 */
import { kernel, tune } from '../../dsl/index.ts';

export const prefill = kernel(
  'prefill',
  {
    spec: { headDim: 128, group: 4, kvHeads: 2, dtype: 'f16' },
    tile: {
      m: tune(128, 16, 32, 64),
      n: tune(64, 16, 32, 128),
      stages: tune(3, 2, 4, 6),
      producers: tune(0, 1),
      wgmma: tune(0, 1),
    },
    // Two warpgroups of 64 rows compute while a warp copies blocks of K and V.
    where: ({ m, n, stages, producers, wgmma }) =>
      wgmma === 1
        ? producers === 1 && m === 128 && (n === 64 ? stages >= 4 : n === 128 && stages <= 3)
        : producers === 0 && stages <= 3,
  },
  (k, { headDim, group, kvHeads, dtype, m, n }) => {
    const heads = group * kvHeads;
    const q = k.input('q', dtype, ['tokens', heads, headDim]);
    const key = k.input('k', dtype, ['tokens', kvHeads, headDim]);
    const value = k.input('v', dtype, ['tokens', kvHeads, headDim]);
    const tiles = k.input('tiles', 'i32', ['tileCount', 3]);
    const out = k.output('out', dtype, ['tokens', heads, headDim]);
    // Exponents are in base 2, which is what the hardware has.
    const toBase2 = k.scalar('scale', 'f32').mul(Math.LOG2E);

    // A tile is m rows of one sequence, from row `first` of the sequence's tokens × heads of the group.
    const tile = k.programId(0);
    const kvHead = k.programId(1);
    const begin = tiles.at(tile, 0);
    const end = tiles.at(tile, 1);
    const first = tiles.at(tile, 2);
    const row = first.add(k.iota(m));
    const token = begin.add(row.div(group)).expand(1);
    const head = kvHead.mul(group).add(row.rem(group)).expand(1);
    const feature = k.iota(headDim).expand(0);
    const live = token.lt(end);
    const queries = q.load([token, head, feature], { mask: live });

    // No row sees beyond the last row's token, or the sequence. Only steps on the diagonal are masked.
    const past = begin
      .add(first.add(m - 1).div(group))
      .add(1)
      .min(end);
    const state = { max: k.full([m], -Infinity), sum: k.zeros([m]), acc: k.zeros([m, headDim]) };
    const { sum, acc } = k.loop({ from: begin, to: past, step: n }, state, (at, { max, sum, acc }) => {
      const seen = at.add(k.iota(n));
      const place = [seen.expand(1), kvHead, feature] as const;
      const inside = seen.lt(end).expand(1);
      const keys = key.load(place, { mask: inside });
      const values = value.load(place, { mask: inside });
      // Maxima are of scores not yet scaled (the scale is positive): scaling and subtracting are one multiply-add.
      const scores = seen.expand(0).le(token).where(k.dot(queries, keys.T), -Infinity);
      const top = scores.reduceMax(1).mul(toBase2);
      // Rescaled only where the old maximum is exceeded by far: weights stay below 2^8.
      const state = k.rows({ where: top.gt(max.add(8)) }, { max, sum, acc }, ({ max, sum, acc }) => {
        const rescale = max.sub(top).exp2();
        return { max: top, sum: sum.mul(rescale), acc: acc.mul(rescale.expand(1)) };
      });
      const weights = scores.mul(toBase2).sub(state.max.expand(1)).exp2();
      return {
        max: state.max,
        sum: state.sum.add(weights.reduceSum(1)),
        acc: k.dot(weights.cast(dtype), values, state.acc),
      };
    });
    out.store([token, head, feature], acc.div(sum.expand(1)).cast(dtype), { mask: live });
  },
);
