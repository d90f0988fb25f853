/** Where the interpreter keeps tiles: one typed array a value, row-major, reused by every program instance. */
import { sizeOf, type Element, type TileType } from '../../../compiler/ir/nodes.ts';

/** Floats of every width are kept as f32 numbers (already rounded to their type), bools as 0 and 1. */
export type TileData = Float32Array | Int32Array | Uint32Array | Uint8Array;

/** How elements are computed: the three float types share f32 arithmetic and differ in the rounding after it. */
export type Family = 'float' | 'i32' | 'u32' | 'bool';

export function familyOf(element: Element): Family {
  return element === 'i32' || element === 'u32' || element === 'bool' ? element : 'float';
}

export function allocateTile(type: TileType): TileData {
  const size = sizeOf(type);
  switch (familyOf(type.element)) {
    case 'float':
      return new Float32Array(size);
    case 'i32':
      return new Int32Array(size);
    case 'u32':
      return new Uint32Array(size);
    case 'bool':
      return new Uint8Array(size);
  }
}

/** A range of a tile's rows (axis 0) that a step computes; a `rows` region narrows it while its body runs. */
export interface RowRange {
  from: number;
  to: number;
}

/** One op, planned: reads and writes the storage it was planned with. */
export type Step = () => void;

/** Copies that happen at once: a source that another copy overwrites is set aside first. */
export function parallelCopy(from: readonly TileData[], to: readonly TileData[]): Step {
  const moves = from.map((source, i) => ({ source, target: to[i]! })).filter((m) => m.source !== m.target);
  const endangered = moves.filter((m) => moves.some((other) => other !== m && other.target === m.source));
  const aside = endangered.map((m) => ({ source: m.source, target: m.source.slice() }));
  const first = moves.filter((m) => !endangered.includes(m));
  const last = endangered.map((m, i) => ({ source: aside[i]!.target, target: m.target }));
  const all = [...aside, ...first, ...last];
  return () => {
    for (let i = 0; i < all.length; i++) all[i]!.target.set(all[i]!.source);
  };
}
