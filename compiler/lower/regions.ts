/** Structured control flow: carried tiles are registers that the body's results are copied into. */
import {
  isScalar,
  type ForOp,
  type IfOp,
  type RaggedOp,
  type Region,
  type RowsOp,
  type Value,
} from '../ir/nodes.ts';
import {
  add,
  and,
  constB,
  constI,
  element,
  ge,
  gt,
  lt,
  mul,
  select,
  varRef,
  walkStmts,
} from '../thread/build.ts';
import type { Expr, Stmt, Var } from '../thread/nodes.ts';
import { regTypeOf, type Context } from './context.ts';
import { underWarpCondition, type Scope } from './emitter.ts';
import { nameOf, operandAt, scalar } from './evaluate.ts';
import { makeIterator } from './iterate.ts';
import type { Layout } from './layout.ts';

import { pipelinedLoop, stagesFor } from './pipeline.ts';
import { registerAt, type Point } from './point.ts';
import { andOf, copyTile, newTile, regTile } from './registers.ts';
import { anyRow, rowMaskAt } from './row-mask.ts';
import { lowerAtomic, lowerStore } from './stores.ts';
import type { RegTile } from './values.ts';

/** Emits a region's effects in order; pure ops follow on demand. */
export function lowerOps(ctx: Context, region: Region): void {
  for (const op of region.ops) {
    ctx.emitter.span = op.span;
    switch (op.op) {
      case 'store':
        lowerStore(ctx, op);
        break;
      case 'atomic':
        lowerAtomic(ctx, op);
        break;
      case 'for':
      case 'ragged':
        lowerLoop(ctx, op);
        break;
      case 'rows':
        lowerRows(ctx, op);
        break;
      case 'if':
        lowerIf(ctx, op);
        break;
      case 'load':
        // Memory that the kernel also writes must be read where the author reads it.
        if (!ctx.analysis.readOnly(op.tensor)) {
          if (isScalar(op.result.type)) scalar(ctx, op.result);
          else regTile(ctx, op.result);
        }
        break;
      default:
        break;
    }
  }
}

export type Carried =
  { readonly kind: 'tile'; readonly tile: RegTile } | { readonly kind: 'scalar'; readonly var: Var };

export function carry(ctx: Context, param: Value, init: Value): Carried {
  const name = nameOf(param, 'carried');
  if (!isScalar(param.type)) return { kind: 'tile', tile: copyTile(ctx, init, ctx.layoutOf(param), name) };
  return { kind: 'scalar', var: ctx.emitter.scalar(name, regTypeOf(param.type.element), scalar(ctx, init)) };
}

export function bindCarried(scope: Scope, value: Value, c: Carried): void {
  if (c.kind === 'tile') scope.values.set(value.id, c.tile);
  else {
    scope.values.set(value.id, { form: 'scalar', expr: varRef(c.var) });
    scope.vars.add(c.var);
  }
}

/** Computes all yields before any carried register changes, then copies those that changed. */
export function assignYields(
  ctx: Context,
  region: Region,
  carried: readonly Carried[],
  inside?: (p: Point) => Expr,
): void {
  const next: ((() => void) | undefined)[] = [];
  for (const i of issueOrder(ctx, region)) next[i] = evaluated(i);
  for (const f of next) f?.();

  function evaluated(i: number): (() => void) | undefined {
    const y = region.yields[i]!;
    const c = carried[i]!;
    if (c.kind === 'scalar') {
      const value = scalar(ctx, y);
      const held =
        value.e === 'const' ? value : varRef(ctx.emitter.scalar(`next_${c.var.name}`, c.var.type, value));
      return () => ctx.emitter.assign(c.var, held);
    }
    const { op } = ctx.analysis.definition(y);
    const view = op?.op === 'broadcast' || op?.op === 'transpose' || op?.op === 'reshape';
    const own = ctx.analysis.anchored.has(y.id) && !view ? regTile(ctx, y).var : undefined;
    if (own === c.tile.var) return undefined;
    // Registers of a tile that has been given its next value by then are copied as well.
    const changed = carried.slice(0, i).some((d) => d.kind === 'tile' && d.tile.var === own);
    const from = own && !changed ? undefined : copyTile(ctx, y, c.tile.layout, 'next');
    return () =>
      ctx.forEachPoint(c.tile.layout, (p) => {
        const at = registerAt(c.tile.layout, p)!;
        const value = from ? element(from.var, at) : operandAt(ctx, y, p);
        const kept = inside ? select(inside(p), value, element(c.tile.var, at)) : value;
        ctx.emitter.assign(c.tile.var, kept, at);
      });
  }
}

