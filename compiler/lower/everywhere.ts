/**
 * When a mask holds for every element of a tile, as one scalar condition. Masks are mostly ranges: `first + iota < end` holds
 * everywhere if it holds for the largest element, and on all but the last step of a loop it does. The condition is
 * sufficient, not necessary: extremes of a sum are the sums of extremes. Indices are taken not to wrap around.
 */
import { isScalar, operandsOf, type Op, type SelectOp, type Value } from '../ir/nodes.ts';
import {
  add,
  and,
  compare,
  constB,
  constI,
  div,
  element,
  max,
  min,
  mul,
  not,
  or,
  select,
  sub,
} from '../thread/build.ts';
import type { Expr } from '../thread/nodes.ts';
import { isView } from './analysis.ts';
import type { Context } from './context.ts';
import { constantOf, nameOf, operandAt, scalar } from './evaluate.ts';
import { nonUnit } from './divisibility.ts';
import { regCount } from './layout.ts';
import { registerAt, type Point } from './point.ts';
import { newTile } from './registers.ts';
import type { RegTile } from './values.ts';

type End = 'least' | 'most';
const other = (end: End): End => (end === 'least' ? 'most' : 'least');

/** The definition of a value that is evaluated where it is needed. */
const lazyOp = (ctx: Context, v: Value): Op | undefined =>
  ctx.analysis.anchored.has(v.id) ? undefined : ctx.analysis.definition(v).op;

/** Places that are looked at, of iotas that a condition has narrowed: the least and the most. */
type Places = ReadonlyMap<Value, Readonly<Record<End, number>>>;

/** A bound on the elements of an i32 tile. */
function extreme(ctx: Context, v: Value, end: End, places: Places): Expr | undefined {
  if (v.type.element !== 'i32') return undefined;
  if (isScalar(v.type)) return scalar(ctx, v);
  const op = lazyOp(ctx, v);
  if (op?.op === 'const') return constantOf('i32', op.value);
  if (op?.op === 'iota') return constI(placesOf(v, places)[end]);
  if (op?.op === 'broadcast' || op?.op === 'reshape' || op?.op === 'transpose')
    return extreme(ctx, op.a, end, places);
  if (op?.op === 'select') {
    const [a, b] = ends(ctx, op, places, (x, at) => extreme(ctx, x, end, at));
    return a && b && (end === 'least' ? min(a, b) : max(a, b));
  }
  if (op?.op !== 'binary') return undefined;
  const a = extreme(ctx, op.a, end, places);
  const b = extreme(ctx, op.b, op.fn === 'sub' ? other(end) : end, places);
  if (!a || !b) return undefined;
  const factor = b.e === 'const' ? Number(b.value) : 0;
  switch (op.fn) {
    case 'add':
      return add(a, b);
    case 'sub':
      return sub(a, b);
    case 'min':
      return min(a, b);
    case 'max':
      return max(a, b);
    case 'mul':
      return factor > 0 ? mul(a, b) : undefined;
    case 'div':
      return factor > 0 ? div(a, b) : undefined;
    default:
      return undefined;
  }
}

const placesOf = (iota: Value, places: Places): Readonly<Record<End, number>> =>
  places.get(iota) ?? { least: 0, most: iota.type.shape[0]! - 1 };

/** Something of both values of a select, each in the places where it is taken. */
function ends<T>(ctx: Context, op: SelectOp, places: Places, of: (v: Value, places: Places) => T): [T, T] {
  const found = split(ctx, op.cond);
  if (!found) return [of(op.a, places), of(op.b, places)];
  const { iota, at } = found;
  // The same iota along another axis is another index.
  const axes = new Set([op.cond, op.a, op.b].flatMap((v) => axesOf(ctx, v, iota)));
  if (axes.size !== 1) return [of(op.a, places), of(op.b, places)];
  const { least, most } = placesOf(iota, places);
  const below = new Map(places).set(iota, { least, most: Math.min(most, at - 1) });
  const above = new Map(places).set(iota, { least: Math.max(least, at), most });
  return [of(op.a, below), of(op.b, above)];
}

