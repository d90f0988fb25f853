/** Masks of row regions: a row's bit at a point of a carried tile, and whether a warp holds any row that is meant. */
import type { Value } from '../ir/nodes.ts';
import { constB, or, varRef } from '../thread/build.ts';
import type { Expr } from '../thread/nodes.ts';
import type { Context } from './context.ts';
import { operandAt } from './evaluate.ts';
import { sliceLayout, type Layout } from './layout.ts';
import { dropAxis, type Point } from './point.ts';

/** The row's element of a mask at a point of a tile whose axis 0 is rows. */
export function rowMaskAt(ctx: Context, mask: Value, p: Point): Expr {
  let row = p;
  while (row.shape.length > 1) row = dropAxis(row, row.shape.length - 1);
  return operandAt(ctx, mask, row);
}

/** A condition, the same for a warp, under which one of the rows that it holds of a tile is masked in. */
export function anyRow(ctx: Context, mask: Value, tile: Layout): Expr {
  let rows = tile;
  while (rows.shape.length > 1) rows = sliceLayout(rows, rows.shape.length - 1);
  const mine = ctx.emitter.scalar('mine', 'bool', constB(false));
  ctx.forEachPoint(rows, (p) => ctx.emitter.assign(mine, or(varRef(mine), operandAt(ctx, mask, p))));
  const any = ctx.emitter.scalar('any', 'bool');
  ctx.emitter.emit({ s: 'warpAny', span: ctx.emitter.span, dst: { var: any }, value: varRef(mine) });
  return varRef(any);
}
