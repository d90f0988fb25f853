/**
 * Merge: combines a sequence's partial outputs by their log-sum-exp, in slot order, in f32. One instance per sequence and
 * query head; only sequences with more than one part are here.
 */
import { kernel, tune } from '../../dsl/index.ts';

export const merge = kernel(
  'pat_merge',
  {
    spec: { headDim: 128, group: 4, kvHeads: 8, dtype: 'f16' },
    tile: { parts: tune(4, 8), warps: tune(1) },
  },
  (k, { headDim, group, kvHeads, dtype, parts }) => {
    const heads = group * kvHeads;
    const partialOut = k.input('partialOut', 'f32', ['slots', heads, headDim]);
    const partialLse = k.input('partialLse', 'f32', ['slots', heads]);
    const merges = k.input('merges', 'i32', ['mergeCount', 3]);
    const out = k.output('out', dtype, ['sequences', heads, headDim]);
    const lse = k.output('lse', 'f32', ['sequences', heads]);

    const pid = k.programId(1).mul(32768).add(k.programId(0));
    const real = pid.lt(k.dim('mergeCount').mul(heads));
    const row = real.where(pid.div(heads), 0);
    const head = pid.rem(heads);
    const sequence = merges.at(row, 0);
    const slotBegin = merges.at(row, 1);
    const slotCount = merges.at(row, 2);
    const feature = k.iota(headDim);

    const state = k.loop(
      { from: 0, to: slotCount, step: parts },
      { max: k.const(-Infinity, 'f32'), sum: k.const(0, 'f32'), acc: k.zeros([headDim], 'f32') },
      (first, { max, sum, acc }) => {
        const part = first.add(k.iota(parts));
        const inside = part.lt(slotCount);
        const slot = slotBegin.add(part);
        const lses = partialLse.load([slot, head], { mask: inside, other: -Infinity });
        const newMax = max.max(lses.reduceMax(0));
        // All parts so far may be empty (-inf): exp of -inf - -inf must not become NaN.
        const anchor = newMax.eq(-Infinity).where(0, newMax);
        const rescale = max.sub(anchor).exp();
        const weights = lses.sub(anchor).exp();
        const outs = partialOut.load([slot.expand(1), head, feature.expand(0)], { mask: inside.expand(1) });
        return {
          max: newMax,
          sum: sum.mul(rescale).add(weights.reduceSum(0)),
          acc: acc.mul(rescale).add(outs.mul(weights.expand(1)).reduceSum(0)),
        };
      },
    );
    const empty = state.sum.le(0);
    const result = state.acc.div(empty.where(1, state.sum));
    // Tables of fixed capacity pad with merges of no slots.
    const wanted = real.and(slotCount.gt(0));
    out.store([sequence, head, feature], result.cast(dtype), { mask: wanted.broadcast([headDim]) });
    lse.store([sequence, head], empty.where(-Infinity, state.max.add(state.sum.log())), { mask: wanted });
  },
);
