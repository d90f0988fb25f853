/** Ops that combine elements: reductions along an axis and matrix products. */
import type { DotOp, ReduceOp } from '../../../compiler/ir/nodes.ts';
import { foldExpression } from './arithmetic.ts';
import { compileLoop, rounded } from './loops.ts';
import { familyOf, type Family, type RowRange, type Step, type TileData } from './storage.ts';

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/** In index order from the axis's first element. Halves accumulate in f32 and round once. */
export function planReduce(op: ReduceOp, a: TileData, r: TileData, rows: RowRange): Step {
  const { element, shape } = op.a.type;
  const extent = shape[op.axis]!;
  const inner = product(shape.slice(op.axis + 1));
  // Outer positions per row: along axis 0 there is one "row", the whole tile.
  const perRow = op.axis === 0 ? 1 : product(shape.slice(1, op.axis));
  type Loop = (from: number, to: number, r: TileData, a: TileData, extent: number, inner: number) => void;
  const fold = foldExpression(op.fn, familyOf(element) as Exclude<Family, 'bool'>);
  const loop = compileLoop<Loop>(
    ['from', 'to', 'r', 'a', 'extent', 'inner'],
    `for (let o = from; o < to; o++) for (let j = 0; j < inner; j++) {
      let at = o * extent * inner + j;
      let s = a[at];
      for (let k = 1; k < extent; k++) { at += inner; const x = a[at]; s = ${fold}; }
      r[o * inner + j] = ${rounded('s', element)};
    }`,
    [a, r],
  );
  if (op.axis === 0) return () => loop(0, 1, r, a, extent, inner);
  return () => loop(rows.from * perRow, rows.to * perRow, r, a, extent, inner);
}

/**
 * Row i of r += row i of a times b, accumulated in f32 in the order of k. Products of halves are exact in f32.
 * Four steps of k at a time keep the accumulator in a register without changing the order.
 */
function multiplyRow(
  r: Float32Array,
  a: Float32Array,
  b: Float32Array,
  i: number,
  n: number,
  depth: number,
): void {
  const fround = Math.fround;
  const row = i * n;
  let k = 0;
  for (; k + 4 <= depth; k += 4) {
    const a0 = a[i * depth + k]!;
    const a1 = a[i * depth + k + 1]!;
    const a2 = a[i * depth + k + 2]!;
    const a3 = a[i * depth + k + 3]!;
    const b0 = k * n;
    const b1 = b0 + n;
    const b2 = b1 + n;
    const b3 = b2 + n;
    for (let j = 0; j < n; j++) {
      let s = fround(r[row + j]! + fround(a0 * b[b0 + j]!));
      s = fround(s + fround(a1 * b[b1 + j]!));
      s = fround(s + fround(a2 * b[b2 + j]!));
      r[row + j] = fround(s + fround(a3 * b[b3 + j]!));
    }
  }
  for (; k < depth; k++) {
    const a0 = a[i * depth + k]!;
    for (let j = 0; j < n; j++) r[row + j] = fround(r[row + j]! + fround(a0 * b[k * n + j]!));
  }
}

export function planDot(
  op: DotOp,
  a: Float32Array,
  b: Float32Array,
  acc: Float32Array | undefined,
  r: Float32Array,
  rows: RowRange,
): Step {
  const [, n] = op.result.type.shape as [number, number];
  const depth = op.a.type.shape[1]!;
  return () => {
    if (acc) r.set(acc.subarray(rows.from * n, rows.to * n), rows.from * n);
    else r.fill(0, rows.from * n, rows.to * n);
    for (let i = rows.from; i < rows.to; i++) multiplyRow(r, a, b, i, n, depth);
  };
}
