/**
 * Removes pure ops whose results nothing reads.
 *
 * Runs first, so that later passes and the author's `--emit tile` see only what matters, and last, because predication and
 * hoisting leave the originals of what they replaced.
 */
import {
  isRegionOp,
  regionsOf,
  operandsOf,
  type Kernel,
  type Op,
  type Region,
  type Value,
} from '../ir/nodes.ts';
import { mapRegions } from '../ir/rewrite.ts';

export function eliminateDead(kernel: Kernel): Kernel {
  const live = new Set<Value>();
  const sweep = (region: Region): Region => {
    for (const y of region.yields) live.add(y);
    const kept: Op[] = [];
    for (const op of [...region.ops].reverse()) {
      const effect = op.op === 'store' || op.op === 'atomic' || (isRegionOp(op) && hasEffect(op));
      const used = isRegionOp(op)
        ? op.results.some((r) => live.has(r))
        : 'result' in op && live.has(op.result);
      if (!effect && !used) continue;
      const inner = mapRegions(op, sweep);
      for (const v of operandsOf(inner)) live.add(v);
      kept.push(inner);
    }
    return { ...region, ops: kept.reverse() };
  };
  return { ...kernel, body: sweep(kernel.body) };
}

const hasEffect = (op: Op): boolean =>
  op.op === 'store' || op.op === 'atomic' || regionsOf(op).some((r) => r.ops.some(hasEffect));
