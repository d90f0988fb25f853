/**
 * Reductions along one axis: first each thread over its own registers, then over the lanes that share a row by butterfly
 * shuffles, then over warps (or all threads, where the target has no shuffles) through shared memory.
 */
import type { ReduceFn, ReduceOp } from '../ir/nodes.ts';
import {
  add,
  binaryOf,
  constB,
  constI,
  element,
  eq,
  lt,
  lvalue,
  mul,
  round,
  varRef,
} from '../thread/build.ts';
import type { BinaryName, Expr, RegType, SharedBuffer } from '../thread/nodes.ts';
import { isHalf, regTypeOf, type Context } from './context.ts';
import { predicate } from './emitter.ts';
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

/** Elements that are combined with each other before the accumulator waits for them: a fourth of the chain's latency. */
const together = 4;

function inPairs(values: readonly Expr[], both: (a: Expr, b: Expr) => Expr): Expr {
  if (values.length === 1) return values[0]!;
  const half = Math.ceil(values.length / 2);
  return both(inPairs(values.slice(0, half), both), inPairs(values.slice(half), both));
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
      const at = (n: number): Expr => {
        let rest = n;
        let p = base;
        for (const i of along) {
          p = ctx.movePoint(p, i, rest % from.regs[i]!.size);
          rest = Math.floor(rest / from.regs[i]!.size);
        }
        return operandAt(ctx, op.a, p);
      };
      const both = (a: Expr, b: Expr): Expr => binaryOf(combine[op.fn], a, b);
      for (let n = 1; n < count; n += together) {
        const values = Array.from({ length: Math.min(together, count - n) }, (_, i) => at(n + i));
        ctx.emitter.assign(tile.var, both(element(tile.var, to), inPairs(values, both)), to);
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

/** A [row][column] table of partial results in shared memory. */
class Partials {
  readonly columns: number;
  private readonly ctx: Context;
  private readonly buffer: SharedBuffer;
  private readonly type: RegType;

  constructor(ctx: Context, op: ReduceOp, tile: RegTile, columns: number) {
    const rows = tile.layout.shape.reduce((a, b) => a * b, 1);
    this.ctx = ctx;
    this.columns = columns;
    this.type = tile.var.type;
    this.buffer = ctx.addShared(
      `${nameOf(op.result, op.fn)}_partials`,
      tile.var.type === 'bool' ? 'i32' : tile.var.type,
      rows * columns * 4,
      `${rows} rows x ${columns} partials x 4 B`,
      ctx.emitter.span,
    );
  }

  private offset(p: Point, column: Expr): Expr {
    let linear: Expr = constI(0);
    p.shape.forEach((extent, d) => (linear = add(mul(linear, extent), p.coords[d]!)));
    return mul(add(mul(linear, this.columns), column), 4);
  }

  store(p: Point, column: Expr, value: Expr, pred: Expr): void {
    this.ctx.emitter.emit({
      s: 'storeShared',
      span: this.ctx.emitter.span,
      buffer: this.buffer,
      offset: this.offset(p, column),
      values: [value],
      ...predicate(pred),
    });
  }

  load(p: Point, column: Expr): Expr {
    const part = this.ctx.emitter.scalar('part', this.type);
    const { span } = this.ctx.emitter;
    const dst = [lvalue(part)];
    this.ctx.emitter.emit({
      s: 'loadShared',
      span,
      dst,
      buffer: this.buffer,
      offset: this.offset(p, column),
    });
    return varRef(part);
  }
}

/** Beyond this many partials a row, a few threads combine them first, so that not every thread reads them all. */
const directPartials = 16;

/** Every group writes its partial to a table; all read a row's partials into `to` in a fixed order. */
function throughShared(
  ctx: Context,
  op: ReduceOp,
  tile: RegTile,
  groups: readonly { digit: Digit; weight: number }[],
  to: RegTile,
): void {
  const count = product(groups.map((g) => g.digit));
  let group: Expr = constI(0);
  let step = 1;
  for (const g of groups) {
    group = add(group, mul(ctx.threadDigit(g.weight, g.digit.size), step));
    step *= g.digit.size;
  }
  const first = firstCopy(ctx, tile.layout, groups);
  const each = (body: (p: Point, index: Expr) => void): void =>
    ctx.forEachPoint(tile.layout, (p) => body(p, registerAt(tile.layout, p)!));
  let table = new Partials(ctx, op, tile, count);
  each((p, i) => table.store(p, group, element(tile.var, i), first));
  if (count > directPartials) {
    const few = 2 ** Math.ceil(Math.log2(count) / 2);
    const from = table;
    table = new Partials(ctx, op, tile, few);
    const combiners = ctx.emitter.open({}, () =>
      each((p, i) => {
        for (let k = 0; k < count / few; k++) {
          const part = from.load(p, add(group, k * few));
          const value = k === 0 ? part : binaryOf(combine[op.fn], element(tile.var, i), part);
          ctx.emitter.assign(tile.var, value, i);
        }
        table.store(p, group, element(tile.var, i), first);
      }),
    );
    const cond = lt(group, few);
    ctx.emitter.emit({
      s: 'if',
      span: ctx.emitter.span,
      cond,
      uniform: 'none',
      then: combiners.stmts,
      else: [],
    });
  }
  each((p, i) => {
    for (let g = 0; g < table.columns; g++) {
      const part = table.load(p, constI(g));
      const value = g === 0 ? part : binaryOf(combine[op.fn], element(to.var, i), part);
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
