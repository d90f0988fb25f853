/**
 * Where an element of a tile lies in shared memory. Rows that matrix instructions read 16 bytes at a time are swizzled, or
 * padded to an odd number of 16-byte chunks, so that eight consecutive rows fall into different banks; other tiles are
 * padded by one word.
 */
import { elementBytes, type Value } from '../ir/nodes.ts';
import { add, constI, div, mul, rem, xor } from '../thread/build.ts';
import type { Expr, MemoryElement } from '../thread/nodes.ts';
import type { Context } from './context.ts';
import type { SharedTile, Swizzle } from './values.ts';

/**
 * Bytes between rows, and how they are swizzled. Rows of a whole number of 128 bytes, or of 32 or 64, are swizzled; others
 * are padded to an odd number of 16-byte chunks.
 */
export function rowPitch(
  element: MemoryElement,
  columns: number,
  matrix: boolean,
): { pitch: number; swizzle?: Swizzle } {
  const bytes = columns * elementBytes(element);
  if (!matrix) return { pitch: Math.ceil(bytes / 4) * 4 + 4 };
  if (bytes % 128 === 0) return { pitch: bytes, swizzle: { chunks: 8, rows: 1 } };
  if (bytes === 64) return { pitch: bytes, swizzle: { chunks: 4, rows: 2 } };
  if (bytes === 32) return { pitch: bytes, swizzle: { chunks: 2, rows: 4 } };
  const chunks = Math.ceil(bytes / 16);
  return { pitch: 16 * (chunks + (chunks % 2 === 0 ? 1 : 0)) };
}

/** How the rows of a matrix operand lie: swizzled or padded in one piece, or in panels. */
export type RowForm = 'row' | 'panels';

/** Bytes between a panel's rows: what the hardware's widest swizzle covers. */
export const panelBytes = 128;
/** The hardware swizzles by address bits: eight rows of a panel start at a multiple of their bytes. */
const panelAlign = 8 * panelBytes;

/** Whether a tile can lie in panels: whole ones, in groups of eight rows. */
export const fitsPanels = (element: MemoryElement, rows: number, columns: number): boolean =>
  (columns * elementBytes(element)) % panelBytes === 0 && rows % 8 === 0;

export function newSharedTile(
  ctx: Context,
  v: Value,
  name: string,
  matrix: boolean,
  stages = 1,
  element = v.type.element as MemoryElement,
  form: RowForm = 'row',
): SharedTile & { stageBytes: number } {
  const [rows, columns] = v.type.shape as [number, number];
  const eb = elementBytes(element);
  const panels = form === 'panels' && fitsPanels(element, rows, columns);
  const { pitch, swizzle } = panels
    ? { pitch: panelBytes, swizzle: { chunks: 8, rows: 1 } }
    : rowPitch(element, columns, matrix);
  const stageBytes = panels ? rows * columns * eb : Math.ceil((rows * pitch) / 16) * 16;
  const count = stages > 1 ? `${stages} stages x ` : '';
  const padded = pitch > columns * eb ? `, row pitch ${pitch} B` : '';
  const how = panels ? ', panels of 128 B, xor swizzle' : swizzle ? ', xor swizzle' : padded;
  const note = `${count}${rows} x ${columns} x ${eb} B${how}`;
  const buffer = ctx.addShared(
    name,
    element,
    stageBytes * stages,
    note,
    ctx.emitter.span,
    panels ? panelAlign : undefined,
  );
  return {
    form: 'shared',
    buffer,
    rows,
    columns,
    element,
    pitch,
    ...(swizzle ? { swizzle } : {}),
    ...(panels ? { panel: panelBytes / eb } : {}),
    base: constI(0),
    transposed: false,
    stageBytes,
  };
}

/** Byte offset of stored row r, column c; c must be a multiple of 8 halves where the tile is swizzled. */
export function offsetOf(t: SharedTile, r: Expr, c: Expr): Expr {
  const eb = elementBytes(t.element);
  if (t.panel !== undefined && t.panel < t.columns) {
    const panel = add(t.base, mul(div(c, t.panel), t.rows * t.pitch));
    return offsetOf({ ...t, base: panel, columns: t.panel }, r, rem(c, t.panel));
  }
  const row = add(t.base, mul(r, t.pitch));
  if (!t.swizzle) return add(row, mul(c, eb));
  const chunk = div(c, 16 / eb);
  return add(row, mul(xor(chunk, rem(div(r, t.swizzle.rows), t.swizzle.chunks)), 16));
}

/** A coordinate as a part that a thread keeps through unrolled loops, and the steps of those loops. */
export interface Stepped {
  readonly own: Expr;
  readonly step: Expr;
}

/**
 * offsetOf at the sums of both parts, with all that a thread keeps in one register (`hold`), so that an access costs an
 * addition and no more. Bits that the swizzle does not mix go into the instruction: (x + step) ^ s is step ^ (x ^ s) for
 * steps that share no bit with x. That is the caller's to ensure of the column's 16-byte chunks; its row steps must be
 * whole turns of the swizzle.
 */
export function steppedOffsetOf(t: SharedTile, r: Stepped, c: Stepped, hold: (e: Expr) => Expr): Expr {
  const eb = elementBytes(t.element);
  if (!t.swizzle) {
    const own = hold(add(mul(r.own, t.pitch), mul(c.own, eb)));
    return add(add(t.base, add(mul(r.step, t.pitch), mul(c.step, eb))), own);
  }
  const { chunks, rows } = t.swizzle;
  const [chunk, step] = [div(c.own, 16 / eb), div(c.step, 16 / eb)];
  const turn = rem(div(r.own, rows), chunks);
  const own = hold(add(mul(r.own, t.pitch), mul(xor(chunk, turn), 16)));
  const [outer, inner] = [div(step, chunks), rem(step, chunks)];
  const apart = t.panel === undefined ? chunks * 16 : t.rows * t.pitch;
  const fixed = add(t.base, add(mul(r.step, t.pitch), mul(outer, apart)));
  return add(fixed, xor(own, mul(inner, 16)));
}

/** Byte offset of any single element, also inside a swizzled chunk. */
export function elementOffset(t: SharedTile, r: Expr, c: Expr): Expr {
  if (!t.swizzle) return offsetOf(t, r, c);
  const eb = elementBytes(t.element);
  const per = 16 / eb;
  return add(offsetOf(t, r, mul(div(c, per), per)), mul(rem(c, per), eb));
}
