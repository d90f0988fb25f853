/** Which masks only keep a load within its tensor. */
import { describe, expect, it } from 'vitest';
import type { LoadOp } from '../../../compiler/ir/nodes.ts';
import { regionsOf, type Region } from '../../../compiler/ir/nodes.ts';
import { Analysis } from '../../../compiler/lower/analysis.ts';
import { masksBeyondBounds } from '../../../compiler/lower/bounds.ts';
import { kernel, type Tile } from '../../../dsl/index.ts';

// Shapes that tsc cannot follow.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = Tile<any, any>;

interface Parts {
  readonly row: Any;
  readonly column: Any;
  readonly rows: Any;
  readonly end: Any;
  /** 0 … 63, which the row index adds to the block's first. */
  readonly lanes: Any;
}

/** How many parts of a mask remain, of a 64 x 64 tile of x [rows, 72]. */
function remaining(mask: (p: Parts) => Any): number {
  const traced = kernel('masked', {}, (k) => {
    const x = k.input('x', 'f32', ['rows', 72]);
    const lanes = k.iota(64);
    const row = k.programId(0).mul(64).add(lanes).expand(1);
    const column = lanes.expand(0);
    const parts = {
      row,
      column,
      rows: k.dim('rows'),
      end: k.scalar('end', 'i32'),
      lanes,
    } as unknown as Parts;
    const tile = x.load([row, column], { mask: mask(parts) as never });
    k.output('y', 'f32', [64, 64]).store([lanes.expand(1), column], tile as never);
  }).trace({}, {});
  const loads: LoadOp[] = [];
  const visit = (r: Region): void => {
    for (const op of r.ops) {
      if (op.op === 'load') loads.push(op);
      regionsOf(op).forEach(visit);
    }
  };
  visit(traced.body);
  return masksBeyondBounds(
    new Analysis(traced),
    loads.find((l) => l.tensor.name === 'x')!,
  ).length;
}

describe('a mask of a load', () => {
  it('that keeps rows and columns within the tensor is none', () => {
    expect(remaining(({ row, rows }) => row.lt(rows))).toBe(0);
    expect(remaining(({ row, rows, column }) => row.lt(rows).and(column.lt(72)))).toBe(0);
  });

  it('that says more than the bounds remains, and alone', () => {
    expect(remaining(({ row, end }) => row.lt(end))).toBe(1);
    expect(remaining(({ row, rows, column }) => row.lt(rows).and(column.lt(71)))).toBe(1);
    expect(remaining(({ row, rows }) => row.add(1).lt(rows))).toBe(1);
    expect(remaining(({ row, rows }) => row.le(rows))).toBe(1);
    expect(remaining(({ row, rows, column }) => row.lt(rows).or(column.lt(72)))).toBe(1);
  });

  it('on one axis with the bounds of another remains', () => {
    expect(remaining(({ row }) => row.lt(72))).toBe(1);
    expect(remaining(({ column, rows }) => column.lt(rows))).toBe(1);
    // The column's own numbers, laid along the rows.
    expect(remaining(({ lanes }) => lanes.expand(1).lt(72))).toBe(1);
    expect(remaining(({ lanes }) => lanes.expand(0).lt(72))).toBe(0);
  });
});
