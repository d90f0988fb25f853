/** The attention heads of a batch, from `--heads 32/8`, `--head-dim`, `--dtype`. */
import { fail } from '../../compiler/diagnostics/error.ts';

export type Dtype = 'f16' | 'bf16' | 'f32';

export interface Heads {
  readonly qHeads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Element of q, k, v and out. */
  readonly dtype: Dtype;
}

export const headDims = [64, 80, 96, 128, 192, 256] as const;
export const dtypes: readonly Dtype[] = ['f16', 'bf16', 'f32'];
export const maxGroup = 16;

export const groupOf = (h: Heads): number => h.qHeads / h.kvHeads;

/** Bytes of K and V of one token of one KV head. */
export const tokenBytes = (h: Heads): number => 2 * h.headDim * (h.dtype === 'f32' ? 4 : 2);

/** `32/8` -> query heads and KV heads. Throws PAT0504. */
export function parseHeads(text: string): { qHeads: number; kvHeads: number } {
  const match = /^(\d+)\/(\d+)$/.exec(text.trim());
  if (!match) return fail('PAT0504', `heads '${text}': expected QUERY_HEADS/KV_HEADS, for example 32/8`);
  return { qHeads: Number(match[1]), kvHeads: Number(match[2]) };
}

/** Throws PAT0504 (heads), PAT0505 (head dim), PAT0501 (dtype). */
export function checkHeads(h: Heads): void {
  const { qHeads, kvHeads, headDim, dtype } = h;
  if (!Number.isInteger(qHeads) || !Number.isInteger(kvHeads) || qHeads < 1 || kvHeads < 1)
    fail('PAT0504', `heads ${qHeads}/${kvHeads}: both numbers must be positive integers`);
  if (qHeads % kvHeads !== 0)
    fail('PAT0504', `heads ${qHeads}/${kvHeads}: ${kvHeads} KV heads do not divide ${qHeads} query heads`, {
      notes: [{ text: `${qHeads} / ${kvHeads} = ${(qHeads / kvHeads).toFixed(3)} query heads per KV head` }],
    });
  if (qHeads / kvHeads > maxGroup)
    fail(
      'PAT0504',
      `heads ${qHeads}/${kvHeads}: ${qHeads / kvHeads} query heads per KV head, at most ${maxGroup} are supported`,
    );
  if (!headDims.includes(headDim as (typeof headDims)[number]))
    fail('PAT0505', `head dim ${headDim}: expected one of ${headDims.join(', ')}`);
  if (!dtypes.includes(dtype))
    fail('PAT0501', `dtype '${dtype as string}': expected one of ${dtypes.join(', ')}`);
}
