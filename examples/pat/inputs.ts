/** Fresh seeded inputs for a batch: q, k and v standard normal, so scores of scale 1/sqrt(headDim) are too. */
import { fail } from '../../compiler/diagnostics/error.ts';
import { Random, type HostArray } from '../../compiler/ir/numeric.ts';
import type { InputSource } from '../../compiler/program.ts';
import type { Batch } from './batch.ts';

export interface AttentionData {
  /** [sequences, qHeads, headDim] */
  readonly q: HostArray;
  /** [pages, page, kvHeads, headDim]; NaN where no sequence has a token. */
  readonly k: HostArray;
  readonly v: HostArray;
}

/** One K or V buffer beyond this is more than typed arrays and most GPUs' bindings hold. */
const maxElements = 2 ** 32 - 1;

export function makeInputs(batch: Batch, seed: number, source?: InputSource): AttentionData {
  const random = new Random(seed);
  const row = batch.page * batch.kvHeads * batch.headDim;
  const elements = batch.pageCount * row;
  const queries = batch.lengths.length * batch.qHeads * batch.headDim;
  const given = (name: string, length = elements) => source?.take(name, batch.dtype, length);
  const shared = { k: given('k'), v: given('v') };
  if (shared.k && shared.v) {
    const q = given('q', queries) ?? random.normals(batch.dtype, queries);
    return { q, k: shared.k, v: shared.v };
  }
  if (elements > maxElements)
    fail(
      'PAT0501',
      `the KV pool of ${batch.pageCount} pages would have ${elements} elements each in K and V; at most ${maxElements}`,
      {
        notes: [
          {
            text: `${batch.pageCount} pages * ${batch.page} tokens * ${batch.kvHeads} heads * ${batch.headDim}`,
          },
        ],
      },
    );
  const q = random.normals(batch.dtype, queries);
  const k = random.normals(batch.dtype, elements);
  const v = random.normals(batch.dtype, elements);
  const used = usedTokens(batch);
  const nan = { f16: 0x7e00, bf16: 0x7fc0, f32: NaN }[batch.dtype];
  for (let id = 0; id < batch.pageCount; id++) {
    if (used[id] === batch.page) continue;
    // Nothing may read these: a kernel that does shows NaN.
    k.fill(nan, id * row + (used[id]! * row) / batch.page, (id + 1) * row);
    v.fill(nan, id * row + (used[id]! * row) / batch.page, (id + 1) * row);
  }
  return { q, k, v };
}

/** [pageCount] tokens of each page that some sequence attends to. */
export function usedTokens(batch: Batch): Int32Array {
  const { page, pages, lengths, tableBegin } = batch;
  const used = new Int32Array(batch.pageCount);
  for (let s = 0; s < lengths.length; s++)
    for (let at = tableBegin[s]!, left = lengths[s]!; left > 0; left -= page, at++) {
      const tokens = left < page ? left : page;
      if (tokens > used[pages[at]!]!) used[pages[at]!] = tokens;
    }
  return used;
}