/** Yields by index: products that run by themselves come first, and the others while they do (see late-waits.ts). */
function issueOrder(ctx: Context, region: Region): number[] {
  const ofItself = (i: number): boolean => {
    const { op } = ctx.analysis.definition(region.yields[i]!);
    return op?.op === 'dot' && ctx.plan.block.dots.get(op)?.kind === 'wgmma';
  };
  const all = region.yields.map((_, i) => i);
  return [...all.filter(ofItself), ...all.filter((i) => !ofItself(i))];
}

function lowerLoop(ctx: Context, op: ForOp | RaggedOp): void {
  const params = op.body.params.slice(op.body.params.length - op.inits.length);
  const stages = stagesFor(ctx, op);
  const outer = ctx.emitter.top;
  if (stages.length > 0) pipelinedLoop(ctx, op, params, stages);
  else if (op.op === 'for') {
    const carried = params.map((p, i) => carry(ctx, p, op.inits[i]!));
    const lo = scalar(ctx, op.lo);
    const hi = scalar(ctx, op.hi);
    ctx.emitter.loop(op.body.params[0]!.name ?? 'i', lo, hi, op.step, op.body, (iv) => {
      ctx.emitter.top.values.set(op.body.params[0]!.id, { form: 'scalar', expr: iv });
      params.forEach((p, i) => bindCarried(ctx.emitter.top, p, carried[i]!));
      lowerOps(ctx, op.body);
      assignYields(ctx, op.body, carried);
    });
    op.results.forEach((r, i) => bindCarried(outer, r, carried[i]!));
  } else {
    const carried = params.map((p, i) => carry(ctx, p, op.inits[i]!));
    const it = makeIterator(ctx, op, '');
    const body = ctx.emitter.open({ region: op.body, vars: it.vars }, (s) => {
      it.bind(s);
      params.forEach((p, i) => bindCarried(s, p, carried[i]!));
      lowerOps(ctx, op.body);
      assignYields(ctx, op.body, carried);
      it.advance();
    });
    ctx.emitter.emit({ s: 'while', span: op.span, cond: it.valid, body: body.stmts });
    op.results.forEach((r, i) => bindCarried(outer, r, carried[i]!));
  }
}

function lowerIf(ctx: Context, op: IfOp): void {
  const outer = ctx.emitter.top;
  const cond = scalar(ctx, op.cond);
  const out = op.results.map((r): Carried => {
    if (isScalar(r.type)) {
      const v = ctx.emitter.scalar(nameOf(r, 'result'), regTypeOf(r.type.element));
      return { kind: 'scalar', var: v };
    }
    return { kind: 'tile', tile: newTile(ctx, r, nameOf(r, 'result')) };
  });
  const branch = (region: Region): Stmt[] =>
    ctx.emitter.open({ region }, () => {
      lowerOps(ctx, region);
      assignYields(ctx, region, out);
    }).stmts;
  const then = branch(op.then);
  const other = branch(op.else);
  ctx.emitter.emit({ s: 'if', span: op.span, cond, uniform: 'block', then, else: other });
  op.results.forEach((r, i) => bindCarried(outer, r, out[i]!));
}

const writesShared = (stmts: readonly Stmt[]): boolean => {
  let found = false;
  walkStmts(stmts, (s) => {
    if (s.s === 'storeShared' || s.s === 'storeSharedHalf' || s.s === 'cpAsync') found = true;
  });
  return found;
};

const usesWarpgroup = (stmts: readonly Stmt[]): boolean => {
  let found = false;
  walkStmts(stmts, (s) => void (found ||= s.s === 'wgmma'));
  return found;
};

