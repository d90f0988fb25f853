/** Ops that move elements without computing: broadcast, transpose, reshape. */
import { sizeOf, type TileType } from '../../../compiler/ir/nodes.ts';
import { compileLoop } from './loops.ts';
import type { RowRange, Step, TileData } from './storage.ts';

/** Row-major strides of a shape, in elements. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/** Strides that read an operand of that shape under the result's shape: 0 where an extent 1 is stretched. */
export function stretchedStrides(operand: readonly number[], result: readonly number[]): number[] {
  if (operand.length === 0) return result.map(() => 0);
  const strides = rowMajor(operand);
  return result.map((extent, axis) => (operand[axis] === 1 && extent !== 1 ? 0 : strides[axis]!));
}

/** Flat operand position of every flat result position. */
function gatherMap(shape: readonly number[], strides: readonly number[]): Int32Array {
  let positions = Int32Array.of(0);
  for (let axis = 0; axis < shape.length; axis++) {
    const next = new Int32Array(positions.length * shape[axis]!);
    for (let i = 0, at = 0; i < positions.length; i++)
      for (let j = 0; j < shape[axis]!; j++) next[at++] = positions[i]! + j * strides[axis]!;
    positions = next;
  }
  return positions;
}

type Gather = (from: number, to: number, r: TileData, a: TileData, map: Int32Array) => void;

function gather(r: TileData, a: TileData, map: Int32Array, inner: number, rows: RowRange): Step {
  const body = 'for (let i = from; i < to; i++) r[i] = a[map[i]];';
  const loop = compileLoop<Gather>(['from', 'to', 'r', 'a', 'map'], body, [r, a]);
  return () => loop(rows.from * inner, rows.to * inner, r, a, map);
}

const innerSize = (type: TileType): number => sizeOf(type) / (type.shape[0] ?? 1);

export function planBroadcast(from: TileType, to: TileType, a: TileData, r: TileData, rows: RowRange): Step {
  const inner = innerSize(to);
  if (a.length === 1) return () => void r.fill(a[0]!, rows.from * inner, rows.to * inner);
  return gather(r, a, gatherMap(to.shape, stretchedStrides(from.shape, to.shape)), inner, rows);
}

export function planTranspose(
  from: TileType,
  to: TileType,
  permutation: readonly number[],
  a: TileData,
  r: TileData,
  rows: RowRange,
): Step {
  const strides = rowMajor(from.shape);
  const map = gatherMap(
    to.shape,
    permutation.map((axis) => strides[axis]!),
  );
  return gather(r, a, map, innerSize(to), rows);
}

export function planReshape(to: TileType, a: TileData, r: TileData, rows: RowRange): Step {
  const inner = innerSize(to);
  return () => r.set(a.subarray(rows.from * inner, rows.to * inner), rows.from * inner);
}
