/** Values as expressions: scalars, lazy tiles at coordinates, and any operand at a point of a layout. */
import { fail } from '../diagnostics/error.ts';
import { isScalar, type CastOp, type Element, type LoadOp, type Op, type Value } from '../ir/nodes.ts';
import {
  add,
  binaryOf,
  blockId,
  compare,
  constB,
  constF,
  constI,
  constU,
  convert,
  div,
  element,
  guard,
  loadGlobal,
  mul,
  ne,
  param,
  rem,
  round,
  select,
  unary,
} from '../thread/build.ts';
import type { Expr } from '../thread/nodes.ts';
import { isElementwise } from './analysis.ts';
import { isHalf, regTypeOf, type Context } from './context.ts';
import { exprKey, type Scope } from './emitter.ts';
import { unitReshape } from './layout.ts';
import {
  collapsePoint,
  layoutOfPoint,
  permutePoint,
  registerAt,
  renumberPoint,
  type Point,
} from './point.ts';
import { convertTile, regTile } from './registers.ts';

export function constantOf(type: Element, value: number | boolean): Expr {
  switch (type) {
    case 'bool':
      return constB(Boolean(value));
    case 'i32':
      return constI(Number(value));
    case 'u32':
      return constU(Number(value));
    case 'f32':
      return constF(Number(value));
    default:
      return round(type, constF(Number(value)));
  }
}

const rounded = (type: Element, e: Expr): Expr => (isHalf(type) ? round(type, e) : e);

export function castExpr(op: CastOp, a: Expr): Expr {
  const to = op.result.type.element;
  if (to === 'bool') return a.type === 'bool' ? a : ne(a, constantOf(op.a.type.element, 0));
  return rounded(to, convert(regTypeOf(to), a));
}

/** Applies an elementwise op to operand expressions; views pass their operand through. */
export function applyElementwise(op: Op, args: readonly Expr[]): Expr {
  const [a, b, c] = args as [Expr, Expr, Expr];
  switch (op.op) {
    case 'unary':
      return rounded(op.result.type.element, unary(op.fn, a));
    case 'binary':
      return rounded(op.result.type.element, binaryOf(op.fn, a, b));
    case 'compare':
      return compare(op.fn, a, b);
    case 'select':
      return select(a, b, c);
    case 'cast':
      return castExpr(op, a);
    default:
      return a;
  }
}

const isLeaf = (e: Expr): boolean =>
  e.e === 'const' || e.e === 'var' || e.e === 'param' || e.e === 'threadId' || e.e === 'blockId';

export const nameOf = (v: Value, other: string): string => v.name ?? other;

const operatorNames: Readonly<Record<string, string>> = {
  add: 'sum',
  sub: 'difference',
  mul: 'product',
  div: 'quotient',
  rem: 'remainder',
};

/** What to call a value that the author gave no name: what it was read from, or what the operator makes. */
export const fallbackName = (op: Op): string =>
  op.op === 'load' ? `${op.tensor.name}_at` : 'fn' in op ? (operatorNames[op.fn] ?? op.fn) : op.op;

/** A scalar value, computed once in the scope that its region is open in. */
export function scalar(ctx: Context, v: Value): Expr {
  const { op, region } = ctx.analysis.definition(v);
  const scope = ctx.emitter.instance(region);
  const known = scope.values.get(v.id);
  if (known?.form === 'scalar') return known.expr;
  if (!op) {
    const p = ctx.kernel.params.find((x) => x.kind === 'scalar' && x.value === v);
    if (!p) throw new Error(`scalar ${v.name ?? v.id} has no value here`);
    return param(p.name, regTypeOf(v.type.element));
  }
  return ctx.emitter.at(scope, () => {
    const saved = ctx.emitter.span;
    ctx.emitter.span = op.span;
    let e = scalarOp(ctx, op);
    const uses = ctx.analysis.usesOf(v).length;
    if (!isLeaf(e) && (uses > 1 || op.op === 'load' || hasLoad(e)))
      e = ctx.emitter.once(nameOf(v, fallbackName(op)), `s${v.id}:${scope.id}`, e, scope);
    ctx.emitter.span = saved;
    scope.values.set(v.id, { form: 'scalar', expr: e });
    return e;
  });
}

