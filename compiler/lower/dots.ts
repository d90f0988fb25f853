/** Dot products: accumulators in registers, updated by matrix instructions or by multiply-adds over shared operands. */
import type { DotOp } from '../ir/nodes.ts';
import { constF } from '../thread/build.ts';
import type { Context } from './context.ts';
import { lowerFma } from './dot-fma.ts';
import { lowerMma } from './dot-mma.ts';
import { lowerWgmma } from './dot-wgmma.ts';
import { nameOf } from './evaluate.ts';
import { registerAt } from './point.ts';
import { copyTile, newTile } from './registers.ts';
import type { RegTile } from './values.ts';

export function lowerDot(ctx: Context, op: DotOp): RegTile {
  const plan = ctx.plan.block.dots.get(op)!;
  const name = nameOf(op.result, 'dot');
  if (plan.kind === 'mma')
    return lowerMma(ctx, op, plan.layout, () => accumulator(ctx, op, plan.layout, name));
  if (plan.kind === 'wgmma') return lowerWgmma(ctx, op, () => accumulator(ctx, op, plan.layout, name, false));
  return lowerFma(ctx, op, plan.layout, () => accumulator(ctx, op, plan.layout, name));
}

function accumulator(ctx: Context, op: DotOp, layout: RegTile['layout'], name: string, zero = true): RegTile {
  if (op.acc) return copyTile(ctx, op.acc, layout, name);
  const tile = newTile(ctx, op.result, name, layout);
  if (zero) ctx.forEachPoint(layout, (p) => ctx.emitter.assign(tile.var, constF(0), registerAt(layout, p)!));
  return tile;
}
