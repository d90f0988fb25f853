/** Everything that builds and rewrites Thread IR: expressions (expr.ts), walks (walk.ts), ranges, and statements below. */
import { noteRange } from './range.ts';
import type { Span } from '../ir/span.ts';
import type { Expr, LValue, RegType, Stmt, Var } from './nodes.ts';

export * from './expr.ts';
export * from './walk.ts';
export { noteRange, rangeOf, type Range } from './range.ts';

/** Makes the register variables of one kernel; ids count from 0. */
export class Registers {
  private next = 0;

  scalar(name: string, type: RegType): Var {
    return { id: this.next++, name, type };
  }

  array(name: string, type: RegType, size: number): Var {
    return { id: this.next++, name, type, size };
  }
}

export const declare = (span: Span, v: Var, init?: Expr): Stmt => ({
  s: 'declare',
  span,
  var: v,
  ...(init ? { init } : {}),
});
export const assign = (span: Span, to: LValue | Var, value: Expr): Stmt => ({
  s: 'assign',
  span,
  to: 'var' in to ? to : { var: to },
  value,
});
export const comment = (span: Span, text: string): Stmt => ({ s: 'comment', span, text });
export const barrier = (span: Span): Stmt => ({ s: 'barrier', span });
export const warpBarrier = (span: Span): Stmt => ({ s: 'warpBarrier', span });

/** A counted loop; notes the range of iv where the bounds are constant. */
export function forLoop(
  span: Span,
  iv: Var,
  lo: Expr,
  hi: Expr,
  step: number,
  unroll: boolean,
  body: readonly Stmt[],
): Stmt {
  noteLoopRange(iv, lo, hi);
  return { s: 'for', span, iv, lo, hi, step, unroll, body };
}

/** To be called before the body is built, so that addresses in it fold. */
export function noteLoopRange(iv: Var, lo: Expr, hi: Expr): void {
  if (lo.e === 'const' && hi.e === 'const' && Number(hi.value) > Number(lo.value))
    noteRange(iv, Number(lo.value), Number(hi.value) - 1);
}

/** An `if`, or the branch taken where cond is constant, or nothing where both branches are empty. */
export function ifThen(
  span: Span,
  cond: Expr,
  uniform: 'block' | 'warp' | 'none',
  then: readonly Stmt[],
  otherwise: readonly Stmt[] = [],
): readonly Stmt[] {
  if (cond.e === 'const') return cond.value === true ? then : otherwise;
  if (then.length === 0 && otherwise.length === 0) return [];
  return [{ s: 'if', span, cond, uniform, then, else: otherwise }];
}