const hasLoad = (e: Expr): boolean =>
  e.e === 'loadGlobal' || (e.e === 'guard' && (hasLoad(e.value) || hasLoad(e.cond)));

function scalarOp(ctx: Context, op: Op): Expr {
  switch (op.op) {
    case 'const':
      return constantOf(op.result.type.element, op.value);
    case 'programId':
      return blockId(op.axis);
    case 'unary':
    case 'cast':
      return applyElementwise(op, [scalar(ctx, op.a)]);
    case 'binary':
    case 'compare':
      return applyElementwise(op, [scalar(ctx, op.a), scalar(ctx, op.b)]);
    case 'select':
      return applyElementwise(op, [scalar(ctx, op.cond), scalar(ctx, op.a), scalar(ctx, op.b)]);
    case 'load':
      return loadAt(ctx, op, []);
    case 'reshape':
    case 'reduce': {
      // A tile of one element, or a reduction to a scalar: every thread holds it.
      const tile = op.op === 'reduce' ? regTile(ctx, op.result) : regTile(ctx, op.a);
      return element(tile.var, 0);
    }
    default:
      return fail('PAT0303', `${op.op} cannot give a scalar`, { span: op.span });
  }
}

/** Element index of a gather at coordinates of its result. */
export function elementIndex(
  ctx: Context,
  op: { tensor: LoadOp['tensor']; indices: readonly Value[] },
  at: (v: Value) => Expr,
): Expr {
  let index: Expr = constI(0);
  op.indices.forEach((v, d) => {
    index = add(index, mul(at(v), ctx.stride(op.tensor, d)));
  });
  return index;
}

const collapse = (v: Value, coords: readonly Expr[]): Expr[] =>
  coords.map((c, d) => (v.type.shape[d] === 1 ? constI(0) : c));

/** The index of a load operand may have extents 1 where the result has more. */
export const indexAt = (ctx: Context, v: Value, coords: readonly Expr[]): Expr =>
  isScalar(v.type) ? scalar(ctx, v) : lazyAt(ctx, v, collapse(v, coords));

function loadAt(ctx: Context, op: LoadOp, coords: readonly Expr[]): Expr {
  const value = loadGlobal(
    ctx.buffer(op.tensor),
    elementIndex(ctx, op, (v) => indexAt(ctx, v, coords)),
  );
  if (!op.mask) return value;
  const other = op.other ? indexAt(ctx, op.other, coords) : constantOf(op.result.type.element, 0);
  return guard(indexAt(ctx, op.mask, coords), value, other);
}

/** The cache key of a lazy tile's element in the open instance of its region. */
export function lazyKey(ctx: Context, v: Value, coords: readonly Expr[]): string {
  const scope = ctx.emitter.instance(ctx.analysis.definition(v).region);
  return `${v.id}:${scope.id}@${coords.map(exprKey).join()}`;
}

/** A lazy tile's element at coordinates. */
export function lazyAt(ctx: Context, v: Value, coords: readonly Expr[]): Expr {
  if (isScalar(v.type)) return scalar(ctx, v);
  const { op, region } = ctx.analysis.definition(v);
  if (!op || ctx.analysis.anchored.has(v.id)) return spilled(ctx, v);
  const scope = ctx.emitter.instance(region);
  const key = (): string => lazyKey(ctx, v, coords);
  switch (op.op) {
    case 'const':
      return constantOf(v.type.element, op.value);
    case 'iota':
      return coords[0]!;
    case 'broadcast':
      return isScalar(op.a.type) ? scalar(ctx, op.a) : lazyAt(ctx, op.a, collapse(op.a, coords));
    case 'transpose': {
      const inner: Expr[] = [];
      op.permutation.forEach((p, i) => (inner[p] = coords[i]!));
      return lazyAt(ctx, op.a, inner);
    }
    case 'reshape':
      return lazyAt(ctx, op.a, reshapeCoords(op.a.type.shape, v.type.shape, coords));
    case 'load': {
      const known = ctx.emitter.cached(key());
      return known ?? ctx.emitter.once(nameOf(v, op.tensor.name), key(), loadAt(ctx, op, coords), scope);
    }
    case 'unary':
    case 'cast':
    case 'binary':
    case 'compare':
    case 'select': {
      const args = op.op === 'select' ? [op.cond, op.a, op.b] : 'b' in op ? [op.a, op.b] : [op.a];
      const e = applyElementwise(
        op,
        args.map((x) => lazyAt(ctx, x, coords)),
      );
      const costly =
        ctx.analysis.usesOf(v).length > 1 || (op.op === 'binary' && (op.fn === 'div' || op.fn === 'rem'));
      return isLeaf(e) || !costly ? e : ctx.emitter.once(nameOf(v, fallbackName(op)), key(), e, scope);
    }
    default:
      return fail('PAT0303', `${op.op} cannot be evaluated at single coordinates`, { span: op.span });
  }
}

