/**
 * Moves loads of a rows region that depend on nothing the region carries, and the index arithmetic they need, to just
 * before it.
 *
 * A rows region becomes a branch that whole warps skip. Loads in it would then be invisible to the loop pipeline, and their
 * shared-memory staging would need a barrier that only some warps reach. Arithmetic stays, to be skipped with the rest. Runs
 * before predicate-rows, which looks at what is left in the region.
 */
import { isRegionOp, operandsOf, resultsOf, type Kernel, type Op, type Value } from '../ir/nodes.ts';
import { rewriteKernel } from '../ir/rewrite.ts';

export function hoistFromRows(kernel: Kernel): Kernel {
  return rewriteKernel(kernel, (op, rewriter) => {
    if (op.op !== 'rows') return false;
    const inside = new Set<Value>(op.body.params);
    const free = op.body.ops.filter((x) => {
      const moves =
        !isRegionOp(x) && x.op !== 'store' && x.op !== 'atomic' && !operandsOf(x).some((v) => inside.has(v));
      if (!moves) for (const r of resultsOf(x)) inside.add(r);
      return moves;
    });
    const needed = new Set<Value>();
    const move = free
      .reverse()
      .filter((x) => {
        const wanted = x.op === 'load' || resultsOf(x).some((r) => needed.has(r));
        if (wanted) for (const v of operandsOf(x)) needed.add(v);
        return wanted;
      })
      .reverse();
    const moved = new Set<Op>(move);
    const stay = op.body.ops.filter((x) => !moved.has(x));
    if (move.length === 0) return false;
    for (const x of move) rewriter.op(x);
    rewriter.keep({ ...op, body: { ...op.body, ops: stay } });
    return true;
  });
}
