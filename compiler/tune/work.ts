/** What one block of a kernel does in one step of its main loop, counted on Tile IR: the same for every target. */
import {
  elementBytes,
  isFloat,
  regionsOf,
  resultsOf,
  sizeOf,
  type ForOp,
  type Kernel,
  type Op,
  type RaggedOp,
  type Region,
} from '../ir/nodes.ts';

export interface KernelWork {
  /** Rows of the largest product, or of the largest tile where there is none. */
  readonly rows: number;
  /** Elements of the streamed axis per step: n of a ragged loop's tiles, the step of a counted loop, 1 without a loop. */
  readonly step: number;
  /** Trips where they are known at compile time. */
  readonly trips?: number;
  /** Operations of the products, two per multiply-add, per step. */
  readonly matrixFlops: number;
  /** Elementwise operations of float tiles per step, transcendental ones counted four times. */
  readonly vectorOps: number;
  /** Bytes of float tiles loaded per step. */
  readonly streamBytes: number;
  /** Bytes loaded and stored outside the loop, per block. */
  readonly fixedBytes: number;
  /** Contraction lengths and widths of the products, for instruction shapes. */
  readonly products: readonly { readonly m: number; readonly n: number; readonly k: number }[];
}

type Loop = ForOp | RaggedOp;
const isLoop = (op: Op): op is Loop => op.op === 'for' || op.op === 'ragged';
const slow = new Set(['exp', 'exp2', 'log', 'log2', 'sqrt', 'rsqrt', 'tanh', 'erf', 'sin', 'cos']);

interface Count {
  matrixFlops: number;
  vectorOps: number;
  loaded: number;
  stored: number;
  largest: { size: number; shape: readonly number[] };
  products: { m: number; n: number; k: number }[];
}

export function workOf(kernel: Kernel): KernelWork {
  const loop = mainLoop(kernel.body);
  const inside = loop ? count([loop.body]) : count([kernel.body]);
  const whole = count([kernel.body], loop);
  const rows = inside.products.reduce((most, p) => Math.max(most, p.m), 0) || (inside.largest.shape[0] ?? 1);
  const trips = loop && tripsOf(loop, kernel.body);
  return {
    rows,
    step: loop ? (loop.op === 'for' ? loop.step : (inside.largest.shape[0] ?? 1)) : 1,
    ...(trips === undefined ? {} : { trips }),
    matrixFlops: inside.matrixFlops,
    vectorOps: inside.vectorOps,
    streamBytes: inside.loaded,
    fixedBytes: loop ? whole.loaded + whole.stored : inside.stored,
    products: inside.products,
  };
}

/** The loop with the most matrix work in one trip; without products the one that loads most. */
function mainLoop(region: Region): Loop | undefined {
  let best: Loop | undefined;
  let most = 0;
  const visit = (r: Region): void => {
    for (const op of r.ops) {
      if (isLoop(op)) {
        const { matrixFlops, loaded } = count([op.body]);
        const weight = matrixFlops * 1e6 + loaded;
        // An inner loop that does all the work of an outer one is the main one.
        if (weight >= most && weight > 0) [best, most] = [op, weight];
      }
      regionsOf(op).forEach(visit);
    }
  };
  visit(region);
  return best;
}

function count(regions: readonly Region[], without?: Loop): Count {
  const c: Count = {
    matrixFlops: 0,
    vectorOps: 0,
    loaded: 0,
    stored: 0,
    largest: { size: 0, shape: [] },
    products: [],
  };
  const visit = (op: Op): void => {
    if (op === without) return;
    for (const r of regionsOf(op)) r.ops.forEach(visit);
    if (op.op === 'dot') {
      const [m = 1, k = 1] = op.a.type.shape;
      const n = op.b.type.shape[1] ?? 1;
      c.matrixFlops += 2 * m * n * k;
      c.products.push({ m, n, k });
    } else if (op.op === 'load') {
      const { type } = op.result;
      if (!isFloat(type.element)) return;
      c.loaded += sizeOf(type) * elementBytes(type.element);
      if (sizeOf(type) > c.largest.size) c.largest = { size: sizeOf(type), shape: type.shape };
    } else if (op.op === 'store' || op.op === 'atomic') {
      c.stored += sizeOf(op.value.type) * elementBytes(op.value.type.element);
    } else {
      for (const { type } of resultsOf(op)) {
        if (!isFloat(type.element) || op.op === 'const' || op.op === 'broadcast' || op.op === 'reshape')
          continue;
        if (op.op === 'transpose' || regionsOf(op).length > 0) continue;
        c.vectorOps += sizeOf(type) * (op.op === 'unary' && slow.has(op.fn) ? 4 : 1);
      }
    }
  };
  for (const r of regions) r.ops.forEach(visit);
  return c;
}

function tripsOf(loop: Loop, body: Region): number | undefined {
  if (loop.op !== 'for') return undefined;
  const constant = (id: number): number | undefined => {
    let found: number | undefined;
    const visit = (r: Region): void => {
      for (const op of r.ops) {
        if (op.op === 'const' && op.result.id === id && typeof op.value === 'number') found = op.value;
        regionsOf(op).forEach(visit);
      }
    };
    visit(body);
    return found;
  };
  const [lo, hi] = [constant(loop.lo.id), constant(loop.hi.id)];
  return lo === undefined || hi === undefined ? undefined : Math.ceil((hi - lo) / loop.step);
}
