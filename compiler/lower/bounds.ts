/**
 * Masks that only say that an index lies below the extent of its tensor's dimension. A tensor copy fills what lies outside with
 * zeros by itself, so such a part of a mask needs no test.
 */
import { isScalar, type LoadOp, type TensorParam, type Value } from '../ir/nodes.ts';
import type { Analysis } from './analysis.ts';
import { nonUnit } from './divisibility.ts';

/** A value without its views, and along which axes of the tile its own axes (those longer than 1) lie. */
interface Core {
  readonly value: Value;
  readonly axes: readonly number[];
}

function coreOf(analysis: Analysis, value: Value, axes: readonly number[] = nonUnit(value.type.shape)): Core {
  const { op } = analysis.definition(value);
  if (op?.op === 'broadcast') {
    const own = isScalar(op.a.type) ? [] : nonUnit(op.a.type.shape);
    const long = nonUnit(value.type.shape);
    return coreOf(
      analysis,
      op.a,
      own.map((d) => axes[long.indexOf(d)]!),
    );
  }
  if (op?.op === 'reshape' && nonUnit(op.a.type.shape).length === axes.length)
    return coreOf(analysis, op.a, axes);
  return { value, axes };
}

const sameCore = (a: Core, b: Core): boolean =>
  a.value === b.value && a.axes.length === b.axes.length && a.axes.every((axis, i) => axis === b.axes[i]);

/** The parts of a load's mask, all of which must hold. */
function parts(analysis: Analysis, mask: Value): Value[] {
  const { op } = analysis.definition(mask);
  if (op?.op !== 'binary' || op.fn !== 'and') return [mask];
  return [...parts(analysis, op.a), ...parts(analysis, op.b)];
}

function isExtent(analysis: Analysis, v: Value, tensor: TensorParam, dim: number): boolean {
  const extent = tensor.dims[dim]!;
  const { op } = analysis.definition(v);
  if (typeof extent === 'number') return op?.op === 'const' && Number(op.value) === extent;
  return analysis.kernel.params.some((p) => p.kind === 'scalar' && p.name === extent && p.value === v);
}

/** The parts of a load's mask that say more than that the load stays within its tensor. */
export function masksBeyondBounds(analysis: Analysis, load: LoadOp): Value[] {
  if (!load.mask) return [];
  const within = (part: Value): boolean => {
    const { value, axes } = coreOf(analysis, part);
    const { op } = analysis.definition(value);
    if (op?.op !== 'compare' || op.fn !== 'lt') return false;
    const [a, b] = [coreOf(analysis, op.a, axes), coreOf(analysis, op.b, axes)];
    return load.indices.some(
      (index, dim) => isExtent(analysis, b.value, load.tensor, dim) && sameCore(a, coreOf(analysis, index)),
    );
  };
  return parts(analysis, load.mask).filter((part) => !within(part));
}
