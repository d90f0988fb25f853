/**
 * softmax(scale * q * K^T) * V in float64 on the inputs as their element type rounds them: what every output is judged
 * against. Reads the batch only, nothing of the plan.
 */
import { decodeBf16, decodeF16, type HostArray } from '../../compiler/ir/numeric.ts';
import type { Batch } from './batch.ts';
import type { AttentionOutputs } from './execute.ts';
import type { Dtype } from './heads.ts';
import type { AttentionData } from './inputs.ts';

/** Storage to numbers; every one is exact in f32. */
export function toFloats(dtype: Dtype, data: HostArray): Float32Array {
  if (data instanceof Float32Array) return data;
  const decode = dtype === 'f16' ? decodeF16 : decodeBf16;
  const table = Float32Array.from({ length: 65536 }, (_, bits) => decode(bits));
  const out = new Float32Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = table[data[i]!]!;
  return out;
}

/** `rows`: the sequences to compute; out and lse follow that order: [rows, qHeads, headDim] and [rows, qHeads]. */
export function reference(
  batch: Batch,
  data: AttentionData,
  scale: number,
  rows: readonly number[],
): AttentionOutputs {
  const { qHeads, kvHeads, headDim, page, pages, lengths, tableBegin, dtype } = batch;
  const group = qHeads / kvHeads;
  const q = toFloats(dtype, data.q);
  const longest = rows.reduce((most, s) => Math.max(most, lengths[s]!), 0);
  const out = new Float64Array(rows.length * qHeads * headDim);
  const lse = new Float64Array(rows.length * qHeads).fill(-Infinity);
  const table = halfTable(dtype);
  const k = new Float64Array(longest * headDim);
  const v = new Float64Array(longest * headDim);
  const weights = new Float64Array(longest);
  for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
    let loaded = { base: -1, length: 0 };
    rows.forEach((s, row) => {
      const length = lengths[s]!;
      const base = tableBegin[s]!;
      // Pages already gathered for the sequence before, as far as both tables agree.
      let kept = loaded.base < 0 ? 0 : Math.floor(Math.min(length, loaded.length) / page);
      for (let j = 0; j < kept; j++) if (pages[base + j] !== pages[loaded.base + j]) kept = j;
      for (let token = kept * page; token < length; token++) {
        const id = pages[base + Math.floor(token / page)]!;
        const at = ((id * page + (token % page)) * kvHeads + kvHead) * headDim;
        for (let d = 0; d < headDim; d++) {
          k[token * headDim + d] = table ? table[data.k[at + d]!]! : data.k[at + d]!;
          v[token * headDim + d] = table ? table[data.v[at + d]!]! : data.v[at + d]!;
        }
      }
      loaded = { base, length };
      for (let h = kvHead * group; h < (kvHead + 1) * group; h++) {
        const query = Float64Array.from(
          q.subarray((s * qHeads + h) * headDim, (s * qHeads + h + 1) * headDim),
        );
        const result = (row * qHeads + h) * headDim;
        lse[row * qHeads + h] = attend(
          query,
          k,
          v,
          weights,
          length,
          scale,
          out.subarray(result, result + headDim),
        );
      }
    });
  }
  return { out, lse };
}

/** One query head over `length` tokens; returns the log of the sum of exponentials. */
function attend(
  query: Float64Array,
  k: Float64Array,
  v: Float64Array,
  weights: Float64Array,
  length: number,
  scale: number,
  out: Float64Array,
): number {
  const dim = query.length;
  let max = -Infinity;
  for (let t = 0; t < length; t++) {
    const at = t * dim;
    let [a, b, c, e] = [0, 0, 0, 0];
    for (let d = 0; d < dim; d += 4) {
      a += query[d]! * k[at + d]!;
      b += query[d + 1]! * k[at + d + 1]!;
      c += query[d + 2]! * k[at + d + 2]!;
      e += query[d + 3]! * k[at + d + 3]!;
    }
    const score = (a + b + (c + e)) * scale;
    weights[t] = score;
    if (score > max) max = score;
  }
  let sum = 0;
  for (let t = 0; t < length; t++) {
    const weight = Math.exp(weights[t]! - max);
    sum += weight;
    const at = t * dim;
    for (let d = 0; d < dim; d++) out[d] = out[d]! + weight * v[at + d]!;
  }
  if (length > 0) for (let d = 0; d < dim; d++) out[d] = out[d]! / sum;
  return length > 0 ? max + Math.log(sum) : -Infinity;
}

function halfTable(dtype: Dtype): Float64Array | undefined {
  if (dtype === 'f32') return undefined;
  const decode = dtype === 'f16' ? decodeF16 : decodeBf16;
  return Float64Array.from({ length: 65536 }, (_, bits) => decode(bits));
}
