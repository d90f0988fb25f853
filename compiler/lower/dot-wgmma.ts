/**
 * Dot by wgmma.m64nNk16: a warpgroup's four warps have 16 rows each, and the registers of lanes are those of mma.m16n8k16. The
 * left operand comes from registers as there; the right one is read by the instruction, from panels in shared memory.
 */
import type { DotOp } from '../ir/nodes.ts';
import { add, constI, element, lvalue } from '../thread/build.ts';
import type { HalfType } from '../thread/nodes.ts';
import type { Context } from './context.ts';
import { leftFragments, warpBlock } from './dot-mma.ts';
import { asShared } from './shared.ts';
import { panelBytes } from './shared-layout.ts';
import type { RegTile, SharedTile } from './values.ts';

/** Bytes of the eight rows that the hardware swizzles together. */
const group = 8 * panelBytes;

/**
 * Where the right operand's k16 step begins. Stored [n][k], a step is 32 bytes further along a panel's rows (four fit), and
 * groups of eight columns are eight rows apart. Stored [k][n], it is sixteen rows further down, columns go on in the next panel.
 */
function stepOf(t: SharedTile, kk: number): number {
  if (!t.transposed) return kk * 2 * group;
  return Math.floor(kk / 4) * t.rows * panelBytes + (kk % 4) * 32;
}

/** All of k is one group of instructions, which is waited for at once: other warpgroups fill the time. */
export function lowerWgmma(ctx: Context, op: DotOp, makeAcc: () => RegTile): RegTile {
  const [, n] = op.result.type.shape as [number, number];
  const half = op.a.type.element as HalfType;
  const { layout } = ctx.plan.block.dots.get(op)!;
  const right = asShared(ctx, op.b, true);
  const a = leftFragments(ctx, op, warpBlock(ctx, layout), half);
  const acc = makeAcc();
  const span = ctx.emitter.span;
  ctx.emitter.emit({ s: 'wgmmaFence', span, registers: [acc.var, a] });
  for (let kk = 0; kk < op.a.type.shape[1]! / 16; kk++)
    ctx.emitter.emit({
      s: 'wgmma',
      span,
      element: half,
      columns: n,
      acc: Array.from({ length: n / 2 }, (_, i) => lvalue(acc.var, constI(i))),
      a: [0, 1, 2, 3].map((r) => element(a, constI(4 * kk + r))),
      buffer: right.buffer,
      offset: add(right.base, stepOf(right, kk)),
      transposed: !right.transposed,
      leading: right.transposed ? 0 : right.rows * panelBytes,
      stride: group,
      accumulate: kk > 0 || op.acc !== undefined,
    });
  ctx.emitter.emit({ s: 'wgmmaCommit', span });
  ctx.emitter.emit({ s: 'wgmmaWait', span, pending: 0, registers: [acc.var] });
  return acc;
}
