/** Tiles in registers: loads, elementwise loops, reductions, and conversion between layouts. */
import { fail } from '../diagnostics/error.ts';
import { elementBytes, sizeOf, type LoadOp, type Op, type Value } from '../ir/nodes.ts';
import {
  add,
  and,
  bitcast,
  constB,
  constI,
  element,
  eq,
  loadGlobal,
  guard,
  mul,
  ne,
  select,
  unpack,
  varRef,
  lvalue,
} from '../thread/build.ts';
import type { Expr, LValue, Var } from '../thread/nodes.ts';
import { isElementwise } from './analysis.ts';
import { isHalf, regTypeOf, type Context } from './context.ts';
import { lowerDot } from './dots.ts';
import { lowerMaskedTile } from './everywhere.ts';
import { predicate } from './emitter.ts';
import {
  applyElementwise,
  constantOf,
  elementIndex,
  indexAt,
  fallbackName,
  nameOf,
  operandAt,
  operandsInOrder,
} from './evaluate.ts';
import { regCount, type Layout } from './layout.ts';
import { registerAt, type Point } from './point.ts';
import { lowerReduce } from './reduce.ts';
import type { RegTile } from './values.ts';

/** A tile's registers, computing them now (in the scope of the region that defines the value) if nothing has yet. */
export function regTile(ctx: Context, v: Value): RegTile {
  const { op, region } = ctx.analysis.definition(v);
  const scope = ctx.emitter.instance(region);
  const known = scope.values.get(v.id);
  if (known?.form === 'reg') return known;
  if (!op) throw new Error(`tile ${v.name ?? v.id} has no registers here`);
  return ctx.emitter.at(scope, () => {
    const saved = ctx.emitter.span;
    ctx.emitter.span = op.span;
    const tile = materialise(ctx, v, op);
    ctx.emitter.span = saved;
    scope.values.set(v.id, tile);
    return tile;
  });
}

export function newTile(ctx: Context, v: Value, name: string, layout: Layout = ctx.layoutOf(v)): RegTile {
  return { form: 'reg', layout, var: ctx.emitter.array(name, regTypeOf(v.type.element), regCount(layout)) };
}

function materialise(ctx: Context, v: Value, op: Op): RegTile {
  if (op.op === 'dot') return lowerDot(ctx, op);
  if (op.op === 'reduce') return lowerReduce(ctx, op);
  if (op.op === 'load' && ctx.analysis.anchored.has(v.id)) return loadTile(ctx, op);
  if (op.op === 'reshape' && ctx.analysis.anchored.has(op.a.id)) return reshapeTile(ctx, op.a, v);
  if (!isElementwise(op) && op.op !== 'const' && op.op !== 'iota' && op.op !== 'load')
    fail('PAT0303', `${op.op} cannot be held in registers`, { span: op.span });
  const masked = op.op === 'select' ? lowerMaskedTile(ctx, op) : undefined;
  if (masked) return masked;
  const tile = newTile(ctx, v, nameOf(v, fallbackName(op)));
  ctx.forEachPoint(tile.layout, (p) => {
    const isView = op.op === 'broadcast' || op.op === 'transpose' || op.op === 'reshape';
    const value =
      isElementwise(op) && !isView && ctx.analysis.anchored.has(v.id)
        ? applyElementwise(
            op,
            operandsInOrder(op).map((x) => operandAt(ctx, x, p)),
          )
        : operandAt(ctx, v, p);
    ctx.emitter.assign(tile.var, value, registerAt(tile.layout, p)!);
  });
  return tile;
}

/** Copies an operand into fresh registers of a given layout (loop carries, accumulators). */
export function copyTile(ctx: Context, v: Value, layout: Layout, name: string): RegTile {
  const tile: RegTile = {
    form: 'reg',
    layout,
    var: ctx.emitter.array(name, regTypeOf(v.type.element), regCount(layout)),
  };
  ctx.forEachPoint(layout, (p) => ctx.emitter.assign(tile.var, operandAt(ctx, v, p), registerAt(layout, p)!));
  return tile;
}

