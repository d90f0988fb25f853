/**
 * A kernel, planned once: storage for every value, and a flat list of steps for every region. Running an instance
 * allocates nothing.
 *
 * What depends on constants alone (constants, iotas and what is made of them) is computed while planning.
 */
import type {
  ForOp,
  IfOp,
  Kernel,
  Op,
  PureOp,
  RaggedOp,
  Region,
  RowsOp,
  TensorParam,
  Value,
} from '../../../compiler/ir/nodes.ts';
import { isScalar, operandsOf, regionsOf, resultsOf, sizeOf } from '../../../compiler/ir/nodes.ts';
import { binaryExpression, castExpression, compareExpression, unaryExpression } from './arithmetic.ts';
import { elementwise, rounded } from './loops.ts';
import { planAtomic, planLoad, planStore, type BoundTensor, type Instance } from './memory.ts';
import { planDot, planReduce } from './products.ts';
import { valuesOnRowsOnly } from './rows.ts';
import { planBroadcast, planReshape, planTranspose } from './shape.ts';
import { allocateTile, familyOf, parallelCopy, type RowRange, type Step, type TileData } from './storage.ts';

export interface Plan {
  readonly tensors: readonly BoundTensor[];
  /** Storage of the scalar parameters by name. */
  readonly scalars: ReadonlyMap<string, TileData>;
  readonly instance: Instance;
  /** Runs the instance whose coordinates `instance.id` holds. */
  readonly run: Step;
}

const runAll = (steps: readonly Step[]): void => {
  for (let i = 0; i < steps.length; i++) steps[i]!();
};

class Planner {
  readonly instance: Instance = { id: [0, 0, 0], before: 0, stores: 0 };
  readonly tensors = new Map<TensorParam, BoundTensor>();
  readonly #storage = new Map<Value, TileData>();
  readonly #static = new Set<Value>();
  readonly #narrow = new Map<Value, RowRange>();
  readonly #uses = new Map<Value, number>();
  /** Values whose storage may be overwritten by their last user (see planRows). */
  readonly #own = new Map<Value, Region>();

  storage(value: Value): TileData {
    let data = this.#storage.get(value);
    if (!data) this.#storage.set(value, (data = allocateTile(value.type)));
    return data;
  }

  tensor(param: TensorParam): BoundTensor {
    let bound = this.tensors.get(param);
    if (!bound) {
      bound = { param, data: new Float32Array(), extents: [], strides: [], stamps: undefined };
      this.tensors.set(param, bound);
    }
    return bound;
  }

