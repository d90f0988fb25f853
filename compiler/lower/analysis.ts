/**
 * What lowering needs to know of a kernel before it emits anything: definitions, uses, and for every tile value the form
 * it will take:
 * - lazy: index and mask arithmetic over iota, constants, scalars and read-only tables. It costs no registers; it is
 *   evaluated at the coordinates where it is needed.
 * - anchored: data that lives in registers in a layout (loads used as data, dot and reduction results, carried tiles and
 *   everything computed from them).
 * - staged: a load that only feeds dots; it goes to shared memory, not through registers.
 */
import {
  isRegionOp,
  isScalar,
  operandsOf,
  regionsOf,
  resultsOf,
  type Kernel,
  type LoadOp,
  type Op,
  type Region,
  type TensorParam,
  type Value,
  type BroadcastOp,
  type ReshapeOp,
  type TransposeOp,
} from '../ir/nodes.ts';

export type Role = 'index' | 'mask' | 'dotA' | 'dotB' | 'data' | 'elementwise' | 'yield';

export interface Use {
  readonly op: Op;
  readonly role: Role;
}

export interface Definition {
  /** Absent for region parameters and kernel scalars. */
  readonly op?: Op;
  readonly region: Region;
}

const elementwise = new Set([
  'unary',
  'binary',
  'compare',
  'select',
  'cast',
  'broadcast',
  'reshape',
  'transpose',
]);
export const isView = (op: Op | undefined): op is BroadcastOp | ReshapeOp | TransposeOp =>
  op?.op === 'broadcast' || op?.op === 'reshape' || op?.op === 'transpose';
export const isElementwise = (op: Op): boolean => elementwise.has(op.op);

export class Analysis {
  readonly definitions = new Map<number, Definition>();
  readonly uses = new Map<number, Use[]>();
  readonly parent = new Map<Region, Region>();
  /** The op whose region it is. */
  readonly owner = new Map<Region, Op>();
  readonly values: Value[] = [];
  readonly regionOf = new Map<Op, Region>();
  readonly anchored = new Set<number>();
  readonly staged = new Set<number>();
  readonly written = new Set<string>();
  readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    for (const p of kernel.params) if (p.kind === 'scalar') this.define(p.value, { region: kernel.body });
    this.visit(kernel.body);
    this.classify(kernel.body);
  }

  private define(v: Value, d: Definition): void {
    this.definitions.set(v.id, d);
    this.values.push(v);
  }

  private use(v: Value, op: Op, role: Role): void {
    const list = this.uses.get(v.id);
    if (list) list.push({ op, role });
    else this.uses.set(v.id, [{ op, role }]);
  }

  private visit(region: Region): void {
    for (const p of region.params) this.define(p, { region });
    for (const op of region.ops) {
      this.regionOf.set(op, region);
      this.operandRoles(op);
      for (const r of regionsOf(op)) {
        this.parent.set(r, region);
        this.owner.set(r, op);
        this.visit(r);
        for (const y of r.yields) this.use(y, op, 'yield');
      }
      for (const r of resultsOf(op)) this.define(r, { op, region });
      if (op.op === 'store' || op.op === 'atomic') this.written.add(op.tensor.name);
    }
  }

  private operandRoles(op: Op): void {
    if (op.op === 'load' || op.op === 'store' || op.op === 'atomic') {
      for (const i of op.indices) this.use(i, op, 'index');
      if (op.mask) this.use(op.mask, op, 'mask');
      if (op.op === 'load' && op.other) this.use(op.other, op, 'mask');
      if (op.op === 'load' && op.evictFirst) this.use(op.evictFirst, op, 'mask');
      if (op.op !== 'load') this.use(op.value, op, 'data');
      return;
    }
    if (op.op === 'dot') {
      this.use(op.a, op, 'dotA');
      this.use(op.b, op, 'dotB');
      if (op.acc) this.use(op.acc, op, 'data');
      return;
    }
    for (const v of operandsOf(op)) this.use(v, op, isElementwise(op) ? 'elementwise' : 'data');
  }

  readonly usesOf = (v: Value): readonly Use[] => this.uses.get(v.id) ?? [];
  readonly definition = (v: Value): Definition => this.definitions.get(v.id)!;

  /** Nothing in the kernel writes it, so a load may be repeated or moved. */
  readonly readOnly = (t: TensorParam): boolean => !this.written.has(t.name);

  private readonly dataMemo = new Map<number, boolean>();
  /** Some use needs the elements in registers (not just as an index, a mask or a dot operand in shared memory). */
  private neededAsData(v: Value): boolean {
    const memo = this.dataMemo.get(v.id);
    if (memo !== undefined) return memo;
    this.dataMemo.set(v.id, false);
    const needed = this.usesOf(v).some(({ op, role }) => {
      if (role === 'data' || role === 'yield') return true;
      if (role === 'elementwise' && 'result' in op) {
        const result = (op as { result: Value }).result;
        if (this.neededAsData(result)) return true;
        const feedsDot = this.usesOf(result).some((u) => u.role === 'dotA' || u.role === 'dotB');
        return feedsDot && op.op !== 'transpose';
      }
      return false;
    });
    this.dataMemo.set(v.id, needed);
    return needed;
  }

  /** A load whose every use is a dot operand, directly or through a transpose. */
  private feedsOnlyDots(v: Value): boolean {
    return this.usesOf(v).every(
      ({ op, role }) =>
        role === 'dotA' || role === 'dotB' || (op.op === 'transpose' && this.feedsOnlyDots(op.result)),
    );
  }

  private classify(region: Region): void {
    for (const op of region.ops) {
      if (isRegionOp(op)) {
        for (const r of regionsOf(op)) {
          if (op.op !== 'ragged' || r === op.body)
            for (const p of r.params) if (!isScalar(p.type)) this.anchored.add(p.id);
          this.classify(r);
        }
        for (const r of op.results) if (!isScalar(r.type)) this.anchored.add(r.id);
      } else if ('result' in op && !isScalar(op.result.type)) this.classifyTile(op, op.result);
    }
  }

  private classifyTile(op: Op, result: Value): void {
    if (op.op === 'dot' || op.op === 'reduce') this.anchored.add(result.id);
    else if (op.op === 'load') {
      if (this.isStaged(op)) this.staged.add(result.id);
      else if (this.neededAsData(result) || !this.readOnly(op.tensor)) this.anchored.add(result.id);
    } else if (isElementwise(op) && operandsOf(op).some((v) => this.anchored.has(v.id)))
      this.anchored.add(result.id);
  }

  private isStaged(op: LoadOp): boolean {
    return (
      op.result.type.shape.length === 2 && this.usesOf(op.result).length > 0 && this.feedsOnlyDots(op.result)
    );
  }

  /** Whether `inner` is `outer` or nested in it. */
  within(inner: Region, outer: Region): boolean {
    for (let r: Region | undefined = inner; r; r = this.parent.get(r)) if (r === outer) return true;
    return false;
  }
}
