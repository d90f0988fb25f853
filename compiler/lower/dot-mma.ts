/**
 * Dot by mma.sync.m16n8k16. The left operand comes from the registers of an earlier dot where its layout is that of the
 * accumulator (two n8 tiles of it are one k16 fragment), else from shared memory by ldmatrix; the right operand always
 * from shared memory, transposed by ldmatrix as its storage order asks. Lane layouts: PTX ISA, mma.m16n8k16 and ldmatrix.
 */
import type { DotOp, Value } from '../ir/nodes.ts';
import { add, constI, div, element, lvalue, mul, pack, rem, threadId } from '../thread/build.ts';
import type { Expr, HalfType, LValue, Var } from '../thread/nodes.ts';
import { type Context } from './context.ts';
import { exprKey } from './emitter.ts';
import { operandAt } from './evaluate.ts';
import { mmaLayout, type Layout } from './layout.ts';
import { fragmentBudget } from './plan-dots.ts';
import type { Point } from './point.ts';
import { asShared } from './shared.ts';
import { offsetOf, steppedOffsetOf } from './shared-layout.ts';
import type { RegTile, SharedTile } from './values.ts';

export interface WarpBlock {
  readonly tilesM: number;
  readonly tilesN: number;
  /** First row and column of the warp. */
  readonly row: Expr;
  readonly column: Expr;
}

export function warpBlock(ctx: Context, layout: Layout): WarpBlock {
  let weight = 1;
  let [row, column]: Expr[] = [constI(0), constI(0)];
  for (const d of layout.threads) {
    if (weight >= 32 && d.dim === 0) row = add(row!, mul(ctx.threadDigit(weight, d.size), d.stride));
    if (weight >= 32 && d.dim === 1) column = add(column!, mul(ctx.threadDigit(weight, d.size), d.stride));
    weight *= d.size;
  }
  const tiles = (dim: number, stride: number): number =>
    layout.regs.find((d) => d.dim === dim && d.stride === stride)?.size ?? 1;
  return { tilesM: tiles(0, 16), tilesN: tiles(1, 8), row: row!, column: column! };
}

/** Register of accumulator element (m16 tile i, n8 tile j, row half h, column b). */
const accAt = (w: WarpBlock, i: Expr, j: Expr, h: number, b: number): Expr =>
  add(mul(add(mul(i, w.tilesN), j), 4), h * 2 + b);

const lane = (): Expr => rem(threadId(), 32);

export function lowerMma(ctx: Context, op: DotOp, layout: Layout, makeAcc: () => RegTile): RegTile {
  const [, k] = op.a.type.shape as [number, number];
  const half = op.a.type.element as HalfType;
  const w = warpBlock(ctx, layout);
  const left = leftOperand(ctx, op, w, half);
  const right = asShared(ctx, op.b, true);
  const acc = makeAcc();
  const span = ctx.emitter.span;
  ctx.emitter.unrolled('kk', k / 16, (kk) => {
    const a = left(kk);
    const pairs = Math.floor(w.tilesN / 2);
    const multiply = (j: Expr, b: Var, tiles: number): void => {
      ctx.emitter.unrolled('i', w.tilesM, (i) => {
        for (let t = 0; t < tiles; t++)
          ctx.emitter.emit({
            s: 'mma',
            span,
            element: half,
            acc: [0, 1, 2, 3].map((r) => lvalue(acc.var, accAt(w, i, add(j, t), r >> 1, r & 1))),
            a: a(i),
            b: [element(b, 2 * t), element(b, 2 * t + 1)],
          });
      });
    };
    if (pairs > 0)
      ctx.emitter.unrolled('jj', pairs, (jj) => {
        const j = mul(jj, 2);
        multiply(j, rightFragment(ctx, right, w, kk, j, 4), 2);
      });
    if (w.tilesN % 2 === 1) {
      const j = constI(w.tilesN - 1);
      multiply(j, rightFragment(ctx, right, w, kk, j, 2), 1);
    }
  });
  return acc;
}

