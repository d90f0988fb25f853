/** The forms a tile value takes during lowering. */
import type { Element } from '../ir/nodes.ts';
import type { Expr, SharedBuffer, Var } from '../thread/nodes.ts';
import type { Layout } from './layout.ts';

/** Registers of a tile in a layout; f16 and bf16 elements are held as f32 that the type can represent. */
export interface RegTile {
  readonly form: 'reg';
  readonly var: Var;
  readonly layout: Layout;
}

/** `chunks` 16-byte chunks that change places, every `rows` rows by one step (so that 8 rows cover all banks). */
export interface Swizzle {
  readonly chunks: number;
  readonly rows: number;
}

/** A rows x columns tile in shared memory, `columns` contiguous. */
export interface SharedTile {
  readonly form: 'shared';
  readonly buffer: SharedBuffer;
  readonly rows: number;
  readonly columns: number;
  readonly element: Exclude<Element, 'bool'>;
  /** Bytes between rows, a multiple of 16 where instructions read 16-byte rows. */
  readonly pitch: number;
  /** 16-byte chunk c of row r lies at chunk c ^ (r / rows % chunks); absent where rows are not swizzled. */
  readonly swizzle?: Swizzle;
  /**
   * Rows cut into panels of this many columns (128 bytes), one panel after the other, `pitch` bytes between the rows of a
   * panel: what tensor copies write and wgmma reads. Absent where a row lies in one piece.
   */
  readonly panel?: number;
  /** Byte offset of the current stage. */
  readonly base: Expr;
  /** The value is the transpose of what is stored. */
  readonly transposed: boolean;
}

export interface ScalarValue {
  readonly form: 'scalar';
  readonly expr: Expr;
}

export type Lowered = RegTile | SharedTile | ScalarValue;
