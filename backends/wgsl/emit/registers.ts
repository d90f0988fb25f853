/**
 * The kernel's registers as this emission's own: one for each declaration, so that what is learnt of a value while it is
 * written (its range) stays with it, and block ids as registers with a range.
 */
import { mapExpr, mapStmts, noteRange, rangeOf, varRef } from '../../../compiler/thread/build.ts';
import type { Expr, Stmt, Var } from '../../../compiler/thread/nodes.ts';

// A dispatch has at most 65535 workgroups along an axis.
const blockIds = (['x', 'y', 'z'] as const).map((axis, i): Var => {
  const v: Var = { id: -2 - i, name: `block.${axis}`, type: 'i32' };
  noteRange(v, 0, 65534);
  return v;
});

export const isBlockId = (v: Var): boolean => blockIds.includes(v);

export function ownRegisters(body: readonly Stmt[]): Stmt[] {
  const own = new Map<Var, Var>();
  let next = 0;
  const read = (e: Expr): Expr => {
    if (e.e === 'blockId') return varRef(blockIds[e.axis]!);
    if (e.e !== 'var' && e.e !== 'element') return e;
    const v = own.get(e.var);
    return v ? { ...e, var: v } : e;
  };
  return mapStmts(body, {
    expr: (e) => mapExpr(e, read),
    target: (to) => ({ ...to, var: own.get(to.var) ?? to.var }),
    // Statements come in program order, so later ones see this declaration.
    stmt: (s) => {
      if (s.s !== 'declare') return [s];
      const v: Var = { ...s.var, id: next++ };
      if (isInteger(v)) {
        const { lo, hi } = rangeOf(varRef(s.var));
        noteRange(v, lo, hi);
      }
      own.set(s.var, v);
      return [{ ...s, var: v }];
    },
  });
}

const isInteger = (v: Var): boolean => v.type === 'i32' || v.type === 'u32';

/** `v` holds this value for good, so what is known of the value is known of it. */
export function narrow(v: Var, value: Expr): void {
  if (!isInteger(v)) return;
  const [found, known] = [rangeOf(value), rangeOf(varRef(v))];
  noteRange(v, Math.max(found.lo, known.lo), Math.min(found.hi, known.hi));
}
