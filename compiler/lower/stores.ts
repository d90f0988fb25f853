/** Stores and atomics: in the value's layout, as wide as layout, alignment and mask allow; copies write once. */
import { elementBytes, type AtomicOp, type StoreOp } from '../ir/nodes.ts';
import { bitcast, constB, eq, pack, threadId } from '../thread/build.ts';
import type { Expr } from '../thread/nodes.ts';
import { isHalf, type Context } from './context.ts';
import { predicate } from './emitter.ts';
import { elementIndex, operandAt, scalar } from './evaluate.ts';
import type { Point } from './point.ts';
import { andOf, operandAtIndex, ownerPredicate, vectorWidth } from './registers.ts';

export function lowerStore(ctx: Context, op: StoreOp): void {
  const span = op.span;
  const buffer = ctx.buffer(op.tensor);
  const shape = op.value.type.shape;
  if (shape.length === 0) {
    const index = elementIndex(ctx, op, (v) => scalar(ctx, v));
    const mask = op.mask ? scalar(ctx, op.mask) : constB(true);
    const pred = andOf(eq(threadId(), 0), mask);
    return ctx.emitter.emit({
      s: 'storeGlobal',
      span,
      buffer,
      index,
      value: scalar(ctx, op.value),
      ...predicate(pred),
    });
  }
  const layout = ctx.layoutOf(op.value);
  const owner = ownerPredicate(ctx, layout);
  const { width, digit } = vectorWidth(ctx, op, layout, shape.length);
  const type = op.tensor.element;
  const words = (width * elementBytes(type)) / 4;
  if (width === 1 || words < 1)
    return ctx.forEachPoint(layout, (p) => {
      const index = elementIndex(ctx, op, (v) => operandAtIndex(ctx, v, p));
      const pred = maskAt(ctx, op, owner, p);
      ctx.emitter.emit({
        s: 'storeGlobal',
        span,
        buffer,
        index,
        value: operandAt(ctx, op.value, p),
        ...predicate(pred),
      });
    });
  ctx.forEachPoint(
    layout,
    (base) => {
      for (let g = 0; g < layout.regs[digit]!.size / width; g++)
        storeVector(ctx, op, owner, ctx.movePoint(base, digit, g * width), digit, width);
    },
    [digit],
  );
}

const maskAt = (ctx: Context, op: StoreOp | AtomicOp, owner: Expr, p: Point): Expr =>
  op.mask ? andOf(owner, operandAtIndex(ctx, op.mask, p)) : owner;

function storeVector(ctx: Context, op: StoreOp, owner: Expr, p: Point, digit: number, width: number): void {
  const type = op.tensor.element;
  const start = p.digits[digit]!.at;
  const first = start.e === 'const' ? Number(start.value) : 0;
  const at = (i: number): Expr => operandAt(ctx, op.value, ctx.movePoint(p, digit, first + i));
  const index = elementIndex(ctx, op, (v) => operandAtIndex(ctx, v, p));
  const values: Expr[] = [];
  if (isHalf(type)) for (let i = 0; i < width; i += 2) values.push(pack(type, at(i), at(i + 1)));
  else for (let i = 0; i < width; i++) values.push(bitcast('u32', at(i)));
  const pred = predicate(maskAt(ctx, op, owner, p));
  ctx.emitter.emit({
    s: 'storeGlobalWords',
    span: op.span,
    buffer: ctx.buffer(op.tensor),
    index,
    values,
    ...pred,
  });
}

export function lowerAtomic(ctx: Context, op: AtomicOp): void {
  const buffer = ctx.buffer(op.tensor);
  const shape = op.value.type.shape;
  if (shape.length === 0) {
    const index = elementIndex(ctx, op, (v) => scalar(ctx, v));
    const pred = andOf(eq(threadId(), 0), op.mask ? scalar(ctx, op.mask) : constB(true));
    const value = scalar(ctx, op.value);
    return ctx.emitter.emit({ s: 'atomicGlobal', span: op.span, fn: op.fn, buffer, index, value, pred });
  }
  const layout = ctx.layoutOf(op.value);
  const owner = ownerPredicate(ctx, layout);
  ctx.forEachPoint(layout, (p) =>
    ctx.emitter.emit({
      s: 'atomicGlobal',
      span: op.span,
      fn: op.fn,
      buffer,
      index: elementIndex(ctx, op, (v) => operandAtIndex(ctx, v, p)),
      value: operandAt(ctx, op.value, p),
      ...predicate(maskAt(ctx, op, owner, p)),
    }),
  );
}
