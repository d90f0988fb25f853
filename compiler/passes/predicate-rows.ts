/**
 * Makes the body of a rows region leave rows outside the range alone by itself, without a second copy of the carried tiles.
 *
 *   acc' = dot(p, v, acc * alpha)   becomes   acc' = dot(p0, v, acc * alpha1)
 *
 * where p0 is p with 0, and alpha1 is alpha with 1, in rows outside the range: neutral operands instead of a select on
 * every accumulator register. The same for sums (0), products (1), maxima (-inf) and minima (+inf); what fits none of these
 * is selected at the yield. A neutral operand is made where it is cheapest: on row vectors before they are broadcast, and
 * for exp2(s - m) by m = +inf. As everywhere in such kernels, 0 * x = 0 is assumed: x finite.
 *
 * Runs after hoist-from-rows and before lowering, which may then skip warps and otherwise just run the body.
 */
import type { BinaryOp, Kernel, Op, Region, RowsOp, TileType, Value } from '../ir/nodes.ts';
import { operandsOf, regionsOf, resultsOf, isRegionOp } from '../ir/nodes.ts';
import { definitions, rewriteKernel, Rewriter } from '../ir/rewrite.ts';
import type { Span } from '../ir/span.ts';

export function predicateRows(kernel: Kernel): Kernel {
  const everything = definitions(kernel.body);
  const constant = (v: Value): number => {
    const op = everything.get(v);
    return op?.op === 'const' ? Number(op.value) : NaN;
  };
  const isWhole = (op: RowsOp): boolean =>
    constant(op.lo) <= 0 && constant(op.hi) >= op.inits[0]!.type.shape[0]!;
  const plans: { plan: Plan; inside: Value; maker: Maker; defs: ReadonlyMap<Value, Op> }[] = [];
  return rewriteKernel(kernel, (op, rewriter) => {
    if (op.op === 'rows' && !op.predicated) {
      const plan = new Plan(op);
      const maker = new Maker(rewriter, op.span);
      const outer = plans.at(-1);
      const within = outer?.plan.restricted.has(op.results[0]!) ? outer.inside : undefined;
      const inside = maker.insideMask(op, isWhole(op), within);
      plans.push({ plan, inside, maker, defs: definitions(op.body) });
      const body = rewriter.region(selectYields(op, plan, inside, maker));
      plans.pop();
      const mask = op.mask || within ? { mask: inside } : {};
      rewriter.emit({ ...op, ...mask, body, predicated: true });
      return true;
    }
    const current = plans.at(-1);
    if (!current || !('result' in op)) return false;
    const { plan, inside, maker, defs } = current;
    if (op.op === 'binary' && plan.maskedSubtrahend.has(op.result)) {
      rewriter.emit({ ...op, b: maker.selectUnderViews(inside, op.b, Infinity, defs) });
      return true;
    }
    const neutral = plan.masked.get(op.result);
    if (neutral === undefined) return false;
    rewriter.emit(op);
    rewriter.replace(op.result, maker.select(inside, op.result, neutral));
    return true;
  });
}

/** The region with a select at every yield that no neutral operand takes care of. */
function selectYields(op: RowsOp, plan: Plan, inside: Value, maker: Maker): Region {
  const ops = [...op.body.ops];
  const yields = op.body.yields.map((y, i) =>
    plan.sunk.has(i) ? y : maker.selectInto(ops, inside, y, op.body.params[i]!),
  );
  return { ...op.body, ops, yields };
}

/** What to do to the body: values replaced by a masked version, subtractions whose right side is masked with +inf. */
class Plan {
  readonly masked = new Map<Value, number>();
  readonly maskedSubtrahend = new Set<Value>();
  /** What updates rely on, whether masked here or where it is made from. */
  private readonly promised = new Map<Value, number>();
  /** Row regions inside, by their first result, that are to leave masked rows alone too. */
  readonly restricted = new Set<Value>();
  /** Yields that need no select. */
  readonly sunk = new Set<number>();
  private readonly spine = new Set<Value>();
  /** Differences that are to be masked, and the exponentials that become 0 by it. */
  private readonly exponentials = new Map<Value, Value>();
  private readonly defs: ReadonlyMap<Value, Op>;
  private readonly users = new Map<Value, Op[]>();
  private readonly rows: number;
  private readonly body: Region;

