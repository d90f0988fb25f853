/**
 * Unrolls the loops whose induction variable indexes a register array: an array that is only indexed by constants is a
 * set of registers to every driver, any other one is memory. Other loops stay loops, whatever they promise: unrolled,
 * they ran slower and compiled slower on the drivers that were measured.
 */
import {
  constI,
  exprUsesVar,
  exprsOf,
  intOf,
  substituteStmts,
  walkExpr,
  walkStmts,
  writesOf,
} from '../../../compiler/thread/build.ts';
import { type Expr, type Stmt, type Var } from '../../../compiler/thread/nodes.ts';
import { fail } from '../../../compiler/diagnostics/error.ts';

/** More statements than this is a tile that no driver compiles in reasonable time. */
const most = 50_000;

export function unroll(body: readonly Stmt[]): Stmt[] {
  const counter = { left: most };
  return body.flatMap((s) => expand(s, counter));
}

function expand(s: Stmt, counter: { left: number }): Stmt[] {
  if (--counter.left < 0)
    fail('PAT0303', `more than ${most} statements after unrolling`, {
      span: s.span,
      help: 'use a smaller tile',
    });
  if (s.s === 'for' && s.unroll && indexesRegisters(s.body, s.iv)) {
    const lo = intOf(s.lo);
    const hi = intOf(s.hi);
    if (lo === undefined || hi === undefined)
      return fail('PAT0305', `the bounds of the unrolled loop over ${s.iv.name} are not constants`, {
        span: s.span,
      });
    const copies: Stmt[] = [];
    for (let i = lo; i < hi; i += s.step)
      copies.push(
        ...substituteStmts(s.body, new Map([[s.iv, constI(i)]])).flatMap((x) => expand(x, counter)),
      );
    return copies;
  }
  const inner = (stmts: readonly Stmt[]): Stmt[] => stmts.flatMap((x) => expand(x, counter));
  switch (s.s) {
    case 'for':
    case 'while':
      return [{ ...s, body: inner(s.body) }];
    case 'if':
      if (s.cond.e === 'const') return inner(s.cond.value === true ? s.then : s.else);
      return [{ ...s, then: inner(s.then), else: inner(s.else) }];
    default:
      return [s];
  }
}

/** Whether an index of a register array depends on v, directly or through the variable of an inner loop. */
function indexesRegisters(body: readonly Stmt[], v: Var): boolean {
  let found = false;
  const index = (e: Expr): void => {
    found ||= exprUsesVar(e, v);
  };
  walkStmts(body, (s) => {
    for (const to of writesOf(s)) if (to.index) index(to.index);
    for (const e of exprsOf(s)) walkExpr(e, (x) => (x.e === 'element' ? index(x.index) : undefined));
    if (s.s === 'for' && (exprUsesVar(s.lo, v) || exprUsesVar(s.hi, v)))
      found ||= indexesRegisters(s.body, s.iv);
  });
  return found;
}
