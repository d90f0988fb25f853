/**
 * Loads whose tiles are made of boxes of their tensor: runs of rows that follow each other along one dimension (the tokens
 * of a page, the rows of a matrix), so that one tensor copy moves a run. What varies within a run may only be the row's
 * own coordinate; the mask, but for what keeps to the tensor's bounds, is judged for a whole run at once.
 */
import { elementBytes, isScalar, operandsOf, type LoadOp, type Value } from '../ir/nodes.ts';
import { and, not, or } from '../thread/build.ts';
import type { Expr, TensorMap } from '../thread/nodes.ts';
import { masksBeyondBounds } from './bounds.ts';
import type { Context } from './context.ts';
import { isZero } from './copies.ts';
import { lazyAt, scalar } from './evaluate.ts';
import { fitsPanels, panelBytes } from './shared-layout.ts';
import { nonUnit } from './divisibility.ts';

/** Rows of a box that the copy engine takes at most, and the fewest that fill a swizzled group. */
const [mostRows, groupRows] = [256, 8];

export interface Boxes {
  readonly map: TensorMap;
  /** Rows of a box. */
  readonly run: number;
  /** Columns of a box: one panel. */
  readonly columns: number;
  /** What must hold for a row to be read, beyond lying in the tensor. */
  readonly masks: readonly Value[];
  /** Whether the masks may leave out some rows of a box and not others. */
  readonly cut: boolean;
}

type Move = 'same' | 'step' | 'other';

/** How an index tile moves over aligned runs of `run` coordinates along `axis`: not at all, or by one a coordinate. */
function overRun(ctx: Context, v: Value, axis: number, run: number): Move {
  if (isScalar(v.type) || v.type.shape[axis] === 1) return 'same';
  const { op } = ctx.analysis.definition(v);
  if (!op) return 'other';
  switch (op.op) {
    case 'const':
      return 'same';
    case 'iota':
      return 'step';
    case 'broadcast':
      return isScalar(op.a.type) ? 'same' : overRun(ctx, op.a, axis, run);
    case 'transpose':
      return overRun(ctx, op.a, op.permutation[axis]!, run);
    case 'reshape': {
      const inner = reshaped(v, op.a, axis);
      return inner === undefined ? 'other' : overRun(ctx, op.a, inner, run);
    }
    case 'binary': {
      const [a, b] = [overRun(ctx, op.a, axis, run), overRun(ctx, op.b, axis, run)];
      if (a === 'same' && b === 'same') return 'same';
      if (a === 'other' || b === 'other') return 'other';
      if (op.fn === 'add') return a === b ? 'other' : 'step';
      if (op.fn === 'sub') return b === 'same' ? 'step' : 'other';
      // Within an aligned run the quotient by a multiple of it does not change, and the remainder steps.
      if ((op.fn === 'div' || op.fn === 'rem') && b === 'same' && aligned(ctx, op.a, axis, run)) {
        const by = ctx.divisibility.divisor(op.b);
        if (by > 0 && by % run === 0) return op.fn === 'div' ? 'same' : 'step';
      }
      return 'other';
    }
    case 'cast':
    case 'unary':
      return overRun(ctx, op.a, axis, run) === 'same' ? 'same' : 'other';
    case 'select': {
      if (!uniformOver(ctx, op.cond, axis, run)) return 'other';
      const [a, b] = [overRun(ctx, op.a, axis, run), overRun(ctx, op.b, axis, run)];
      return a === b ? a : 'other';
    }
    case 'compare':
    case 'load': {
      if (op.op === 'load' && op.mask && !uniformOver(ctx, op.mask, axis, run)) return 'other';
      const operands = op.op === 'load' ? op.indices : operandsOf(op);
      return operands.every((i) => overRun(ctx, i, axis, run) === 'same') ? 'same' : 'other';
    }
    default:
      return 'other';
  }
}

const uniformOver = (ctx: Context, mask: Value, axis: number, run: number): boolean =>
  isScalar(mask.type) ||
  overRun(ctx, mask, axis, run) === 'same' ||
  ctx.divisibility.uniform(mask, axis, run);

/** Whether an index tile takes a multiple of `run` at the start of each aligned run. */
function aligned(ctx: Context, v: Value, axis: number, run: number): boolean {
  if (isScalar(v.type) || v.type.shape[axis] === 1) return ctx.divisibility.divisor(v) % run === 0;
  const { op } = ctx.analysis.definition(v);
  switch (op?.op) {
    case 'const':
      return Number(op.value) % run === 0;
    case 'iota':
      return true;
    case 'broadcast':
      return aligned(ctx, op.a, axis, run);
    case 'binary':
      return ['add', 'sub'].includes(op.fn) && aligned(ctx, op.a, axis, run) && aligned(ctx, op.b, axis, run);
    case 'select':
      return (
        uniformOver(ctx, op.cond, axis, run) && aligned(ctx, op.a, axis, run) && aligned(ctx, op.b, axis, run)
      );
    default:
      return false;
  }
}

function reshaped(v: Value, from: Value, axis: number): number | undefined {
  const [a, b] = [nonUnit(from.type.shape), nonUnit(v.type.shape)];
  return a.length === b.length ? a[b.indexOf(axis)] : undefined;
}

