/**
 * Dot by wgmma.m64nNk16: a warpgroup's four warps have 16 rows each, and the registers of lanes are those of mma.m16n8k16. The
 * left operand comes from registers as there, or like the right one is read by the instruction, from panels in shared memory.
 */
import type { DotOp } from '../ir/nodes.ts';
import { add, constI, element, lvalue, mul } from '../thread/build.ts';
import type { Expr, HalfType, SharedOperand, Var } from '../thread/nodes.ts';
import type { Context } from './context.ts';
import { leftFragments, warpBlock } from './dot-mma.ts';
import { asShared } from './shared.ts';
import { panelBytes } from './shared-layout.ts';
import type { RegTile, SharedTile } from './values.ts';

/** Bytes of the eight rows that the hardware swizzles together. */
const group = 8 * panelBytes;

/** Where a k16 step begins in an operand whose rows run along k: 32 bytes further along a panel's rows, of which four fit. */
const alongRows = (t: SharedTile, kk: number): number =>
  Math.floor(kk / 4) * t.rows * panelBytes + (kk % 4) * 32;

/** The same where rows are k: sixteen rows further down. */
const downRows = (kk: number): number => kk * 2 * group;

/** Where the step's left operand comes from. */
type Left = (kk: number) => { readonly a: Expr[]; readonly left?: SharedOperand };

/** All of k is one group of instructions, which is waited for at once: other warpgroups fill the time. */
export function lowerWgmma(ctx: Context, op: DotOp, makeAcc: () => RegTile): RegTile {
  const [, n] = op.result.type.shape as [number, number];
  const half = op.a.type.element as HalfType;
  const { layout, leftShared } = ctx.plan.block.dots.get(op)!;
  const right = asShared(ctx, op.b, true);
  const a = leftShared ? undefined : leftFragments(ctx, op, warpBlock(ctx, layout), half);
  const left: Left = a ? (kk) => ({ a: registersOf(a, kk) }) : fromPanels(ctx, asShared(ctx, op.a, true));
  const acc = makeAcc();
  const span = ctx.emitter.span;
  ctx.emitter.emit({ s: 'wgmmaFence', span, registers: a ? [acc.var, a] : [acc.var] });
  for (let kk = 0; kk < op.a.type.shape[1]! / 16; kk++)
    ctx.emitter.emit({
      s: 'wgmma',
      span,
      element: half,
      columns: n,
      acc: Array.from({ length: n / 2 }, (_, i) => lvalue(acc.var, constI(i))),
      ...left(kk),
      buffer: right.buffer,
      offset: add(right.base, right.transposed ? alongRows(right, kk) : downRows(kk)),
      transposed: !right.transposed,
      leading: right.transposed ? 0 : right.rows * panelBytes,
      stride: group,
      accumulate: kk > 0 || op.acc !== undefined,
    });
  ctx.emitter.emit({ s: 'wgmmaCommit', span });
  ctx.emitter.emit({ s: 'wgmmaWait', span, pending: 0, registers: [acc.var] });
  return acc;
}

const registersOf = (a: Var, kk: number): Expr[] => [0, 1, 2, 3].map((r) => element(a, constI(4 * kk + r)));

/** The 64 rows of each warpgroup, where they are stored by rows. */
function fromPanels(ctx: Context, t: SharedTile): Left {
  const groups = ctx.threads / 128;
  const first = groups === 1 ? constI(0) : mul(ctx.threadDigit(128, groups), 64 * panelBytes);
  return (kk) => ({
    a: [],
    left: { buffer: t.buffer, offset: add(add(t.base, first), alongRows(t, kk)), stride: group },
  });
}
