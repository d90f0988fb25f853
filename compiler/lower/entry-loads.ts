/**
 * Scalars that a ragged loop reads per entry (where its rows begin, how many there are). The iterator keeps them in
 * registers and reads those of the next entry while this one's steps run, so that no step waits for them.
 */
import {
  isRegionOp,
  isScalar,
  operandsOf,
  regionsOf,
  type LoadOp,
  type Op,
  type RaggedOp,
  type Region,
  type Value,
} from '../ir/nodes.ts';
import type { Analysis } from './analysis.ts';

/** The loads of one scalar, in the loop's body and in its trip count. */
export type EntryLoads = readonly [LoadOp, ...LoadOp[]];

/** What a value computes from the entry alone, as text; undefined where it depends on anything else in the loop. */
function entryKey(a: Analysis, loop: RaggedOp, v: Value): string | undefined {
  const { op, region } = a.definition(v);
  if (!a.within(region, loop.body) && !a.within(region, loop.trips)) return `v${v.id}`;
  if (!op) return v === loop.body.params[0] || v === loop.trips.params[0] ? 'e' : undefined;
  if (!isScalar(v.type) || isRegionOp(op)) return undefined;
  if (op.op === 'const') return `${op.result.type.element} ${op.value}`;
  if (
    op.op === 'load'
      ? !a.readOnly(op.tensor)
      : !['unary', 'binary', 'compare', 'select', 'cast'].includes(op.op)
  )
    return undefined;
  const operands = operandsOf(op).map((x) => entryKey(a, loop, x));
  if (operands.includes(undefined)) return undefined;
  const masked = op.op === 'load' && op.mask ? ' masked' : '';
  const what = op.op === 'load' ? op.tensor.name + masked : 'fn' in op ? op.fn : `${op.op} ${v.type.element}`;
  return `${what}(${operands.join()})`;
}

const isEntryLoad = (a: Analysis, loop: RaggedOp, op: Op): op is LoadOp =>
  op.op === 'load' &&
  [loop.body, loop.trips].includes(a.regionOf.get(op)!) &&
  entryKey(a, loop, op.result) !== undefined;

/** Ops of a region that are kept for their effects, or whose regions hold such ops. */
const effects = (r: Region): Op[] =>
  r.ops.filter((op) => op.op === 'store' || op.op === 'atomic' || isRegionOp(op));

/** The entry's scalars that `roots` (or all that the body does) depend on, not looking behind the loads in `without`. */
export function entryLoads(
  a: Analysis,
  loop: RaggedOp,
  { roots, without, trips }: { roots?: readonly Value[]; without?: ReadonlySet<Op>; trips: boolean },
): EntryLoads[] {
  const found = new Map<string, [LoadOp, ...LoadOp[]]>();
  const seen = new Set<Op>();
  const visit = (v: Value): void => {
    const { op, region } = a.definition(v);
    const inside = a.within(region, loop.body) || a.within(region, loop.trips);
    if (op && inside) visitOp(op);
  };
  const visitOp = (op: Op): void => {
    if (seen.has(op) || without?.has(op)) return;
    seen.add(op);
    if (!isEntryLoad(a, loop, op)) {
      operandsOf(op).forEach(visit);
      regionsOf(op).forEach(visitRegion);
      return;
    }
    const key = entryKey(a, loop, op.result)!;
    const same = found.get(key);
    if (same) same.push(op);
    else found.set(key, [op]);
  };
  const visitRegion = (r: Region): void => {
    r.yields.forEach(visit);
    effects(r).forEach(visitOp);
  };
  if (roots) roots.forEach(visit);
  else visitRegion(loop.body);
  if (trips) visitRegion(loop.trips);
  return [...found.values()];
}
