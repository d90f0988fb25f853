/**
 * Moves ops of a rows region that depend on nothing inside it to just before it.
 *
 * A rows region becomes a branch that whole warps skip. Loads in it would then be invisible to the loop pipeline, and their
 * shared-memory staging would need a barrier that only some warps reach. Runs before predicate-rows, which looks at what is
 * left in the region.
 */
import { isRegionOp, operandsOf, resultsOf, type Kernel, type Op, type Value } from '../ir/nodes.ts';
import { rewriteKernel } from '../ir/rewrite.ts';

export function hoistFromRows(kernel: Kernel): Kernel {
  return rewriteKernel(kernel, (op, rewriter) => {
    if (op.op !== 'rows') return false;
    const inside = new Set<Value>(op.body.params);
    const stay: Op[] = [];
    const move: Op[] = [];
    for (const x of op.body.ops) {
      const free = !isRegionOp(x) && x.op !== 'store' && x.op !== 'atomic' && !operandsOf(x).some((v) => inside.has(v));
      (free ? move : stay).push(x);
      if (!free) for (const r of resultsOf(x)) inside.add(r);
    }
    if (move.length === 0) return false;
    for (const x of move) rewriter.op(x);
    rewriter.keep({ ...op, body: { ...op.body, ops: stay } });
    return true;
  });
}
