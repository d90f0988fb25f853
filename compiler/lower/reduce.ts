/**
 * Reductions along one axis: first each thread over its own registers, then over the lanes that share a row by butterfly
 * shuffles, then over warps (or all threads, where the target has no shuffles) through shared memory.
 */
import type { ReduceFn, ReduceOp } from '../ir/nodes.ts';
import { add, binaryOf, constB, constI, element, eq, lvalue, mul, round, varRef } from '../thread/build.ts';
import type { BinaryName, Expr } from '../thread/nodes.ts';
import { isHalf, regTypeOf, type Context } from './context.ts';
import { nameOf, operandAt } from './evaluate.ts';

import { product, regCount, sliceLayout, type Digit, type Layout } from './layout.ts';
import { dropAxis, registerAt, type Point } from './point.ts';
import { andOf } from './registers.ts';
import type { RegTile } from './values.ts';

const combine: Record<ReduceFn, BinaryName> = { sum: 'add', max: 'max', min: 'min' };

export function lowerReduce(ctx: Context, op: ReduceOp): RegTile {
  const from = ctx.layoutOf(op.a);
  const layout = sliceLayout(from, op.axis);
  const type = regTypeOf(op.result.type.element);
  const partial: RegTile = {
    form: 'reg',
    layout,
    var: ctx.emitter.array(nameOf(op.result, op.fn), type, regCount(layout)),
  };
  inThread(ctx, op, from, partial);
  const tile = acrossThreads(ctx, op, from, partial);
  const half = op.result.type.element;
  if (isHalf(half))
    ctx.forEachPoint(layout, (p) => {
      const i = registerAt(layout, p)!;
      ctx.emitter.assign(tile.var, round(half, element(tile.var, i)), i);
    });
  return tile;
}

/** The first element along the axis starts the accumulator, the others are combined into it. */
function inThread(ctx: Context, op: ReduceOp, from: Layout, tile: RegTile): void {
  const along = from.regs.flatMap((d, i) => (d.dim === op.axis ? [i] : []));
  ctx.forEachPoint(
    from,
    (p) => {
      const to = registerAt(tile.layout, dropAxis(p, op.axis))!;
      ctx.emitter.assign(tile.var, operandAt(ctx, op.a, p), to);
    },
    along,
  );
  if (along.length === 0) return;
  const count = along.reduce((n, i) => n * from.regs[i]!.size, 1);
  ctx.forEachPoint(
    from,
    (base) => {
      const to = registerAt(tile.layout, dropAxis(base, op.axis))!;
      for (let n = 1; n < count; n++) {
        let rest = n;
        let p = base;
        for (const i of along) {
          p = ctx.movePoint(p, i, rest % from.regs[i]!.size);
          rest = Math.floor(rest / from.regs[i]!.size);
        }
        const value = binaryOf(combine[op.fn], element(tile.var, to), operandAt(ctx, op.a, p));
        ctx.emitter.assign(tile.var, value, to);
      }
    },
    along,
  );
}

function acrossThreads(ctx: Context, op: ReduceOp, from: Layout, tile: RegTile): RegTile {
  let weight = 1;
  const shared: { digit: Digit; weight: number }[] = [];
  for (const d of from.threads) {
    if (d.dim === op.axis) {
      const lanes = Math.min(d.size, Math.max(1, ctx.target.warpSize / weight));
      for (let mask = 1; mask < lanes; mask *= 2) shuffle(ctx, op, tile, mask * weight);
      if (lanes < d.size) shared.push({ digit: { ...d, size: d.size / lanes }, weight: weight * lanes });
    }
    weight *= d.size;
  }
  if (tile.layout.shape.length > 0) {
    if (shared.length > 0) throughShared(ctx, op, tile, shared, tile);
    return tile;
  }
  // A scalar may decide a branch or a bound: all threads read it from one place, so that it is seen to be uniform.
  const all = { ...tile, var: ctx.emitter.array(nameOf(op.result, op.fn), tile.var.type, 1) };
  throughShared(ctx, op, tile, shared, all);
  return all;
}

function shuffle(ctx: Context, op: ReduceOp, tile: RegTile, mask: number): void {
  ctx.forEachPoint(tile.layout, (p) => {
    const i = registerAt(tile.layout, p)!;
    const other = ctx.emitter.scalar('other', tile.var.type);
    const value = element(tile.var, i);
    ctx.emitter.emit({ s: 'shuffleXor', span: ctx.emitter.span, dst: lvalue(other), value, mask });
    ctx.emitter.assign(tile.var, binaryOf(combine[op.fn], value, varRef(other)), i);
  });
}

/** Every group writes its partial to a [row][group] table; all read a row's partials into `to` in group order. */
function throughShared(
  ctx: Context,
  op: ReduceOp,
  tile: RegTile,
  groups: readonly { digit: Digit; weight: number }[],
  to: RegTile,
): void {
  const count = product(groups.map((g) => g.digit));
  const rows = tile.layout.shape.reduce((a, b) => a * b, 1);
  const buffer = ctx.addShared(
    `${nameOf(op.result, op.fn)}_partials`,
    tile.var.type === 'bool' ? 'i32' : tile.var.type,
    rows * count * 4,
    `${rows} rows x ${count} partials x 4 B`,
    ctx.emitter.span,
  );
  let group: Expr = constI(0);
  let step = 1;
  for (const g of groups) {
    group = add(group, mul(ctx.threadDigit(g.weight, g.digit.size), step));
    step *= g.digit.size;
  }
  const offset = (p: Point, g: Expr): Expr => {
    let linear: Expr = constI(0);
    tile.layout.shape.forEach((extent, d) => (linear = add(mul(linear, extent), p.coords[d]!)));
    return mul(add(mul(linear, count), g), 4);
  };
  const first = firstCopy(ctx, tile.layout, groups);
  ctx.forEachPoint(tile.layout, (p) =>
    ctx.emitter.emit({
      s: 'storeShared',
      span: ctx.emitter.span,
      buffer,
      offset: offset(p, group),
      values: [element(tile.var, registerAt(tile.layout, p)!)],
      ...(first.e === 'const' ? {} : { pred: first }),
    }),
  );
  ctx.forEachPoint(tile.layout, (p) => {
    const i = registerAt(tile.layout, p)!;
    for (let g = 0; g < count; g++) {
      const part = ctx.emitter.scalar('part', tile.var.type);
      ctx.emitter.emit({
        s: 'loadShared',
        span: ctx.emitter.span,
        dst: [lvalue(part)],
        buffer,
        offset: offset(p, constI(g)),
      });
      const value = g === 0 ? varRef(part) : binaryOf(combine[op.fn], element(to.var, i), varRef(part));
      ctx.emitter.assign(to.var, value, i);
    }
  });
}

/** Of the threads that hold the same partial of the same group, one writes. */
function firstCopy(ctx: Context, layout: Layout, groups: readonly { digit: Digit; weight: number }[]): Expr {
  let mine: Expr = constB(true);
  let weight = 1;
  for (const d of layout.threads) {
    if (d.dim === null) {
      // The digits that count groups are copies in the result's layout, but write different partials.
      const counted = groups.find((g) => g.weight >= weight && g.weight < weight * d.size);
      const free = counted ? counted.weight / weight : d.size;
      if (free > 1) mine = andOf(mine, eq(ctx.threadDigit(weight, free), 0));
    }
    weight *= d.size;
  }
  return mine;
}