  constructor(op: RowsOp) {
    this.body = op.body;
    this.defs = definitions(op.body);
    this.rows = op.body.params[0]?.type.shape[0] ?? 0;
    for (const x of op.body.ops) this.use(x, x);
    // Carried values' own update chains must not be masked: find them all first.
    op.body.yields.forEach((y, i) => this.findSpine(y, op.body.params[i]!));
    op.body.yields.forEach((y, i) => {
      if (this.sink(y, op.body.params[i]!)) this.sunk.add(i);
    });
    // inf - inf is no number: where an infinite neutral operand may reach the minuend, the exponential itself is masked.
    for (const [difference, exponential] of this.exponentials)
      if (this.mayBeInfinite((this.defs.get(difference) as BinaryOp).a, new Set()))
        this.masked.set(exponential, 0);
      else this.maskedSubtrahend.add(difference);
  }

  /** What a region inside the body reads is used by the region's op: rows may meet there in ways not looked into. */
  private use(op: Op, by: Op): void {
    const read = [...operandsOf(op), ...regionsOf(op).flatMap((r) => r.yields)];
    for (const v of read) this.users.set(v, [...(this.users.get(v) ?? []), by]);
    for (const r of regionsOf(op)) for (const inner of r.ops) this.use(inner, by);
  }

  private mayBeInfinite(v: Value, seen: Set<Value>): boolean {
    if (seen.has(v)) return false;
    seen.add(v);
    const neutral = this.masked.get(v);
    if (neutral !== undefined) return !Number.isFinite(neutral);
    const op = this.defs.get(v);
    if (!op) return false;
    return isRegionOp(op) || operandsOf(op).some((x) => this.mayBeInfinite(x, seen));
  }

  private findSpine(y: Value, c: Value): boolean {
    const op = this.defs.get(y);
    let found = y === c;
    if (op?.op === 'dot' && op.acc) found = this.findSpine(op.acc, c);
    if (op?.op === 'rows') found = this.findSpine(op.inits[op.results.indexOf(y)]!, c);
    if (op?.op === 'binary') found = this.findSpine(op.a, c) || this.findSpine(op.b, c);
    if (found) this.spine.add(y);
    return found;
  }

  /** Whether y equals c in masked rows once its other operands are neutral; asks for those. */
  private sink(y: Value, c: Value): boolean {
    if (y === c) return true;
    const op = this.defs.get(y);
    if (op?.op === 'dot' && op.acc) return this.sink(op.acc, c) && this.neutralise(op.a, 0);
    if (op?.op === 'rows') return this.sinkRows(op, y, c);
    if (op?.op !== 'binary' || y.type.element !== 'f32') return false;
    return this.sinkBinary(op, op.a, op.b, c) || (op.fn !== 'sub' && this.sinkBinary(op, op.b, op.a, c));
  }

  /** A row region inside leaves rows alone that its mask leaves out. */
  private sinkRows(op: RowsOp, y: Value, c: Value): boolean {
    if (!op.results.every((r) => this.rowLocal(r, new Set()))) return false;
    if (!this.sink(op.inits[op.results.indexOf(y)]!, c)) return false;
    this.restricted.add(op.results[0]!);
    return true;
  }

  private sinkBinary(op: BinaryOp, kept: Value, other: Value, c: Value): boolean {
    const neutral = { add: 0, sub: 0, mul: 1, max: -Infinity, min: Infinity }[op.fn as 'add'];
    if (neutral === undefined || kept === other || !this.spine.has(kept))
      return kept === c && neutral !== undefined ? this.neutralise(other, neutral) : false;
    return this.sink(kept, c) && this.neutralise(other, neutral);
  }

  /** Arranges that v is `n` in masked rows, without disturbing anything else that matters there. */
  private neutralise(v: Value, n: number): boolean {
    const had = this.promised.get(v);
    if (had !== undefined) return had === n;
    const op = this.defs.get(v);
    if (!op || isRegionOp(op) || this.spine.has(v) || !this.rowLocal(v, new Set())) return false;
    this.promised.set(v, n);
    if (this.narrow(op) && this.neutralise((op as { a: Value }).a, n)) return true;
    if (op.op === 'cast' && op.a.type.element === 'f32' && this.neutralise(op.a, n)) return true;
    if (op.op === 'unary' && (op.fn === 'exp2' || op.fn === 'exp') && n === 0 && this.subtracts(op.a))
      this.exponentials.set(op.a, v);
    else this.masked.set(v, n);
    return true;
  }

  /** A view of something smaller that still has one element per row. */
  private narrow(op: Op): boolean {
    return (
      (op.op === 'broadcast' || op.op === 'reshape') &&
      op.a.type.shape[0] === this.rows &&
      this.defs.has(op.a)
    );
  }

  private subtracts(v: Value): boolean {
    const op = this.defs.get(v);
    return op?.op === 'binary' && op.fn === 'sub' && this.users.get(v)?.length === 1 && !this.spine.has(v);
  }