function lowerRows(ctx: Context, op: RowsOp): void {
  const outer = ctx.emitter.top;
  const out = op.inits.map((init, i): Carried => {
    const name = nameOf(op.body.params[i]!, 'rows');
    // Registers that nothing else reads are updated in place: not from within a loop, which would begin with what it left.
    const single = ctx.analysis.usesOf(init).length === 1 && ctx.analysis.anchored.has(init.id);
    const layout = ctx.layoutOf(op.body.params[i]!);
    const home = ctx.analysis.definition(init);
    if (single && home.op === undefined && home.region === ctx.analysis.regionOf.get(op))
      return { kind: 'tile', tile: regTile(ctx, init) };
    return { kind: 'tile', tile: copyTile(ctx, init, layout, name) };
  });
  const [lo, hi] = [scalar(ctx, op.lo), scalar(ctx, op.hi)];
  const { mask } = op;
  // Before any carried register changes.
  if (mask && ctx.analysis.anchored.has(mask.id)) regTile(ctx, mask);
  const skip = warpRows(ctx, out);
  const body = ctx.emitter.open({ region: op.body, inline: !skip }, (s) => {
    op.body.params.forEach((p, i) => bindCarried(s, p, out[i]!));
    lowerOps(ctx, op.body);
    const inside = (p: Point): Expr => {
      const range = and(ge(p.coords[0]!, lo), lt(p.coords[0]!, hi));
      return mask ? andOf(range, rowMaskAt(ctx, mask, p)) : range;
    };
    assignYields(ctx, op.body, out, op.predicated ? undefined : inside);
  });
  // Of a warpgroup's warps some may have a row that is meant and others none: its instructions need them all.
  const split = mask !== undefined && usesWarpgroup(body.stmts);
  if (skip && !split && !writesShared(body.stmts)) {
    const ends = op.inits[0]!.type.shape[0]!;
    const whole = lo.e === 'const' && Number(lo.value) <= 0 && hi.e === 'const' && Number(hi.value) >= ends;
    const range = whole ? constB(true) : and(lt(lo, add(skip.first, skip.count)), gt(hi, skip.first));
    const cond = mask ? andOf(range, anyRow(ctx, mask, skip.layout)) : range;
    ctx.emitter.emit({
      s: 'if',
      span: op.span,
      cond,
      uniform: 'warp',
      then: underWarpCondition(body.stmts),
      else: [],
    });
  } else if (skip) for (const s of body.stmts) ctx.emitter.emit(s);
  op.results.forEach((r, i) => bindCarried(outer, r, out[i]!));
}

/** Which rows of a tile `together` threads hold: the digits of threads that tell where they start, and how far they reach. */
function rowsHeld(layout: Layout, together: number) {
  const starts: { readonly weight: number; readonly size: number; readonly stride: number }[] = [];
  let weight = 1;
  let reach = 0;
  for (const d of layout.threads) {
    if (d.dim === 0) {
      // Digits of threads that go together reach over rows; those above tell where they start.
      const inner = Math.min(d.size, Math.max(1, together / weight));
      reach += (inner - 1) * d.stride;
      if (inner < d.size)
        starts.push({ weight: weight * inner, size: d.size / inner, stride: d.stride * inner });
    }
    weight *= d.size;
  }
  for (const d of layout.regs) if (d.dim === 0) reach += (d.size - 1) * d.stride;
  return { starts, reach };
}

/**
 * The range of rows that a warp (or a warpgroup, whose instructions its warps issue together) holds of the carried tiles;
 * undefined where it holds other rows of one than of another.
 */
function warpRows(
  ctx: Context,
  out: readonly Carried[],
): { first: Expr; count: number; layout: Layout } | undefined {
  if (ctx.target.warpSize === 1) return undefined;
  const [layout, ...others] = out.flatMap((c) => (c.kind === 'tile' ? [c.tile.layout] : []));
  if (!layout) return undefined;
  const together = ctx.wgmma ? 4 * ctx.target.warpSize : ctx.target.warpSize;
  const held = rowsHeld(layout, together);
  const same = JSON.stringify(held);
  if (others.some((l) => JSON.stringify(rowsHeld(l, together)) !== same)) return undefined;
  const first = held.starts.reduce(
    (sum: Expr, d) => add(sum, mul(ctx.threadDigit(d.weight, d.size), d.stride)),
    constI(0),
  );
  const name =
    first.e === 'const' ? first : ctx.emitter.once('warp_row', 'warp_row', first, ctx.emitter.scopes[0]!);
  return { first: name, count: held.reach + 1, layout };
}
