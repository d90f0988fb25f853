/** Dot products: accumulators in registers, updated by matrix instructions or by multiply-adds over shared operands. */
import type { DotOp, Value } from '../ir/nodes.ts';
import { constF } from '../thread/build.ts';
import type { Context } from './context.ts';
import { lowerFma } from './dot-fma.ts';
import { lowerMma } from './dot-mma.ts';
import { lowerWgmma } from './dot-wgmma.ts';
import { nameOf } from './evaluate.ts';
import { sameLayout, type Layout } from './layout.ts';
import { registerAt } from './point.ts';
import { copyTile, newTile, regTile } from './registers.ts';
import type { RegTile } from './values.ts';

export function lowerDot(ctx: Context, op: DotOp): RegTile {
  const plan = ctx.plan.block.dots.get(op)!;
  const name = nameOf(op.result, 'dot');
  if (plan.kind === 'mma')
    return lowerMma(ctx, op, plan.layout, () => accumulator(ctx, op, plan.layout, name));
  if (plan.kind === 'wgmma')
    return lowerWgmma(
      ctx,
      op,
      () => inPlace(ctx, op, plan.layout) ?? accumulator(ctx, op, plan.layout, name, false),
    );
  return lowerFma(ctx, op, plan.layout, () => accumulator(ctx, op, plan.layout, name));
}

function accumulator(ctx: Context, op: DotOp, layout: RegTile['layout'], name: string, zero = true): RegTile {
  if (op.acc) return copyTile(ctx, op.acc, layout, name);
  const tile = newTile(ctx, op.result, name, layout);
  if (zero) ctx.forEachPoint(layout, (p) => ctx.emitter.assign(tile.var, constF(0), registerAt(layout, p)!));
  return tile;
}

/**
 * The registers of a loop's carried accumulator, where nothing but the dot needs what they hold: copies of registers that
 * wgmma works on cost as many registers again.
 */
function inPlace(ctx: Context, op: DotOp, layout: Layout): RegTile | undefined {
  const { analysis } = ctx;
  const { acc } = op;
  if (!acc || !sameLayout(ctx.layoutOf(acc), layout)) return undefined;
  const carried = (v: Value): boolean => {
    const { op: def, region } = analysis.definition(v);
    if (analysis.usesOf(v).length !== 1 || region !== analysis.regionOf.get(op)) return false;
    if (def?.op === 'rows') return carried(def.inits[def.results.indexOf(v)]!);
    const owner = analysis.owner.get(region);
    // A predicated region adds nothing to the rows that it leaves alone.
    const updates =
      owner?.op === 'for' || owner?.op === 'ragged' || (owner?.op === 'rows' && owner.predicated);
    return def === undefined && updates;
  };
  return carried(acc) ? regTile(ctx, acc) : undefined;
}