const spilled = (ctx: Context, v: Value): never =>
  fail('PAT0303', `index or mask ${v.name ?? ''} depends on data in registers`, {
    span: ctx.analysis.definition(v).op?.span,
    help: 'load the table that the index comes from where it is used, or store it to memory first',
  });

function reshapeCoords(from: readonly number[], to: readonly number[], coords: readonly Expr[]): Expr[] {
  const dims = unitReshape(from, to);
  if (dims) return from.map((x, i) => (x === 1 ? constI(0) : coords[dims.get(i)!]!));
  let linear: Expr = constI(0);
  to.forEach((extent, i) => (linear = add(mul(linear, extent), coords[i]!)));
  const out: Expr[] = [];
  for (let i = from.length - 1; i >= 0; i--) {
    out[i] = i === 0 ? linear : rem(linear, from[i]!);
    linear = div(linear, from[i]!);
  }
  return out;
}

/** Any operand at a point: a scalar, a lazy tile's element, or a register of its layout (converted if it must be). */
export function operandAt(ctx: Context, v: Value, p: Point): Expr {
  if (isScalar(v.type)) return scalar(ctx, v);
  if (!ctx.analysis.anchored.has(v.id)) return lazyAt(ctx, v, p.coords);
  const { op } = ctx.analysis.definition(v);
  if (op?.op === 'broadcast') return operandAt(ctx, op.a, collapsePoint(p, op.a.type.shape));
  if (op?.op === 'transpose') return operandAt(ctx, op.a, permutePoint(p, op.a.type.shape, op.permutation));
  if (op?.op === 'reshape') {
    const dims = unitReshape(v.type.shape, op.a.type.shape);
    if (dims) return operandAt(ctx, op.a, renumberPoint(p, op.a.type.shape, dims));
  }
  if (op && inlines(ctx, v, op))
    return applyElementwise(
      op,
      operandsInOrder(op).map((x) => operandAt(ctx, x, p)),
    );
  let tile = regTile(ctx, v);
  let index = registerAt(tile.layout, p);
  if (!index) {
    tile = convertTile(ctx, v, layoutOfPoint(p));
    index = registerAt(tile.layout, p)!;
  }
  return element(tile.var, index);
}

export const operandsInOrder = (op: Op): readonly Value[] =>
  op.op === 'select' ? [op.cond, op.a, op.b] : 'b' in op ? [op.a, op.b] : 'a' in op ? [op.a] : [];

/** A cheap op with a single elementwise, reduce or store use in the same region needs no registers of its own. */
function inlines(ctx: Context, v: Value, op: Op): boolean {
  if (!isElementwise(op) || op.op === 'reshape') return false;
  const uses = ctx.analysis.usesOf(v);
  if (uses.length !== 1 || alreadyLowered(ctx, v)) return false;
  const user = uses[0]!.op;
  if (ctx.analysis.regionOf.get(user) !== ctx.analysis.definition(v).region) return false;
  const { role } = uses[0]!;
  if (user.op === 'dot') return role === 'data' || (role === 'dotA' && ctx.readsRegisters(user));
  return (isElementwise(user) || user.op === 'reduce' || user.op === 'store') && role !== 'index';
}

const alreadyLowered = (ctx: Context, v: Value): boolean => {
  const scope: Scope | undefined = ctx.emitter.scopes.find((s) => s.values.has(v.id));
  return scope !== undefined;
};
