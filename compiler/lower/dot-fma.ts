/**
 * Dot by multiply-adds, for targets and shapes without a matrix instruction: every thread holds a block of the result and
 * walks along k over both operands in shared memory, two k at a time where halves are packed along k.
 */
import type { DotOp } from '../ir/nodes.ts';
import {
  add,
  bitcast,
  constI,
  div,
  element,
  eq,
  fma,
  lvalue,
  mul,
  rem,
  select,
  unpack,
  varRef,
} from '../thread/build.ts';
import type { Expr, Var } from '../thread/nodes.ts';
import { isHalf, type Context } from './context.ts';
import { regCount, sliceLayout, type Layout } from './layout.ts';
import { dropAxis, registerAt, type Point } from './point.ts';
import { asShared } from './shared.ts';
import { elementOffset } from './shared-layout.ts';
import type { RegTile, SharedTile } from './values.ts';

export function lowerFma(ctx: Context, op: DotOp, layout: Layout, makeAcc: () => RegTile): RegTile {
  const [, k] = op.a.type.shape as [number, number];
  const left = asShared(ctx, op.a, false);
  const acc = makeAcc();
  const right = asShared(ctx, op.b, false);
  const step = k % 2 === 0 && isHalf(left.element) ? 2 : 1;
  const rows = sliceLayout(layout, 1);
  const columns = sliceLayout(layout, 0);
  ctx.emitter.loop('k', constI(0), constI(k), step, undefined, (at) => {
    const a = ctx.emitter.array('a', 'f32', regCount(rows) * step);
    const b = ctx.emitter.array('b', 'f32', regCount(columns) * step);
    readOperand(ctx, left, rows, at, step, a, !left.transposed);
    readOperand(ctx, right, columns, at, step, b, right.transposed);
    ctx.forEachPoint(layout, (p) => {
      const i = registerAt(layout, p)!;
      const ai = mul(registerAt(rows, dropAxis(p, 1))!, step);
      const bi = mul(registerAt(columns, dropAxis(p, 0))!, step);
      let sum = element(acc.var, i);
      for (let s = 0; s < step; s++) sum = fma(element(a, add(ai, s)), element(b, add(bi, s)), sum);
      ctx.emitter.assign(acc.var, sum, i);
    });
  });
  return acc;
}

/** into[register * step + s] = operand at (outer coordinate of the register, k + s). */
function readOperand(
  ctx: Context,
  t: SharedTile,
  layout: Layout,
  k: Expr,
  step: number,
  into: Var,
  alongK: boolean,
): void {
  const pair = layout.regs.findIndex((d) => d.stride === 1 && d.size === 2);
  if (isHalf(t.element) && !alongK && pair >= 0) return readPairs(ctx, t, layout, k, step, into, pair);
  ctx.forEachPoint(layout, (p) => {
    const at = mul(registerAt(layout, p)!, step);
    const outer = p.coords[0]!;
    if (isHalf(t.element) && alongK && step === 2) {
      const w = loadWord(ctx, t, outer, k);
      ctx.emitter.assign(into, unpack(t.element, w, 0), at);
      ctx.emitter.assign(into, unpack(t.element, w, 1), add(at, 1));
      return;
    }
    for (let s = 0; s < step; s++) {
      const kk = add(k, s);
      ctx.emitter.assign(
        into,
        alongK ? loadElement(ctx, t, outer, kk) : loadElement(ctx, t, kk, outer),
        add(at, s),
      );
    }
  });
}

/** Halves packed along the outer dimension, of which the layout holds neighbours: one word, two registers. */
function readPairs(
  ctx: Context,
  t: SharedTile,
  layout: Layout,
  k: Expr,
  step: number,
  into: Var,
  pair: number,
): void {
  if (!isHalf(t.element)) return;
  const type = t.element;
  ctx.forEachPoint(
    layout,
    (p: Point) => {
      for (let s = 0; s < step; s++) {
        const w = loadWord(ctx, t, add(k, s), p.coords[0]!);
        for (const b of [0, 1] as const) {
          const at = mul(registerAt(layout, ctx.movePoint(p, pair, b))!, step);
          ctx.emitter.assign(into, unpack(type, w, b), add(at, s));
        }
      }
    },
    [pair],
  );
}

function loadWord(ctx: Context, t: SharedTile, r: Expr, c: Expr): Expr {
  const w = ctx.emitter.scalar('word', 'u32');
  const offset = elementOffset(t, r, c);
  ctx.emitter.emit({ s: 'loadShared', span: ctx.emitter.span, dst: [lvalue(w)], buffer: t.buffer, offset });
  return varRef(w);
}

function loadElement(ctx: Context, t: SharedTile, r: Expr, c: Expr): Expr {
  if (!isHalf(t.element)) return bitcast('f32', loadWord(ctx, t, r, c));
  const w = loadWord(ctx, t, r, mul(div(c, 2), 2));
  return select(eq(rem(c, 2), 0), unpack(t.element, w, 0), unpack(t.element, w, 1));
}
