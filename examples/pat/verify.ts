/** Judges out and lse against the reference. */
import { countUnwritten, type HostArray } from '../../compiler/ir/numeric.ts';
import type { Verification } from '../../compiler/program.ts';
import type { Batch } from './batch.ts';
import type { AttentionData } from './inputs.ts';
import { reference, toFloats } from './reference.ts';

/** Relative error of out: rounding of the inputs' type, with room for sums in another order. */
export const tolerances = { f16: 1e-3, bf16: 8e-3, f32: 1e-5 } as const;

/** Multiply-adds of the reference above which a sample of the sequences stands for all: a few seconds. */
const budget = 6e9;

/** The sequences that are compared: all, or an even sample with the longest and the shortest among them. */
export function verifiedRows(batch: Batch): number[] {
  const n = batch.lengths.length;
  const all = Array.from({ length: n }, (_, s) => s);
  const cost = (s: number) => 2 * batch.lengths[s]! * batch.qHeads * batch.headDim;
  const total = all.reduce((sum, s) => sum + cost(s), 0);
  if (total <= budget) return all;
  const byLength = [...all].sort((a, b) => batch.lengths[a]! - batch.lengths[b]! || a - b);
  const rows: number[] = [byLength[0]!];
  let left = budget - cost(byLength[0]!);
  // Always two; then every k-th by length while the budget lasts.
  rows.push(byLength.at(-1)!);
  left -= cost(byLength.at(-1)!);
  const step = Math.max(1, Math.ceil(total / budget));
  for (let i = step; i < n - 1; i += step) {
    const s = byLength[i]!;
    if (left < cost(s)) break;
    left -= cost(s);
    rows.push(s);
  }
  return [...new Set(rows)].sort((a, b) => a - b);
}

export function verifyOutputs(
  batch: Batch,
  data: AttentionData,
  scale: number,
  outputs: ReadonlyMap<string, HostArray>,
): Verification {
  const tolerance = tolerances[batch.dtype];
  const raw = outputs.get('out')!;
  const out = toFloats(batch.dtype, raw);
  const lse = outputs.get('lse') as Float32Array;
  const rows = verifiedRows(batch);
  const expected = reference(batch, data, scale, rows);
  const width = batch.qHeads * batch.headDim;
  let [difference, norm, maxAbsError] = [0, 0, 0];
  let lseHolds = true;
  rows.forEach((s, row) => {
    for (let i = 0; i < width; i++) {
      const want = expected.out[row * width + i]!;
      const error = Math.abs(out[s * width + i]! - want);
      difference += error * error;
      norm += want * want;
      if (!(error <= maxAbsError)) maxAbsError = error;
    }
    for (let h = 0; h < batch.qHeads; h++) {
      const want = expected.lse[row * batch.qHeads + h]!;
      const got = lse[s * batch.qHeads + h]!;
      if (!(want === got || Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want))))
        lseHolds = false;
    }
  });
  const relError = norm > 0 ? Math.sqrt(difference / norm) : Math.sqrt(difference);
  const unwritten = countUnwritten(batch.dtype, raw) + countUnwritten('f32', lse);
  return {
    ok: relError <= tolerance && lseHolds && unwritten === 0,
    relError,
    maxAbsError,
    unwritten,
    tolerance,
  };
}