/** The boxes of a staged load; undefined where it has none, or the target no tensor copies. */
export function boxesOf(ctx: Context, load: LoadOp): Boxes | undefined {
  const { tensor } = load;
  const [rows, columns] = load.result.type.shape as [number, number];
  const eb = elementBytes(tensor.element);
  const rank = tensor.dims.length;
  if (!ctx.target.features.hopper || rank < 2 || rank > 5 || !isZero(ctx, load.other)) return undefined;
  if (!fitsPanels(tensor.element, rows, columns)) return undefined;
  const last = rank - 1;
  for (let d = 0; d < rank; d++) {
    const along = ctx.divisibility.along(load.indices[d]!, 1);
    if (along.kind !== (d === last ? 'unit' : 'none')) return undefined;
    if (d < last && (ctx.strideDivisor(tensor, d) * eb) % 16 !== 0) return undefined;
  }
  const innermost = ctx.stride(tensor, last);
  if (innermost.e !== 'const' || innermost.value !== 1) return undefined;
  const masks = masksBeyondBounds(ctx.analysis, load);
  for (let run = Math.min(rows, mostRows); run >= groupRows; run--) {
    if (rows % run !== 0 || run % groupRows !== 0) continue;
    const moves = load.indices.map((v) => overRun(ctx, v, 0, run));
    const steps = moves.filter((m) => m === 'step').length;
    if (moves.includes('other') || steps > 1 || moves[last] !== 'same') continue;
    if (!masks.every((mask) => judges(ctx, mask, run))) continue;
    const dims = tensor.dims.map((_, d) => last - d);
    const box = dims.map((d) => (d === last ? panelBytes / eb : moves[d] === 'step' ? run : 1));
    // Rows that are all alike are no box.
    if (steps === 0) continue;
    return {
      map: {
        buffer: ctx.buffer(tensor),
        extents: dims.map((d) => ctx.extent(tensor.dims[d]!)),
        strides: dims.slice(1).map((d) => ctx.stride(tensor, d)),
        box,
      },
      run,
      columns: panelBytes / eb,
      masks,
      cut: !masks.every((mask) => uniformOver(ctx, mask, 0, run)),
    };
  }
  return undefined;
}

/** What a mask is over a run of rows: all of it, none of it; neither where it cuts the run. */
export interface RunMask {
  readonly whole: Expr;
  readonly none: Expr;
}

const comparisons = ['lt', 'le', 'gt', 'ge'];

/** Whether `maskOf` can judge a mask: it is a conjunction of comparisons that turn at most once along a run. */
function judges(ctx: Context, mask: Value, run: number, axis = 0): boolean {
  const { op } = ctx.analysis.definition(mask);
  const other = 1 - axis;
  const across = mask.type.shape[other];
  if (across !== undefined && !ctx.divisibility.uniform(mask, other, across)) return false;
  if (uniformOver(ctx, mask, axis, run)) return true;
  if (op?.op === 'broadcast' && !isScalar(op.a.type)) return judges(ctx, op.a, run, axis);
  if (op?.op === 'reshape') {
    const inner = reshaped(mask, op.a, axis);
    return inner !== undefined && judges(ctx, op.a, run, inner);
  }
  if (op?.op === 'binary' && op.fn === 'and')
    return judges(ctx, op.a, run, axis) && judges(ctx, op.b, run, axis);
  if (op?.op !== 'compare' || !comparisons.includes(op.fn)) return false;
  const moves = [op.a, op.b].map((v) => overRun(ctx, v, axis, run));
  return !moves.includes('other') && moves.includes('same');
}

/** Masks, all of which must hold, over the run that begins at `row`; undefined where there are none. */
export function masksOf(
  ctx: Context,
  masks: readonly Value[],
  run: number,
  row: Expr,
  lastRow: Expr,
): RunMask | undefined {
  const all = masks.map((mask) => maskOf(ctx, mask, run, row, lastRow));
  return all.length === 0 ? undefined : all.reduce(both);
}

const both = (a: RunMask, b: RunMask): RunMask => ({
  whole: and(a.whole, b.whole),
  none: or(a.none, b.none),
});

function maskOf(ctx: Context, mask: Value, run: number, row: Expr, lastRow: Expr, axis = 0): RunMask {
  const { op } = ctx.analysis.definition(mask);
  const at = (r: Expr): Expr =>
    isScalar(mask.type)
      ? scalar(ctx, mask)
      : lazyAt(
          ctx,
          mask,
          mask.type.shape.map((extent, d) => (d === axis && extent > 1 ? r : zero)),
        );
  if (uniformOver(ctx, mask, axis, run)) {
    const m = at(row);
    return { whole: m, none: not(m) };
  }
  if (op?.op === 'broadcast') return maskOf(ctx, op.a, run, row, lastRow, axis);
  if (op?.op === 'reshape') return maskOf(ctx, op.a, run, row, lastRow, reshaped(mask, op.a, axis));
  if (op?.op === 'binary') {
    const [a, b] = [op.a, op.b].map((v) => maskOf(ctx, v, run, row, lastRow, axis)) as [RunMask, RunMask];
    return both(a, b);
  }
  const [first, end] = [at(row), at(lastRow)];
  return { whole: and(first, end), none: and(not(first), not(end)) };
}

const zero: Expr = { e: 'const', type: 'i32', value: 0 };