/** How many elements along the last axis one thread may move at once: bounded by layout, alignment and mask. */
export function vectorWidth(
  ctx: Context,
  op: { tensor: LoadOp['tensor']; indices: readonly Value[]; mask?: Value },
  layout: Layout,
  rank: number,
): { width: number; digit: number } {
  const axis = rank - 1;
  const digit = layout.regs.findIndex((d) => d.dim === axis && d.stride === 1);
  if (digit < 0 || axis < 0) return { width: 1, digit: -1 };
  const bytes = elementBytes(op.tensor.element);
  const { size } = layout.regs[digit]!;
  let width = Math.min(size & -size, 16 / bytes);
  const start = Math.max(1, ...layout.threads.filter((d) => d.dim === axis).map((d) => d.stride & -d.stride));
  if (layout.threads.some((d) => d.dim === axis)) width = Math.min(width, start);
  while (width > 1 && !movesTogether(ctx, op, axis, width)) width /= 2;
  return { width, digit };
}

/** Whether aligned runs of `run` elements along `axis` are aligned, contiguous and masked alike in memory. */
export function movesTogether(
  ctx: Context,
  op: { tensor: LoadOp['tensor']; indices: readonly Value[]; mask?: Value },
  axis: number,
  run: number,
): boolean {
  const facts = ctx.divisibility;
  const last = op.indices.length - 1;
  for (let d = 0; d <= last; d++) {
    const index = op.indices[d]!;
    const stride = ctx.strideDivisor(op.tensor, d);
    const along = facts.along(index, axis);
    const s = ctx.stride(op.tensor, d);
    if (along.kind === 'other') return false;
    if (along.kind === 'unit') {
      if (s.e !== 'const' || s.value !== 1 || along.base % run !== 0) return false;
    } else if ((stride * Math.max(1, facts.divisor(index))) % run !== 0 && facts.divisor(index) !== 0)
      return false;
  }
  if (!op.indices.some((x) => facts.along(x, axis).kind === 'unit')) return false;
  return !op.mask || facts.uniform(op.mask, axis, run);
}

function loadTile(ctx: Context, op: LoadOp): RegTile {
  const layout = ctx.layoutOf(op.result);
  const tile = newTile(ctx, op.result, nameOf(op.result, op.tensor.name), layout);
  const { width, digit } = vectorWidth(ctx, op, layout, op.result.type.shape.length);
  const type = op.tensor.element;
  const words = (width * elementBytes(type)) / 4;
  if (width > 1 && words >= 1 && !op.other) {
    const groups = layout.regs[digit]!.size / width;
    ctx.forEachPoint(
      layout,
      (base) => {
        for (let g = 0; g < groups; g++)
          loadVector(ctx, op, tile, ctx.movePoint(base, digit, g * width), digit, width);
      },
      [digit],
    );
    return tile;
  }
  ctx.forEachPoint(layout, (p) => {
    const value = loadGlobal(
      ctx.buffer(op.tensor),
      elementIndex(ctx, op, (v) => anyIndexAt(ctx, v, p)),
    );
    const other = op.other ? operandAtIndex(ctx, op.other, p) : constantOf(type, 0);
    const masked = op.mask ? guard(operandAtIndex(ctx, op.mask, p), value, other) : value;
    ctx.emitter.assign(tile.var, masked, registerAt(layout, p)!);
  });
  return tile;
}

function loadVector(ctx: Context, op: LoadOp, tile: RegTile, p: Point, digit: number, width: number): void {
  const type = op.tensor.element;
  const at = (i: number): Expr => registerAt(tile.layout, ctx.movePoint(p, digit, digitValue(p, digit) + i))!;
  const index = elementIndex(ctx, op, (v) => anyIndexAt(ctx, v, p));
  const pred = op.mask ? { pred: operandAtIndex(ctx, op.mask, p) } : {};
  const buffer = ctx.buffer(op.tensor);
  const words = (width * elementBytes(type)) / 4;
  if (!isHalf(type)) {
    const dst: LValue[] = Array.from({ length: words }, (_, i) => lvalue(tile.var, at(i)));
    ctx.emitter.emit({ s: 'loadGlobalWords', span: ctx.emitter.span, dst, buffer, index, ...pred });
    return;
  }
  const raw = Array.from({ length: words }, () => ctx.emitter.scalar('packed', 'u32'));
  ctx.emitter.emit({
    s: 'loadGlobalWords',
    span: ctx.emitter.span,
    dst: raw.map((v) => lvalue(v)),
    buffer,
    index,
    ...pred,
  });
  raw.forEach((w, i) => {
    ctx.emitter.assign(tile.var, unpack(type, varRef(w), 0), at(2 * i));
    ctx.emitter.assign(tile.var, unpack(type, varRef(w), 1), at(2 * i + 1));
  });
}

