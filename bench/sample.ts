/**
 * Verification of a measured case: float64 attention, written again and straight from the definition, on a seeded sample
 * of (sequence, KV head) pairs; every element of the output is checked to have been written.
 */
import type { HostArray, HostBuffer } from '../compiler/backend.ts';
import { countUnwritten, decodeBf16, decodeF16, Random } from '../compiler/ir/numeric.ts';
import type { Batch } from '../examples/pat/index.ts';

export interface SampleResult {
  readonly ok: boolean;
  /** ||out - ref|| / ||ref|| over the sampled rows. */
  readonly relError: number;
  readonly unwritten: number;
  readonly sampledRows: number;
  readonly rows: number;
}

const tolerances = { f16: 1e-3, bf16: 8e-3 } as const;
const tables = new Map<string, Float32Array>();

function tableOf(dtype: 'f16' | 'bf16'): Float32Array {
  let table = tables.get(dtype);
  if (!table) {
    table = Float32Array.from({ length: 65536 }, (_, bits) =>
      (dtype === 'f16' ? decodeF16 : decodeBf16)(bits),
    );
    tables.set(dtype, table);
  }
  return table;
}

/** (sequence, KV head) pairs in random order, as many as `budget` multiply-adds pay for, at least four. */
export function samplePairs(batch: Batch, seed: number, budget: number): [number, number][] {
  const random = new Random(seed);
  const n = batch.lengths.length;
  const all = n * batch.kvHeads;
  const group = batch.qHeads / batch.kvHeads;
  const chosen = new Set<number>();
  let left = budget;
  while (chosen.size < all && (left > 0 || chosen.size < 4)) {
    const pair = Math.min(all - 1, Math.floor(random.uniform() * all));
    // Near the end draws repeat: take the next that is free.
    let at = pair;
    while (chosen.has(at)) at = (at + 1) % all;
    chosen.add(at);
    left -= 2 * batch.lengths[Math.floor(at / batch.kvHeads)]! * batch.headDim * (group + 1);
  }
  return [...chosen].map((at) => [Math.floor(at / batch.kvHeads), at % batch.kvHeads]);
}

/** What the sampled rows should be: the same for every plan and tile shape of a batch and its inputs. */
export interface SampleReference {
  readonly pairs: readonly (readonly [sequence: number, kvHead: number])[];
  /** [pairs, group, headDim] */
  readonly want: Float64Array;
}

export function referenceSample(
  batch: Batch,
  buffers: readonly HostBuffer[],
  scale: number,
  seed: number,
  budget = 3e8,
): SampleReference {
  const dtype = batch.dtype as 'f16' | 'bf16';
  const table = tableOf(dtype);
  const of = (name: string): HostArray => buffers.find((b) => b.name === name)!.data;
  const [q, k, v] = [of('q'), of('k'), of('v')];
  const { headDim, kvHeads, qHeads, page } = batch;
  const group = qHeads / kvHeads;
  const pairs = samplePairs(batch, seed, budget);
  const all = new Float64Array(pairs.length * group * headDim);
  pairs.forEach(([s, kvHead], pair) => {
    const length = batch.lengths[s]!;
    const scores = new Float64Array(group * length);
    const max = new Float64Array(group).fill(-Infinity);
    const query = Float64Array.from(
      { length: group * headDim },
      (_, i) => table[q[(s * qHeads + kvHead * group) * headDim + i]!]!,
    );
    const place = (token: number): number =>
      ((batch.pages[batch.tableBegin[s]! + Math.floor(token / page)]! * page + (token % page)) * kvHeads +
        kvHead) *
      headDim;
    for (let token = 0; token < length; token++) {
      const at = place(token);
      for (let h = 0; h < group; h++) {
        let dot = 0;
        for (let d = 0; d < headDim; d++) dot += query[h * headDim + d]! * table[k[at + d]!]!;
        scores[h * length + token] = dot * scale;
        if (dot * scale > max[h]!) max[h] = dot * scale;
      }
    }
    const want = new Float64Array(group * headDim);
    const sums = new Float64Array(group);
    for (let token = 0; token < length; token++) {
      const at = place(token);
      for (let h = 0; h < group; h++) {
        const weight = Math.exp(scores[h * length + token]! - max[h]!);
        sums[h] = sums[h]! + weight;
        for (let d = 0; d < headDim; d++)
          want[h * headDim + d] = want[h * headDim + d]! + weight * table[v[at + d]!]!;
      }
    }
    for (let i = 0; i < group * headDim; i++)
      all[pair * group * headDim + i] = length > 0 ? want[i]! / sums[Math.floor(i / headDim)]! : 0;
  });
  return { pairs, want: all };
}

export function verifySample(
  batch: Batch,
  buffers: readonly HostBuffer[],
  outputs: ReadonlyMap<string, HostArray>,
  scale: number,
  seed: number,
  budget = 3e8,
): SampleResult {
  return compareSample(batch, referenceSample(batch, buffers, scale, seed, budget), outputs);
}

export function compareSample(
  batch: Batch,
  { pairs, want }: SampleReference,
  outputs: ReadonlyMap<string, HostArray>,
): SampleResult {
  const dtype = batch.dtype as 'f16' | 'bf16';
  const table = tableOf(dtype);
  const out = outputs.get('out')!;
  const { headDim, kvHeads, qHeads } = batch;
  const group = qHeads / kvHeads;
  let [difference, norm] = [0, 0];
  pairs.forEach(([s, kvHead], pair) => {
    for (let i = 0; i < group * headDim; i++) {
      const reference = want[pair * group * headDim + i]!;
      const got = table[out[(s * qHeads + kvHead * group) * headDim + i]!]!;
      difference += (got - reference) ** 2;
      norm += reference ** 2;
    }
  });
  const relError = norm > 0 ? Math.sqrt(difference / norm) : Math.sqrt(difference);
  const unwritten = countUnwritten(dtype, out);
  return {
    // A NaN anywhere in the sample makes relError NaN, which is not at most anything.
    ok: relError <= tolerances[dtype] && unwritten === 0,
    relError,
    unwritten,
    sampledRows: pairs.length * group,
    rows: batch.lengths.length * qHeads,
  };
}