  /** No use lets a masked row reach another row. */
  private rowLocal(v: Value, seen: Set<Value>): boolean {
    if (seen.has(v)) return true;
    seen.add(v);
    if (v.type.shape[0] !== this.rows) return false;
    return (this.users.get(v) ?? []).every((op) => {
      if (
        isRegionOp(op) ||
        op.op === 'store' ||
        op.op === 'atomic' ||
        op.op === 'load' ||
        op.op === 'transpose'
      )
        return false;
      if (op.op === 'reduce' && op.axis === 0) return false;
      if (op.op === 'dot' && op.b === v) return false;
      return resultsOf(op).every((r) => this.rowLocal(r, seen));
    });
  }
}

/** Emits ops of the pass at the rewriter's current place. */
class Maker {
  private readonly rewriter: Rewriter;
  private readonly span: Span;

  constructor(rewriter: Rewriter, span: Span) {
    this.rewriter = rewriter;
    this.span = span;
  }

  private value(element: TileType['element'], shape: readonly number[], name?: string): Value {
    return this.rewriter.fresh({ element, shape }, name);
  }

  /** The rows that a region applies to; with `within`, of those only. */
  insideMask(op: RowsOp, whole: boolean, within?: Value): Value {
    const masks = [op.mask, within].filter((v) => v !== undefined);
    if (masks.length === 0 || !whole) masks.push(this.rangeMask(op));
    return masks.reduce((a, b) => {
      const result = this.value('bool', a.type.shape, 'inside');
      this.rewriter.emit({ op: 'binary', fn: 'and', a, b, span: this.span, result });
      return result;
    });
  }

  private rangeMask(op: RowsOp): Value {
    const shape = [op.inits[0]!.type.shape[0]!];
    const span = this.span;
    const row = this.value('i32', shape, 'row');
    const lo = this.broadcast(op.lo, shape);
    const hi = this.broadcast(op.hi, shape);
    const above = this.value('bool', shape);
    const below = this.value('bool', shape);
    const inside = this.value('bool', shape, 'inside');
    this.rewriter.emit({ op: 'iota', span, result: row });
    this.rewriter.emit({ op: 'compare', fn: 'ge', a: row, b: lo, span, result: above });
    this.rewriter.emit({ op: 'compare', fn: 'lt', a: row, b: hi, span, result: below });
    this.rewriter.emit({ op: 'binary', fn: 'and', a: above, b: below, span, result: inside });
    return inside;
  }

  broadcast(a: Value, shape: readonly number[]): Value {
    const result = this.value(a.type.element, shape, a.name);
    this.rewriter.emit({ op: 'broadcast', a, span: this.span, result });
    return result;
  }

  private reshape(a: Value, shape: readonly number[]): Value {
    const result = this.value(a.type.element, shape, a.name);
    this.rewriter.emit({ op: 'reshape', a, span: this.span, result });
    return result;
  }

  /** The row mask in the shape of a tile whose axis 0 is rows. */
  private maskFor(inside: Value, shape: readonly number[]): Value {
    if (shape.length === 1) return inside;
    const column = this.reshape(inside, [shape[0]!, ...shape.slice(1).map(() => 1)]);
    return shape.slice(1).every((x) => x === 1) ? column : this.broadcast(column, shape);
  }

  /** inside ? v : n. */
  select(inside: Value, v: Value, n: number): Value {
    const b = this.value(v.type.element, v.type.shape);
    this.rewriter.emit({ op: 'const', value: n, span: this.span, result: b });
    const result = this.value(v.type.element, v.type.shape, v.name);
    const cond = this.maskFor(inside, v.type.shape);
    this.rewriter.emit({ op: 'select', cond, a: v, b, span: this.span, result });
    return result;
  }

  /** inside ? v : kept, appended to a list of ops. */
  selectInto(ops: Op[], inside: Value, v: Value, kept: Value): Value {
    const result = this.value(v.type.element, v.type.shape, v.name);
    const cond = this.maskFor(inside, v.type.shape);
    ops.push({ op: 'select', cond, a: v, b: kept, span: this.span, result });
    return result;
  }

  /** Masks below the views of v that only repeat or rename elements of a row, and applies them again. */
  selectUnderViews(inside: Value, v: Value, n: number, defs: ReadonlyMap<Value, Op>): Value {
    const op = defs.get(v);
    if ((op?.op === 'broadcast' || op?.op === 'reshape') && op.a.type.shape[0] === v.type.shape[0]) {
      const inner = this.selectUnderViews(inside, op.a, n, defs);
      return op.op === 'broadcast' ? this.broadcast(inner, v.type.shape) : this.reshape(inner, v.type.shape);
    }
    return this.select(inside, v, n);
  }
}