  #countUses(region: Region): void {
    const use = (v: Value) => this.#uses.set(v, (this.#uses.get(v) ?? 0) + 1);
    region.yields.forEach(use);
    for (const op of region.ops) {
      operandsOf(op).forEach(use);
      for (const inner of regionsOf(op)) this.#countUses(inner);
    }
  }

  kernel(kernel: Kernel): Step {
    this.#countUses(kernel.body);
    const steps = this.region(kernel.body);
    return () => runAll(steps);
  }

  region(region: Region): Step[] {
    const steps: Step[] = [];
    for (const op of region.ops) {
      for (const result of resultsOf(op)) this.#own.set(result, region);
      const step = this.op(op, region);
      if (!step) continue;
      if ('result' in op && this.#isStatic(op)) {
        this.#static.add(op.result);
        step();
      } else steps.push(step);
    }
    return steps;
  }

  #isStatic(op: PureOp): boolean {
    if (op.op === 'programId' || op.op === 'load') return false;
    return operandsOf(op).every((v) => this.#static.has(v));
  }

  /** The rows of a value that its step computes. */
  #rows(op: PureOp): RowRange {
    const narrow = this.#narrow.get(op.result);
    if (narrow && !this.#isStatic(op)) return narrow;
    return { from: 0, to: op.result.type.shape[0] ?? 1 };
  }

  op(op: Op, region: Region): Step | undefined {
    switch (op.op) {
      case 'store':
        return planStore(op, this);
      case 'atomic':
        return planAtomic(op, this);
      case 'for':
        return this.planFor(op);
      case 'ragged':
        return this.planRagged(op);
      case 'if':
        return this.planIf(op);
      case 'rows':
        return this.planRows(op, region);
      default:
        return this.pure(op);
    }
  }

  pure(op: PureOp): Step {
    const r = this.storage(op.result);
    const { element } = op.result.type;
    const rows = this.#rows(op);
    switch (op.op) {
      case 'const':
        return () => void r.fill(Number(op.value));
      case 'programId':
        return () => void (r[0] = this.instance.id[op.axis]);
      case 'iota':
        return () => r.forEach((_, i) => (r[i] = i));
      case 'unary':
        return this.#elementwise(op, rounded(unaryExpression(op.fn, familyOf(element))!, element), rows);
      case 'binary':
        return this.#elementwise(op, rounded(binaryExpression(op.fn, familyOf(element))!, element), rows);
      case 'compare':
        return this.#elementwise(op, compareExpression(op.fn), rows);
      case 'select':
        return this.#elementwise(op, 'x ? y : z', rows);
      case 'cast': {
        const expression = castExpression(familyOf(op.a.type.element), familyOf(element));
        return this.#elementwise(op, rounded(expression, element), rows);
      }
      case 'broadcast':
        return planBroadcast(op.a.type, op.result.type, this.storage(op.a), r, rows);
      case 'reshape':
        return planReshape(op.result.type, this.storage(op.a), r, rows);
      case 'transpose':
        return planTranspose(op.a.type, op.result.type, op.permutation, this.storage(op.a), r, rows);
      case 'reduce':
        return planReduce(op, this.storage(op.a), r, rows);
      case 'dot': {
        const floats = (v: Value) => this.storage(v) as Float32Array;
        return planDot(op, floats(op.a), floats(op.b), op.acc && floats(op.acc), floats(op.result), rows);
      }
      case 'load':
        return planLoad(op, this);
    }
  }

  #elementwise(op: PureOp, expression: string, rows: RowRange): Step {
    const r = this.storage(op.result);
    const [a, b, c] = operandsOf(op).map((v) => this.storage(v));
    const inner = isScalar(op.result.type) ? 1 : sizeOf(op.result.type) / op.result.type.shape[0]!;
    const loop = elementwise(expression, r, b ? (c ? [a!, b, c] : [a!, b]) : [a!]);
    return () => loop(rows.from * inner, rows.to * inner, r, a!, b!, c!);
  }

  #copy(from: readonly Value[], to: readonly Value[]): Step {
    return parallelCopy(
      from.map((v) => this.storage(v)),
      to.map((v) => this.storage(v)),
    );
  }

  /** Loops keep carried values in their parameters' storage, and that is where the results are. */
  #enter(op: ForOp | RaggedOp, carried: readonly Value[]): Step {
    for (const value of carried) this.#own.set(value, op.body);
    op.results.forEach((result, i) => this.#storage.set(result, this.storage(carried[i]!)));
    return this.#copy(op.inits, carried);
  }

  planFor(op: ForOp): Step {
    const [iv, ...carried] = op.body.params as [Value, ...Value[]];
    const enter = this.#enter(op, carried);
    const body = this.region(op.body);
    const next = this.#copy(op.body.yields, carried);
    const [lo, hi, at] = [this.storage(op.lo), this.storage(op.hi), this.storage(iv)];
    return () => {
      enter();
      const end = hi[0]!;
      for (let i = lo[0]!; i < end; i += op.step) {
        at[0] = i;
        runAll(body);
        next();
      }
    };
  }

  planRagged(op: RaggedOp): Step {
    const [entry, trip, ...carried] = op.body.params as [Value, Value, ...Value[]];
    const enter = this.#enter(op, carried);
    const trips = this.region(op.trips);
    const body = this.region(op.body);
    const next = this.#copy(op.body.yields, carried);
    const [lo, hi, count] = [this.storage(op.lo), this.storage(op.hi), this.storage(op.trips.yields[0]!)];
    const [tripsEntry, bodyEntry, bodyTrip] = [
      this.storage(op.trips.params[0]!),
      this.storage(entry),
      this.storage(trip),
    ];
    return () => {
      enter();
      const end = hi[0]!;
      for (let e = lo[0]!; e < end; e += op.step) {
        tripsEntry[0] = e;
        runAll(trips);
        bodyEntry[0] = e;
        for (let t = 0, until = count[0]!; t < until; t++) {
          bodyTrip[0] = t;
          runAll(body);
          next();
        }
      }
    };
  }

  planIf(op: IfOp): Step {
    const cond = this.storage(op.cond);
    const [then, otherwise] = [this.region(op.then), this.region(op.else)];
    const fromThen = this.#copy(op.then.yields, op.results);
    const fromElse = this.#copy(op.else.yields, op.results);
    return () => {
      runAll(cond[0] ? then : otherwise);
      (cond[0] ? fromThen : fromElse)();
    };
  }

  /**
   * The body's parameters are the incoming tiles themselves. It runs for an empty range too, since its loads may be
   * carried out before the range is looked at. A predicated body is taken at its word: its results are used whole, so
   * that one which changes rows outside the range is seen to do so.
   */
  planRows(op: RowsOp, region: Region): Step {
    const extent = op.inits[0]?.type.shape[0] ?? 0;
    const range: RowRange = { from: 0, to: extent };
    op.body.params.forEach((param, i) => this.#storage.set(param, this.storage(op.inits[i]!)));
    if (!op.predicated) for (const value of valuesOnRowsOnly(op)) this.#narrow.set(value, range);
    const body = this.region(op.body);
    // An incoming tile that nobody else reads becomes the result: its other rows need no copy.
    op.results.forEach((result, i) => {
      const init = op.inits[i]!;
      const own = this.#own.get(init) === region && this.#uses.get(init) === 1 && !this.#static.has(init);
      if (own) this.#storage.set(result, this.storage(init));
    });
    const keep = this.#copy(op.inits, op.results);
    const parts = op.results.map((result, i) => ({
      to: this.storage(result),
      from: this.storage(op.body.yields[i]!),
      inner: sizeOf(result.type) / (result.type.shape[0] ?? 1),
    }));
    // Yielding a parameter in another's place must not see that parameter's new rows.
    for (const part of parts) {
      if (parts.some((p) => p !== part && p.to === part.from)) part.from = part.from.slice();
    }
    const aside = parts.flatMap((part, i) => {
      const source = this.storage(op.body.yields[i]!);
      return source === part.from ? [] : [{ source, target: part.from }];
    });
    const [lo, hi] = [this.storage(op.lo), this.storage(op.hi)];
    const mask = op.mask && !op.predicated ? this.storage(op.mask) : undefined;
    return () => {
      const from = op.predicated ? 0 : Math.min(extent, Math.max(0, lo[0]!));
      const to = op.predicated ? extent : Math.min(extent, hi[0]!);
      range.from = from;
      range.to = Math.max(from, to);
      runAll(body);
      for (const { source, target } of aside) target.set(source);
      keep();
      // A run of rows at a time: all of the range, or what of it the mask leaves.
      for (let row = range.from, end = range.to; row < range.to; row = end) {
        while (mask && row < range.to && !mask[row]) row++;
        end = range.to;
        for (let i = row; mask && i < end; i++) if (!mask[i]) end = i;
        for (const p of parts) p.to.set(p.from.subarray(row * p.inner, end * p.inner), row * p.inner);
      }
    };
  }
}

export function planKernel(kernel: Kernel): Plan {
  const planner = new Planner();
  const scalars = new Map<string, TileData>();
  for (const param of kernel.params) {
    if (param.kind === 'tensor') planner.tensor(param);
    else scalars.set(param.name, planner.storage(param.value));
  }
  const run = planner.kernel(kernel);
  return { tensors: [...planner.tensors.values()], scalars, instance: planner.instance, run };
}
