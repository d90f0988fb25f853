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
  const whole = length - (length % 4);
  let max = -Infinity;
  // Four tokens at a time: a value of the query, or of the output, is loaded once for all of them.
  for (let t = 0; t < whole; t += 4) {
    const [k0, k1, k2, k3] = [t * dim, (t + 1) * dim, (t + 2) * dim, (t + 3) * dim];
    let [a, b, c, e] = [0, 0, 0, 0];
    for (let d = 0; d < dim; d++) {
      const q = query[d]!;
      a += q * k[k0 + d]!;
      b += q * k[k1 + d]!;
      c += q * k[k2 + d]!;
      e += q * k[k3 + d]!;
    }
    weights[t] = a * scale;
    weights[t + 1] = b * scale;
    weights[t + 2] = c * scale;
    weights[t + 3] = e * scale;
  }
  for (let t = whole; t < length; t++) {
    let dot = 0;
    for (let d = 0; d < dim; d++) dot += query[d]! * k[t * dim + d]!;
    weights[t] = dot * scale;
  }
  for (let t = 0; t < length; t++) if (weights[t]! > max) max = weights[t]!;
  let sum = 0;
  for (let t = 0; t < length; t++) {
    const weight = Math.exp(weights[t]! - max);
    weights[t] = weight;
    sum += weight;
  }
  for (let t = 0; t < whole; t += 4) {
    const [v0, v1, v2, v3] = [t * dim, (t + 1) * dim, (t + 2) * dim, (t + 3) * dim];
    const [a, b, c, e] = [weights[t]!, weights[t + 1]!, weights[t + 2]!, weights[t + 3]!];
    for (let d = 0; d < dim; d++)
      out[d] = out[d]! + a * v[v0 + d]! + b * v[v1 + d]! + c * v[v2 + d]! + e * v[v3 + d]!;
  }
  for (let t = whole; t < length; t++)
    for (let d = 0; d < dim; d++) out[d] = out[d]! + weights[t]! * v[t * dim + d]!;
  if (length > 0) for (let d = 0; d < dim; d++) out[d] = out[d]! / sum;
  return length > 0 ? max + Math.log(sum) : -Infinity;
}

function halfTable(dtype: Dtype): Float64Array | undefined {
  if (dtype === 'f32') return undefined;
  const decode = dtype === 'f16' ? decodeF16 : decodeBf16;
  return Float64Array.from({ length: 65536 }, (_, bits) => decode(bits));
}