const digitValue = (p: Point, digit: number): number => {
  const at = p.digits[digit]!.at;
  return at.e === 'const' ? Number(at.value) : 0;
};

/** Indices and masks of a load or store at a point: lazy ones by coordinates, others from registers. */
export function operandAtIndex(ctx: Context, v: Value, p: Point): Expr {
  return ctx.analysis.anchored.has(v.id) ? operandAt(ctx, v, collapseTo(p, v)) : indexAt(ctx, v, p.coords);
}
export const anyIndexAt = operandAtIndex;

const collapseTo = (p: Point, v: Value): Point => ({
  ...p,
  shape: v.type.shape,
  coords: p.coords.map((c, d) => (v.type.shape[d] === 1 ? constI(0) : c)),
  digits: p.digits.filter((d) => v.type.shape[d.dim!] !== 1),
  threads: p.threads.map((d) => (d.dim !== null && v.type.shape[d.dim] === 1 ? { ...d, dim: null } : d)),
});

/** True for exactly one of the threads that hold copies of the same elements. */
export function ownerPredicate(ctx: Context, layout: Layout): Expr {
  let weight = 1;
  let mine: Expr = constB(true);
  for (const d of layout.threads) {
    if (d.dim === null) mine = andOf(mine, eq(ctx.threadDigit(weight, d.size), 0));
    weight *= d.size;
  }
  return mine;
}

export const andOf = (a: Expr, b: Expr): Expr => {
  if (a.e === 'const') return a.value === true ? b : a;
  if (b.e === 'const') return b.value === true ? a : b;
  return and(a, b);
};

const toWord = (e: Expr): Expr => (e.type === 'bool' ? select(e, constI(1), constI(0)) : e);

function throughShared(ctx: Context, v: Value, from: RegTile, to: RegTile): void {
  const buffer = ctx.addShared(
    `${nameOf(v, 'tile')}_exchange`,
    'f32',
    sizeOf(v.type) * 4,
    `${sizeOf(v.type)} x 4 B, layout exchange`,
    ctx.emitter.span,
  );
  const offset = (l: Layout, p: Point): Expr => {
    let linear: Expr = constI(0);
    l.shape.forEach((extent, d) => (linear = add(mul(linear, extent), p.coords[d]!)));
    return mul(linear, 4);
  };
  const owner = ownerPredicate(ctx, from.layout);
  ctx.forEachPoint(from.layout, (p) =>
    ctx.emitter.emit({
      s: 'storeShared',
      span: ctx.emitter.span,
      buffer,
      offset: offset(from.layout, p),
      values: [toWord(element(from.var, registerAt(from.layout, p)!))],
      ...predicate(owner),
    }),
  );
  ctx.forEachPoint(to.layout, (p) => {
    const index = registerAt(to.layout, p)!;
    if (to.var.type !== 'bool') {
      const dst = [lvalue(to.var, index)];
      ctx.emitter.emit({
        s: 'loadShared',
        span: ctx.emitter.span,
        dst,
        buffer,
        offset: offset(to.layout, p),
      });
      return;
    }
    const w: Var = ctx.emitter.scalar('word', 'i32');
    ctx.emitter.emit({
      s: 'loadShared',
      span: ctx.emitter.span,
      dst: [lvalue(w)],
      buffer,
      offset: offset(to.layout, p),
    });
    ctx.emitter.assign(to.var, ne(bitcast('i32', varRef(w)), 0), index);
  });
}

/** The same tile in another layout, exchanged through shared memory once per region instance. */
export function convertTile(ctx: Context, v: Value, layout: Layout): RegTile {
  const { region } = ctx.analysis.definition(v);
  const scope = ctx.emitter.instance(region);
  const key = `${v.id}:${scope.id}:${JSON.stringify(layout)}`;
  const known = ctx.converted.get(key);
  if (known) return known;
  const from = regTile(ctx, v);
  return ctx.emitter.at(scope, () => {
    const to = newTile(ctx, v, nameOf(v, 'tile'), layout);
    throughShared(ctx, v, from, to);
    ctx.converted.set(key, to);
    return to;
  });
}

function reshapeTile(ctx: Context, a: Value, result: Value): RegTile {
  const from = regTile(ctx, a);
  const to = newTile(ctx, result, nameOf(result, 'reshaped'));
  throughShared(ctx, a, from, to);
  return to;
}
