/**
 * What unrolled loops add to an index, apart from the rest of it. Left inside the sum it may be folded into an `or` of a lane's
 * low bits, and then every access of the loop needs an address register of its own instead of an offset in the instruction.
 */
import { add, constI, mul } from '../../../compiler/thread/build.ts';
import type { Expr, Stmt, Var } from '../../../compiler/thread/nodes.ts';
import { childrenOf, walkStmts } from '../../../compiler/thread/walk.ts';

export function unrolledVariables(body: readonly Stmt[]): Set<Var> {
  const found = new Set<Var>();
  walkStmts(body, (s) => {
    if (s.s === 'for' && s.unroll) found.add(s.iv);
  });
  return found;
}

export interface Split {
  readonly rest: Expr;
  /** Of unrolled loops' variables and constants alone. */
  readonly step: Expr;
}

/** index = rest + step; undefined where unrolled loops add nothing, or there is nothing else. */
export function splitSteps(index: Expr, unrolled: ReadonlySet<Var>): Split | undefined {
  const fixed = (e: Expr): boolean =>
    e.e === 'const' || (e.e === 'var' ? unrolled.has(e.var) : e.e === 'binary' && childrenOf(e).every(fixed));
  const split = (e: Expr): Split => {
    if (fixed(e)) return { rest: constI(0), step: e };
    if (e.e === 'binary' && e.fn === 'add') {
      const [a, b] = [split(e.a), split(e.b)];
      return { rest: add(a.rest, b.rest), step: add(a.step, b.step) };
    }
    if (e.e === 'binary' && e.fn === 'mul' && e.b.e === 'const') {
      const { rest, step } = split(e.a);
      return { rest: mul(rest, e.b), step: mul(step, e.b) };
    }
    return { rest: e, step: constI(0) };
  };
  if (index.type !== 'i32') return undefined;
  const found = split(index);
  return found.step.e === 'const' || found.rest.e === 'const' ? undefined : found;
}
