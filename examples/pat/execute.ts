/**
 * Runs plan tables in plain JavaScript, float64, one pack after another: online softmax per row over the pack's entries, then
 * the merge. What the kernels compute, without kernels; it proves tables right on real numbers.
 */
import type { Batch } from './batch.ts';
import { entryInts } from './packlist.ts';
import { mergeInts, packInts, type PlanTables } from './tables.ts';

export interface AttentionInputs {
  /** [sequences, qHeads, headDim] */
  readonly q: ArrayLike<number>;
  /** [pages, page, kvHeads, headDim] */
  readonly k: ArrayLike<number>;
  readonly v: ArrayLike<number>;
  readonly scale: number;
}

export interface AttentionOutputs {
  /** [sequences, qHeads, headDim] */
  readonly out: Float64Array;
  /** [sequences, qHeads], natural log; -Infinity where there are no tokens. */
  readonly lse: Float64Array;
}

/** Elements that the plan does not write stay NaN. */
export function executePlan(batch: Batch, t: PlanTables, inputs: AttentionInputs): AttentionOutputs {
  const { qHeads, kvHeads, headDim, page, pages } = batch;
  const group = qHeads / kvHeads;
  const rows = batch.lengths.length * qHeads;
  const result = { out: new Float64Array(rows * headDim).fill(NaN), lse: new Float64Array(rows).fill(NaN) };
  const partial = {
    out: new Float64Array(t.slots * qHeads * headDim).fill(NaN),
    lse: new Float64Array(t.slots * qHeads).fill(NaN),
  };
  const acc = new Float64Array(headDim);
  for (let p = 0; p < t.packs.length / packInts - 1; p++) {
    const [sequenceBegin, sequenceCount, entryBegin, entryEnd] = t.packs.subarray(
      p * packInts,
      (p + 1) * packInts,
    ) as unknown as [number, number, number, number];
    for (let row = 0; row < sequenceCount * qHeads; row++) {
      const local = Math.floor(row / qHeads);
      const head = row % qHeads;
      const sequence = t.packSequences[sequenceBegin + local]!;
      const slot = t.packSlots[sequenceBegin + local]!;
      let max = -Infinity;
      let sum = 0;
      acc.fill(0);
      for (let e = entryBegin; e < entryEnd; e++) {
        const [pageBase, from, to, first, count] = t.entries.subarray(
          e * entryInts,
          (e + 1) * entryInts,
        ) as unknown as [number, number, number, number, number];
        if (local < first || local >= first + count) continue;
        for (let token = from; token < to; token++) {
          const id = pages[pageBase + Math.floor(token / page)]!;
          const at = ((id * page + (token % page)) * kvHeads + Math.floor(head / group)) * headDim;
          let dot = 0;
          const q = (sequence * qHeads + head) * headDim;
          for (let d = 0; d < headDim; d++) dot += inputs.q[q + d]! * inputs.k[at + d]!;
          const score = dot * inputs.scale;
          if (score > max) {
            const rescale = Math.exp(max - score);
            sum *= rescale;
            for (let d = 0; d < headDim; d++) acc[d] = acc[d]! * rescale;
            max = score;
          }
          const weight = Math.exp(score - max);
          sum += weight;
          for (let d = 0; d < headDim; d++) acc[d] = acc[d]! + weight * inputs.v[at + d]!;
        }
      }
      const target = slot >= 0 ? partial : result;
      const at = (slot >= 0 ? slot : sequence) * qHeads + head;
      target.lse[at] = sum > 0 ? max + Math.log(sum) : -Infinity;
      for (let d = 0; d < headDim; d++) target.out[at * headDim + d] = sum > 0 ? acc[d]! / sum : 0;
    }
  }
  merge(t, qHeads, headDim, partial, result);
  return result;
}

function merge(
  t: PlanTables,
  qHeads: number,
  headDim: number,
  partial: AttentionOutputs,
  result: AttentionOutputs,
): void {
  for (let i = 0; i < t.merges.length; i += mergeInts) {
    const [sequence, slotBegin, slotCount] = t.merges.subarray(i, i + mergeInts) as unknown as [
      number,
      number,
      number,
    ];
    for (let head = 0; head < qHeads; head++) {
      let max = -Infinity;
      for (let s = slotBegin; s < slotBegin + slotCount; s++)
        max = Math.max(max, partial.lse[s * qHeads + head]!);
      let sum = 0;
      const row = sequence * qHeads + head;
      const out = result.out.subarray(row * headDim, (row + 1) * headDim).fill(0);
      for (let s = slotBegin; s < slotBegin + slotCount; s++) {
        const weight = Math.exp(partial.lse[s * qHeads + head]! - max);
        sum += weight;
        for (let d = 0; d < headDim; d++)
          out[d] = out[d]! + weight * partial.out[(s * qHeads + head) * headDim + d]!;
      }
      for (let d = 0; d < headDim; d++) out[d] = out[d]! / sum;
      result.lse[row] = max + Math.log(sum);
    }
  }
}
