/** Dot operands in shared memory: copied from global memory if they are staged loads, else stored from registers. */
import type { Value } from '../ir/nodes.ts';
import { pack } from '../thread/build.ts';
import type { Expr } from '../thread/nodes.ts';
import { isHalf, type Context } from './context.ts';
import { allThreads, copyToShared } from './copies.ts';
import { predicate } from './emitter.ts';
import { nameOf, operandAt } from './evaluate.ts';
import type { Layout } from './layout.ts';
import { ownerPredicate } from './registers.ts';
import { elementOffset, newSharedTile } from './shared-layout.ts';
import type { SharedTile } from './values.ts';

function storeHalf(ctx: Context, to: SharedTile, row: Expr, column: Expr, value: Expr, inside: Expr): void {
  if (!isHalf(to.element)) return;
  ctx.emitter.emit({
    s: 'storeSharedHalf',
    span: ctx.emitter.span,
    buffer: to.buffer,
    offset: elementOffset(to, row, column),
    element: to.element,
    value,
    ...predicate(inside),
  });
}

/**
 * A dot operand in shared memory; transposes only flip how it is read. With `later`, copies that stand in the current
 * scope are left for whoever asks to commit and to wait for.
 */
export function asShared(ctx: Context, v: Value, matrix: boolean, later = false): SharedTile {
  const { op, region } = ctx.analysis.definition(v);
  if (op?.op === 'transpose' && !ctx.analysis.anchored.has(v.id)) {
    const inner = asShared(ctx, op.a, matrix, later);
    return { ...inner, transposed: !inner.transposed };
  }
  const scope = ctx.emitter.instance(region);
  const known = ctx.stagedTiles.get(`${v.id}:${scope.id}`);
  if (known) return known;
  const wait = !(later && scope === ctx.emitter.top);
  return ctx.emitter.at(scope, () => {
    const saved = ctx.emitter.span;
    if (op) ctx.emitter.span = op.span;
    const staged = op?.op === 'load' && ctx.analysis.staged.has(v.id);
    // Halves that no thread holds in pairs are kept as f32: targets may lack 16-bit stores.
    const wide = !matrix && !staged && isHalf(v.type.element) && pairDigit(ctx.layoutOf(v)) < 0;
    const name = nameOf(v, op?.op === 'load' ? op.tensor.name : 'operand');
    const tile = newSharedTile(ctx, v, name, matrix, 1, wide ? 'f32' : undefined, ctx.formOf(v));
    if (staged) copyToShared(ctx, [{ load: op, to: tile }], allThreads(ctx), wait);
    else storeTile(ctx, v, tile);
    // wgmma reads by another proxy than copies and stores write by.
    if (tile.panel !== undefined && wait) ctx.emitter.emit({ s: 'proxyFence', span: ctx.emitter.span });
    ctx.emitter.span = saved;
    ctx.stagedTiles.set(`${v.id}:${scope.id}`, tile);
    return tile;
  });
}

const pairDigit = (layout: Layout): number =>
  layout.regs.findIndex((d) => d.dim === 1 && d.stride === 1 && d.size % 2 === 0);

/** Registers (or lazy elements) into a shared tile, in pairs where the layout holds pairs. */
function storeTile(ctx: Context, v: Value, to: SharedTile): void {
  const layout: Layout = ctx.layoutOf(v);
  const owner = ownerPredicate(ctx, layout);
  const pred = predicate(owner);
  const type = to.element;
  const pair = pairDigit(layout);
  const span = ctx.emitter.span;
  if (!isHalf(type)) {
    ctx.forEachPoint(layout, (p) => {
      const offset = elementOffset(to, p.coords[0]!, p.coords[1]!);
      ctx.emitter.emit({
        s: 'storeShared',
        span,
        buffer: to.buffer,
        offset,
        values: [operandAt(ctx, v, p)],
        ...pred,
      });
    });
    return;
  }
  if (pair < 0) {
    ctx.forEachPoint(layout, (p) =>
      storeHalf(ctx, to, p.coords[0]!, p.coords[1]!, operandAt(ctx, v, p), owner),
    );
    return;
  }
  ctx.forEachPoint(
    layout,
    (base) => {
      for (let i = 0; i < layout.regs[pair]!.size; i += 2) {
        const lo = ctx.movePoint(base, pair, i);
        const hi = ctx.movePoint(base, pair, i + 1);
        const value = pack(type, operandAt(ctx, v, lo), operandAt(ctx, v, hi));
        const offset = elementOffset(to, lo.coords[0]!, lo.coords[1]!);
        ctx.emitter.emit({ s: 'storeShared', span, buffer: to.buffer, offset, values: [value], ...pred });
      }
    },
    [pair],
  );
}
