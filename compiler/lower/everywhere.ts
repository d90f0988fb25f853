/**
 * When a mask holds for every element of a tile, as one scalar condition. Masks are mostly ranges: `first + iota < end` holds
 * everywhere if it holds for the largest element, and on all but the last step of a loop it does. The condition is
 * sufficient, not necessary: extremes of a sum are the sums of extremes. Indices are taken not to wrap around.
 */
import { isScalar, type Op, type SelectOp, type Value } from '../ir/nodes.ts';
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
import { regCount } from './layout.ts';
import { registerAt, type Point } from './point.ts';
import { newTile } from './registers.ts';
import type { RegTile } from './values.ts';

type End = 'least' | 'most';
const other = (end: End): End => (end === 'least' ? 'most' : 'least');

/** The definition of a value that is evaluated where it is needed. */
const lazyOp = (ctx: Context, v: Value): Op | undefined =>
  ctx.analysis.anchored.has(v.id) ? undefined : ctx.analysis.definition(v).op;

/** A bound on all elements of an i32 tile. */
function extreme(ctx: Context, v: Value, end: End): Expr | undefined {
  if (v.type.element !== 'i32') return undefined;
  if (isScalar(v.type)) return scalar(ctx, v);
  const op = lazyOp(ctx, v);
  if (op?.op === 'const') return constantOf('i32', op.value);
  if (op?.op === 'iota') return constI(end === 'least' ? 0 : v.type.shape[0]! - 1);
  if (op?.op === 'broadcast' || op?.op === 'reshape' || op?.op === 'transpose')
    return extreme(ctx, op.a, end);
  if (op?.op !== 'binary') return undefined;
  const a = extreme(ctx, op.a, end);
  const b = extreme(ctx, op.b, op.fn === 'sub' ? other(end) : end);
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

/** A scalar condition under which the mask holds everywhere. */
function everywhere(ctx: Context, mask: Value): Expr | undefined {
  if (isScalar(mask.type)) return scalar(ctx, mask);
  const op = lazyOp(ctx, mask);
  if (!op) return undefined;
  if (op.op === 'const') return constB(Boolean(op.value));
  if (isView(op)) return everywhere(ctx, (op as Extract<Op, { op: 'broadcast' }>).a);
  if (op.op === 'binary' && (op.fn === 'and' || op.fn === 'or')) {
    const [a, b] = [everywhere(ctx, op.a), everywhere(ctx, op.b)];
    return a && b ? (op.fn === 'and' ? and(a, b) : or(a, b)) : undefined;
  }
  if (op.op !== 'compare' || op.fn === 'eq' || op.fn === 'ne') return undefined;
  const worst: End = op.fn === 'lt' || op.fn === 'le' ? 'most' : 'least';
  const [a, b] = [extreme(ctx, op.a, worst), extreme(ctx, op.b, other(worst))];
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
    then: stmts,
    else: [],
  });
  return tile;
}
