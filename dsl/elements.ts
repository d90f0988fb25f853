/** Element types, as constants an author can import; a plain string such as 'f16' means the same. */
import type { Element } from '../compiler/ir/nodes.ts';

export const f32 = 'f32' as const;
export const f16 = 'f16' as const;
export const bf16 = 'bf16' as const;
export const i32 = 'i32' as const;
export const u32 = 'u32' as const;
export const bool = 'bool' as const;

export type { Element };
/** What a tensor in memory can hold. */
export type StorageElement = Exclude<Element, 'bool'>;

export const elements: readonly Element[] = [f32, f16, bf16, i32, u32, bool];
export const isElement = (text: unknown): text is Element => (elements as readonly unknown[]).includes(text);

/** The candidate values of a tile number; the first is the default. */
export function tune<const V extends number>(...values: readonly [V, ...V[]]): readonly V[] {
  return values;
}
