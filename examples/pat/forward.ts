/**
 * Forward: one instance computes one pack for one KV head. A pack is a tile of query rows (the g heads of a KV head for a
 * run of sequences) and a list of entries; an entry is a range of tokens and the run of the pack's sequences that read it.
 * The online softmax state (Milakov and Gimelshein 2018) stays in registers over all entries, so a pack that covers its
 * sequences' whole paths writes final outputs; other packs write partials that merge.ts combines.
 */
import { kernel, tune, type Tile } from '../../dsl/index.ts';
import { lanesOf } from './lanes.ts';

type Scalar = Tile<'i32', readonly []>;
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Vector<E extends 'i32' | 'bool'> = Tile<E, any>;

const commonDivisor = (a: number, b: number): number => (b === 0 ? a : commonDivisor(b, a % b));

/** Finite, so that a row may meet steps without a token of its own before any other: -inf - -inf is no number. */
const lowest = -3.4e38;

export const forward = kernel(
  'pat_forward',
  {
    spec: { headDim: 128, group: 4, kvHeads: 8, page: 16, dtype: 'f16' },
    tile: {
      m: tune(64, 16, 32, 128, 8),
      n: tune(64, 32, 16, 128, 8),
      stages: tune(3, 2, 5),
      producers: tune(0, 1),
      wgmma: tune(0, 1),
    },
    // A ring is as deep as two blocks an SM (64 rows and fewer) or one (128) leave room for at head dim 128. The instructions of
    // warpgroups take 64 rows at least, and leave no time to the copies when a step is short.
    where: ({ m, n, stages, producers, wgmma }) => {
      if (producers === 0) return wgmma === 0 && stages <= 3;
      if (wgmma === 0) return (m === 32 || m === 64) && n === 32 && stages === 5;
      return m >= 64 && n >= 32 && n <= 64 && stages === (m === n ? 3 : 5);
    },
  },
  (k, { headDim, group, kvHeads, page, dtype, m, n }) => {
    const heads = group * kvHeads;
    const q = k.input('q', dtype, ['sequences', heads, headDim]);
    const key = k.input('k', dtype, ['pageCount', page, kvHeads, headDim]);
    const value = k.input('v', dtype, ['pageCount', page, kvHeads, headDim]);
    const packs = k.input('packs', 'i32', ['packRows', 4]);
    const packSequences = k.input('packSequences', 'i32', ['packSequenceCount']);
    const packSlots = k.input('packSlots', 'i32', ['packSequenceCount']);
    const entries = k.input('entries', 'i32', ['entryCount', 5]);
    const pages = k.input('pages', 'i32', ['pageListLength']);
    const out = k.output('out', dtype, ['sequences', heads, headDim]);
    const lse = k.output('lse', 'f32', ['sequences', heads]);
    const partialOut = k.output('partialOut', 'f32', ['slots', heads, headDim]);
    const partialLse = k.output('partialLse', 'f32', ['slots', heads]);
    const scale = k.scalar('scale', 'f32');
    const streams = k.scalar('streams', 'i32').ne(0);
    // Exponents are in base 2, which is what the hardware has.
    const toBase2 = scale.mul(Math.LOG2E);

    // Which pack and which KV head this instance is; instances past the end get the empty sentinel pack.
    const pid = k.programId(1).mul(32768).add(k.programId(0));
    const real = pid.lt(k.scalar('total', 'i32'));
    const pack = real.where(k.scalar('packBase', 'i32').add(pid.div(kvHeads)), k.scalar('sentinel', 'i32'));
    const kvHead = pid.rem(kvHeads);
    const sequenceBegin = packs.at(pack, 0);
    const sequenceCount = packs.at(pack, 1);

    const row = k.iota(m);
    const local = row.div(group);
    const live = local.lt(sequenceCount);
    const head = kvHead.mul(group).add(row.rem(group));
    const sequence = packSequences.load([sequenceBegin.add(local)], { mask: live });
    const feature = k.iota(headDim).expand(0);
    const queries = q.load([sequence.expand(1), head.expand(1), feature], { mask: live.expand(1) });

    // A step reads its lanes' entries side by side, `width` tokens of each. Lanes begin at multiples of a run: what pages and lanes
    // have in common, so that a step's rows are runs of pages' tokens.
    const lanes = lanesOf(n, page);
    const width = n / lanes;
    const run = commonDivisor(width, page);
    const column = k.iota(n);
    const byLane = <E extends 'i32' | 'bool'>(
      of: (lane: number) => Vector<E>,
      places: Vector<'i32'> = column,
    ): Vector<E> =>
      Array.from({ length: lanes }, (_, lane) => of(lane)).reduceRight((rest, tile, lane) =>
        places.lt((lane + 1) * width).where(tile, rest),
      );
    const runStart = (token: Scalar): Scalar => token.div(run).mul(run);
    // Of a step's tokens, the page in the sequence's list, and the place in it: with as little division as the sizes allow.
    const pageOf = (
      from: (lane: number) => Scalar,
      step: Scalar,
    ): { index: Vector<'i32'>; offset: Vector<'i32'> } => {
      if (run === page) {
        const first = byLane((lane) =>
          from(lane)
            .div(page)
            .add(step.sub(lane).mul(width / page)),
        );
        return { index: first.add(column.div(page)), offset: column.rem(page) };
      }
      if (run < n) {
        const at = runStart(from(0)).add(step.mul(n)).add(column);
        return { index: at.div(page), offset: at.rem(page) };
      }
      const block = from(0).div(n).add(step);
      return {
        index: block.div(page / n).add(column.div(n)),
        offset: block
          .rem(page / n)
          .mul(n)
          .add(column),
      };
    };
    const state = k.ragged(
      {
        from: packs.at(pack, 2),
        to: packs.at(pack, 3),
        step: lanes,
        trips: (e) => {
          const [from, to] = [entries.at(e, 1), entries.at(e, 2)];
          return to
            .sub(runStart(from))
            .add(width - 1)
            .div(width);
        },
      },
      { max: k.full([m], lowest, 'f32'), sum: k.zeros([m], 'f32'), acc: k.zeros([m, headDim], 'f32') },
      (e, step, carried) => {
        const field =
          (index: number) =>
          (lane: number): Scalar =>
            entries.at(lane === 0 ? e : e.add(lane), index);
        const all = Array.from({ length: lanes }, (_, lane) => lane);
        const [pageList, from, to] = [field(0), field(1), field(2)];
        const firstRow = (lane: number): Scalar => field(3)(lane).mul(group);
        const endRow = (lane: number): Scalar => firstRow(lane).add(field(4)(lane).mul(group));
        const token = (lane: number): Vector<'i32'> =>
          runStart(from(lane)).add(step.sub(lane).mul(width)).add(column);
        const at = byLane(token);
        const inside = at.ge(byLane(from)).and(at.lt(byLane(to)));
        const { index, offset } = pageOf(from, step);
        const pageId = pages.load([byLane(pageList).add(index)], { mask: index.mul(page).lt(byLane(to)) });
        const place = [pageId.expand(1), offset.expand(1), kvHead, feature];
        // What one sequence alone reads, nobody reads again; where all of it is more than caches hold, it had better not push out
        // what several packs read.
        const alone = all.map((lane) => field(4)(lane).le(1)).reduce((a, b) => a.and(b));
        const options = { mask: inside.expand(1), evictFirst: streams.and(alone) };
        const keys = key.load(place, options);
        const values = value.load(place, options);
        // Which row reads which token: the rows of a region read all of one lane, but each lane's may be others.
        const reads = byLane((lane) => {
          const tokens = token(lane)
            .ge(from(lane))
            .and(token(lane).lt(to(lane)))
            .expand(0);
          if (lanes === 1) return tokens;
          return tokens.and(
            row
              .ge(firstRow(lane))
              .and(row.lt(endRow(lane)))
              .expand(1),
          );
        }, column.expand(0));
        const rows = {
          from: all.map(firstRow).reduce((a, b) => a.min(b)),
          to: all.map(endRow).reduce((a, b) => a.max(b)),
        };
        return k.rows(rows, carried, ({ max, sum, acc }) => {
          // Maxima are of scores not yet scaled (the scale is positive): scaling and subtracting are one multiply-add.
          const scores = reads.where(k.dot(queries, keys.T), -Infinity);
          const top = scores.reduceMax(1).mul(toBase2);
          // What is kept is rescaled to a new maximum only when the old one is exceeded by far: weights stay below 2^8.
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
      },
    );

    // A row that read no token (an empty sequence, or padding) gives 0 and -inf.
    const empty = state.sum.le(0);
    const result = state.acc.div(empty.where(1, state.sum).expand(1));
    const logSumExp = empty.where(-Infinity, state.max.add(state.sum.log2()).mul(Math.LN2));
    const slot = packSlots.load([sequenceBegin.add(local)], { mask: live });
    const final = live.and(slot.lt(0));
    const partial = live.and(slot.ge(0));
    const at = [sequence.expand(1), head.expand(1), feature];
    out.store(at, result.cast(dtype), { mask: final.expand(1).broadcast([m, headDim]) });
    lse.store([sequence, head], logSumExp, { mask: final });
    partialOut.store([slot.expand(1), head.expand(1), feature], result, {
      mask: partial.expand(1).broadcast([m, headDim]),
    });
    partialLse.store([slot, head], logSumExp, { mask: partial });
  },
);
