import { Random } from '../../../compiler/ir/random.ts';
import { makeBatch, type Batch, type SequenceInput } from '../../../examples/pat/batch.ts';
import { figuresOf, planCosts, type PlanCosts, type TileShape } from '../../../examples/pat/cost.ts';
import type { AttentionInputs } from '../../../examples/pat/execute.ts';
import type { PlanTables } from '../../../examples/pat/tables.ts';
import type { Heads } from '../../../examples/pat/heads.ts';

export const tile = (m: number, n: number, stages = 2): TileShape => ({ m, n, stages });

/** Sets of row tiles as devices offer them: all, a few, one small, one large. */
export const tileSets: readonly (readonly TileShape[])[] = [
  [tile(16, 64), tile(32, 64), tile(64, 64), tile(128, 32), tile(128, 64), tile(128, 128, 3)],
  [tile(16, 32), tile(16, 64)],
  [tile(16, 32), tile(64, 64), tile(128, 128)],
  [tile(32, 16), tile(64, 16)],
  [tile(128, 32, 3), tile(128, 64, 3)],
];

export const heads = (text: string, headDim = 64): Heads => {
  const [qHeads, kvHeads] = text.split('/').map(Number) as [number, number];
  return { qHeads, kvHeads, headDim, dtype: 'f16' };
};

export const costsFor = (
  batch: Heads,
  tiles: readonly TileShape[] = tileSets[0]!,
  units = 132,
  family: 'cuda' | 'wgsl' = 'cuda',
): PlanCosts => planCosts(figuresOf(family), units, tiles, batch);

/** A batch from lengths and page lists. */
export const batchOf = (
  page: number,
  sequences: readonly SequenceInput[],
  text = '32/8',
  headDim = 64,
): Batch => makeBatch({ page, sequences }, heads(text, headDim));

/** Numbers as float64; NaN nowhere, so that what is not covered shows as a wrong value, not as a crash. */
export function randomInputs(batch: Batch, seed: number): AttentionInputs {
  const random = new Random(seed);
  const fill = (length: number) => Float64Array.from({ length }, () => random.normal());
  const cache = batch.pageCount * batch.page * batch.kvHeads * batch.headDim;
  return {
    q: fill(batch.lengths.length * batch.qHeads * batch.headDim),
    k: fill(cache),
    v: fill(cache),
    scale: 1 / Math.sqrt(batch.headDim),
  };
}

/** Tables as text: equal bytes, equal text. Much faster to compare than element by element. */
export const bytesOf = (t: PlanTables | undefined): string =>
  t === undefined
    ? 'no tables'
    : [
        ...[t.packs, t.packSequences, t.packSlots, t.entries, t.merges].map((a) => a.join()),
        t.slots,
        JSON.stringify(t.shapes),
      ].join('\n');