/** b0, b1 of n8 tile j (and of j+1 for four matrices). */
function rightFragment(ctx: Context, t: SharedTile, w: WarpBlock, kk: Expr, j: Expr, matrices: 2 | 4): Var {
  const matrix = rem(div(lane(), 8), matrices);
  const inner = rem(lane(), 8);
  const kHalf = mul(rem(matrix, 2), 8);
  const nTile = mul(div(matrix, 2), 8);
  // Stored [n][k]: rows are columns of the operand, no transpose; stored [k][n]: rows run along k and ldmatrix transposes.
  const offset = t.transposed
    ? fragmentOffset(ctx, t, [w.column, mul(j, 8), add(nTile, inner)], [constI(0), mul(kk, 16), kHalf])
    : fragmentOffset(ctx, t, [constI(0), mul(kk, 16), add(kHalf, inner)], [w.column, mul(j, 8), nTile]);
  return loadFragment(ctx, 'b', t, offset, !t.transposed, matrices);
}

/** A coordinate as the warp's first, the step of an unrolled loop, and what the lane adds. */
type Coordinate = readonly [warp: Expr, step: Expr, lane: Expr];

/**
 * Where a lane's row of a fragment lies. Row steps are multiples of 8, a turn of any swizzle; column steps (pairs of
 * 16-byte chunks, or the last one alone) and lanes (0 or 1) share no bits, unless warps lie along the columns too.
 */
function fragmentOffset(ctx: Context, t: SharedTile, r: Coordinate, c: Coordinate): Expr {
  const own = ([warp, , lane]: Coordinate): Expr => add(warp, lane);
  if (c[0].e !== 'const') return offsetOf(t, add(own(r), r[1]), add(own(c), c[1]));
  const hold = (e: Expr): Expr => ctx.emitter.once('lane_offset', exprKey(e), e, ctx.emitter.scopes[0]!);
  return steppedOffsetOf(t, { own: own(r), step: r[1] }, { own: own(c), step: c[1] }, hold);
}

function loadFragment(
  ctx: Context,
  name: string,
  t: SharedTile,
  offset: Expr,
  trans: boolean,
  count: number,
): Var {
  const v = ctx.emitter.array(name, 'u32', count);
  const dst: LValue[] = Array.from({ length: count }, (_, i) => lvalue(v, i));
  ctx.emitter.emit({ s: 'ldmatrix', span: ctx.emitter.span, dst, buffer: t.buffer, offset, trans });
  return v;
}

type Left = (kk: Expr) => (i: Expr) => Expr[];

function leftOperand(ctx: Context, op: DotOp, w: WarpBlock, half: HalfType): Left {
  const load = leftSource(ctx, op, w, half);
  const all = load.invariant?.();
  if (all)
    return (kk) => (i) => [0, 1, 2, 3].map((r) => element(all, add(mul(add(mul(kk, w.tilesM), i), 4), r)));
  return (kk) => {
    const a = ctx.emitter.array('a', 'u32', w.tilesM * 4);
    ctx.emitter.unrolled('i', w.tilesM, (i) => load.fragment(kk, i, a, mul(i, 4)));
    return (i) => [0, 1, 2, 3].map((r) => element(a, add(mul(i, 4), r)));
  };
}

/** The left operand of all k, as lanes hold it: register r of k16 step kk and m16 tile i at (kk * tilesM + i) * 4 + r. */
export function leftFragments(ctx: Context, op: DotOp, w: WarpBlock, half: HalfType): Var {
  const load = leftSource(ctx, op, w, half);
  const all = load.invariant?.();
  if (all) return all;
  const steps = op.a.type.shape[1]! / 16;
  const a = ctx.emitter.array('a', 'u32', steps * w.tilesM * 4);
  allFragments(ctx, load.fragment, steps, w.tilesM, a);
  return a;
}

/** Puts the four registers of k16 step kk and m16 tile i into an array. */
type Fragment = (kk: Expr, i: Expr, into: Var, at: Expr) => void;

function allFragments(ctx: Context, fragment: Fragment, steps: number, tilesM: number, into: Var): void {
  ctx.emitter.unrolled('kk', steps, (kk) =>
    ctx.emitter.unrolled('i', tilesM, (i) => fragment(kk, i, into, mul(add(mul(kk, tilesM), i), 4))),
  );
}