/** Along which axes of a tile an iota runs; more than one where it cannot be told. */
function axesOf(ctx: Context, v: Value, iota: Value): number[] {
  if (v === iota) return [0];
  const op = isScalar(v.type) ? undefined : lazyOp(ctx, v);
  if (!op) return [];
  if (!isView(op)) return operandsOf(op).flatMap((x) => axesOf(ctx, x, iota));
  const inner = axesOf(ctx, op.a, iota);
  if (op.op === 'transpose') return inner.map((axis) => op.permutation.indexOf(axis));
  if (op.op === 'broadcast') return inner;
  const [from, to] = [nonUnit(op.a.type.shape), nonUnit(v.type.shape)];
  return from.length === to.length ? inner.map((axis) => to[from.indexOf(axis)]!) : [...v.type.shape.keys()];
}

/** `iota < at`, in whatever shape. */
function split(ctx: Context, cond: Value): { iota: Value; at: number } | undefined {
  const op = lazyOp(ctx, cond);
  if (isView(op)) return split(ctx, op.a);
  if (op?.op !== 'compare' || op.fn !== 'lt') return undefined;
  const [iota, end] = [beneath(ctx, op.a), beneath(ctx, op.b)].map((v) => ({ v, op: lazyOp(ctx, v) }));
  if (iota!.op?.op !== 'iota' || end!.op?.op !== 'const') return undefined;
  return { iota: iota!.v, at: Number(end!.op.value) };
}

/** A value without its views. */
function beneath(ctx: Context, v: Value): Value {
  const op = lazyOp(ctx, v);
  return isView(op) ? beneath(ctx, op.a) : v;
}

/** A scalar condition under which the mask holds everywhere. */
function everywhere(ctx: Context, mask: Value, places: Places = new Map()): Expr | undefined {
  if (isScalar(mask.type)) return scalar(ctx, mask);
  const op = lazyOp(ctx, mask);
  if (!op) return undefined;
  if (op.op === 'const') return constB(Boolean(op.value));
  if (isView(op)) return everywhere(ctx, op.a, places);
  if (op.op === 'binary' && (op.fn === 'and' || op.fn === 'or')) {
    const [a, b] = [everywhere(ctx, op.a, places), everywhere(ctx, op.b, places)];
    return a && b ? (op.fn === 'and' ? and(a, b) : or(a, b)) : undefined;
  }
  if (op.op === 'select') {
    const [a, b] = ends(ctx, op, places, (x, at) => everywhere(ctx, x, at));
    return a && b && and(a, b);
  }
  if (op.op !== 'compare' || op.fn === 'eq' || op.fn === 'ne') return undefined;
  const worst: End = op.fn === 'lt' || op.fn === 'le' ? 'most' : 'least';
  const [a, b] = [extreme(ctx, op.a, worst, places), extreme(ctx, op.b, other(worst), places)];
  return a && b ? compare(op.fn, a, b) : undefined;
}

/** A branch is worth it from this many registers. */
const fewestRegisters = 8;

const isConstant = (ctx: Context, v: Value): boolean => {
  const op = lazyOp(ctx, v);
  return op?.op === 'const' || (op?.op === 'broadcast' && isConstant(ctx, op.a));
};

/** `mask ? data : constant` with the selects under one branch, taken where some element is masked; or undefined. */
export function lowerMaskedTile(ctx: Context, op: SelectOp): RegTile | undefined {
  const { result } = op;
  if (!ctx.analysis.anchored.has(op.a.id) || ctx.analysis.anchored.has(op.cond.id)) return undefined;
  if (!isConstant(ctx, op.b) || regCount(ctx.layoutOf(result)) < fewestRegisters) return undefined;
  const all = everywhere(ctx, op.cond);
  if (!all || all.e === 'const') return undefined;
  const tile = newTile(ctx, result, nameOf(result, 'masked'));
  const each = (value: (p: Point, held: Expr) => Expr): void =>
    ctx.forEachPoint(tile.layout, (p) => {
      const index = registerAt(tile.layout, p)!;
      ctx.emitter.assign(tile.var, value(p, element(tile.var, index)), index);
    });
  each((p) => operandAt(ctx, op.a, p));
  const { stmts } = ctx.emitter.open({}, () =>
    each((p, held) => select(operandAt(ctx, op.cond, p), held, operandAt(ctx, op.b, p))),
  );
  ctx.emitter.emit({
    s: 'if',
    span: ctx.emitter.span,
    cond: not(all),
    uniform: 'block',
    rare: true,
    then: stmts,
    else: [],
  });
  return tile;
}
