/** `run --dump DIR`: meta.json and little-endian tensors, enough to recompute the outputs. */
import { fail } from '../../compiler/diagnostics/error.ts';
import type { HostArray } from '../../compiler/ir/numeric.ts';
import { pagesOf, type Batch } from './batch.ts';
import type { AttentionData } from './inputs.ts';
import { files } from './node-files.ts';

/** Throws PAT0605. */
export function dump(
  directory: string,
  batch: Batch,
  data: AttentionData,
  scale: number,
  outputs: ReadonlyMap<string, HostArray>,
): void {
  const { dtype, page, qHeads, kvHeads, headDim } = batch;
  const sequences = Array.from(batch.lengths, (length, s) => ({ length, pages: [...pagesOf(batch, s)] }));
  const meta = { dtype, kvDtype: dtype, scale, page, qHeads, kvHeads, headDim, sequences };
  try {
    files().mkdirSync(directory, { recursive: true });
    files().writeFileSync(`${directory}/meta.json`, JSON.stringify(meta));
    const tensors = { q: data.q, k: data.k, v: data.v, out: outputs.get('out'), lse: outputs.get('lse') };
    for (const [name, tensor] of Object.entries(tensors))
      if (tensor) files().writeFileSync(`${directory}/${name}.bin`, bytesOf(tensor));
  } catch (error) {
    fail('PAT0605', `cannot write ${directory}: ${(error as Error).message}`);
  }
}

/** Little-endian whatever the machine. */
function bytesOf(data: HostArray): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) return bytes;
  const width = data.BYTES_PER_ELEMENT;
  for (let i = 0; i < bytes.length; i += width) bytes.subarray(i, i + width).reverse();
  return bytes;
}