/** How the left operand is read; `invariant` gives all of it in registers, where it comes from outside the region. */
function leftSource(
  ctx: Context,
  op: DotOp,
  w: WarpBlock,
  half: HalfType,
): { fragment: Fragment; invariant?: () => Var } {
  const v = op.a;
  const [m, k] = v.type.shape as [number, number];
  if (ctx.readsRegisters(op)) {
    const layout = mmaLayout(m, k, ctx.threads / 32, 1);
    const fragment: Fragment = (kk, i, into, at) => {
      for (let r = 0; r < 4; r++)
        ctx.emitter.assign(into, registerPair(ctx, v, layout, half, kk, i, r), add(at, r));
    };
    return { fragment };
  }
  const t = asShared(ctx, v, true);
  const fragment: Fragment = (kk, i, into, at) => leftFragment(ctx, t, w, kk, i, into, at);
  const dotRegion = ctx.emitter.scopes.findLast((s) => s.region)!;
  const home = ctx.emitter.instance(ctx.analysis.definition(v).region);
  const size = w.tilesM * (k / 16) * 4;
  if (home === dotRegion || size > fragmentBudget) return { fragment };
  const invariant = (): Var => {
    const key = `${v.id}:${home.id}`;
    let all = ctx.fragments.get(key);
    if (!all) {
      all = ctx.emitter.at(home, () => {
        const frags = ctx.emitter.array(`${v.name ?? 'a'}_fragments`, 'u32', size);
        allFragments(ctx, fragment, k / 16, w.tilesM, frags);
        return frags;
      });
      ctx.fragments.set(key, all);
    }
    return all;
  };
  return { fragment, invariant };
}

function leftFragment(
  ctx: Context,
  t: SharedTile,
  w: WarpBlock,
  kk: Expr,
  i: Expr,
  into: Var,
  at: Expr,
): void {
  const matrix = div(lane(), 8);
  const inner = rem(lane(), 8);
  const [mHalf, kHalf] = [mul(rem(matrix, 2), 8), mul(div(matrix, 2), 8)];
  const offset = t.transposed
    ? fragmentOffset(ctx, t, [constI(0), mul(kk, 16), add(kHalf, inner)], [w.row, mul(i, 16), mHalf])
    : fragmentOffset(ctx, t, [w.row, mul(i, 16), add(mHalf, inner)], [constI(0), mul(kk, 16), kHalf]);
  const dst: LValue[] = [0, 1, 2, 3].map((r) => lvalue(into, add(at, r)));
  ctx.emitter.emit({
    s: 'ldmatrix',
    span: ctx.emitter.span,
    dst,
    buffer: t.buffer,
    offset,
    trans: t.transposed,
  });
}

/** Fragment register r of an accumulator-shaped operand: r & 1 is the row half, r >> 1 the n8 tile of the k16 pair. */
function registerPair(
  ctx: Context,
  v: Value,
  layout: Layout,
  half: HalfType,
  kk: Expr,
  i: Expr,
  r: number,
): Expr {
  const j = add(mul(kk, 2), r >> 1);
  const at = (b: number): Expr => operandAt(ctx, v, accPoint(ctx, layout, i, j, r & 1, b));
  return pack(half, at(0), at(1));
}

function accPoint(ctx: Context, layout: Layout, i: Expr, j: Expr, h: number, b: number): Point {
  const place = (dim: number | null, stride: number): Expr => {
    if (dim === 0) return stride === 16 ? i : constI(h);
    return stride === 8 ? j : constI(b);
  };
  const digits = layout.regs.map((d) => ({ ...d, at: place(d.dim, d.stride) }));
  const coords = [0, 1].map((dim) =>
    digits
      .filter((d) => d.dim === dim)
      .reduce((c, d) => add(c, mul(d.at, d.stride)), ctx.threadBase(layout, dim)),
  );
  return { shape: layout.shape, coords, digits, threads: layout.threads };
}
