/**
 * What passes are written with. Values keep their identity through a rewrite: an op that is kept defines the same Value
 * objects as before, so analyses keyed by Value stay valid, and replacing a value is one entry in a map.
 */
import {
  operandsOf,
  regionsOf,
  resultsOf,
  type Kernel,
  type Op,
  type Region,
  type TileType,
  type Value,
} from './nodes.ts';

/** Every op below `region`, outside in, in program order. `depth` counts enclosing regions. */
export function walk(region: Region, visit: (op: Op, depth: number) => void, depth = 0): void {
  for (const op of region.ops) {
    visit(op, depth);
    for (const inner of regionsOf(op)) walk(inner, visit, depth + 1);
  }
}

/** How often each value is read, by ops and by yields. */
export function useCounts(region: Region): Map<Value, number> {
  const counts = new Map<Value, number>();
  const use = (v: Value): void => void counts.set(v, (counts.get(v) ?? 0) + 1);
  walk(region, (op) => {
    operandsOf(op).forEach(use);
    for (const inner of regionsOf(op)) inner.yields.forEach(use);
  });
  region.yields.forEach(use);
  return counts;
}

/** The op that defines each value; parameters of regions and kernels are absent. */
export function definitions(region: Region): Map<Value, Op> {
  const result = new Map<Value, Op>();
  walk(region, (op) => resultsOf(op).forEach((v) => result.set(v, op)));
  return result;
}

/** Values that `op`, or anything in its regions, reads from outside itself. */
export function freeValues(op: Op): Set<Value> {
  const bound = new Set<Value>();
  const free = new Set<Value>();
  const visit = (o: Op): void => {
    for (const v of operandsOf(o)) if (!bound.has(v)) free.add(v);
    for (const region of regionsOf(o)) {
      region.params.forEach((v) => bound.add(v));
      region.ops.forEach(visit);
      for (const v of region.yields) if (!bound.has(v)) free.add(v);
    }
    resultsOf(o).forEach((v) => bound.add(v));
  };
  visit(op);
  return free;
}

/** One more than the largest value id in the kernel. */
export function nextId(kernel: Kernel): number {
  let last = -1;
  const see = (v: Value): void => void (last = Math.max(last, v.id));
  for (const p of kernel.params) if (p.kind === 'scalar') see(p.value);
  walk(kernel.body, (op) => {
    resultsOf(op).forEach(see);
    for (const region of regionsOf(op)) region.params.forEach(see);
  });
  return last + 1;
}

/** The op with its direct operands mapped; regions as they are. */
export function mapOperands(op: Op, f: (v: Value) => Value): Op {
  switch (op.op) {
    case 'const':
    case 'programId':
    case 'iota':
      return op;
    case 'unary':
    case 'cast':
    case 'broadcast':
    case 'reshape':
    case 'transpose':
    case 'reduce':
      return { ...op, a: f(op.a) };
    case 'binary':
    case 'compare':
      return { ...op, a: f(op.a), b: f(op.b) };
    case 'select':
      return { ...op, cond: f(op.cond), a: f(op.a), b: f(op.b) };
    case 'dot':
      return { ...op, a: f(op.a), b: f(op.b), ...(op.acc && { acc: f(op.acc) }) };
    case 'load':
      return {
        ...op,
        indices: op.indices.map(f),
        ...(op.mask && { mask: f(op.mask) }),
        ...(op.other && { other: f(op.other) }),
        ...(op.evictFirst && { evictFirst: f(op.evictFirst) }),
      };
    case 'store':
    case 'atomic':
      return { ...op, indices: op.indices.map(f), value: f(op.value), ...(op.mask && { mask: f(op.mask) }) };
    case 'if':
      return { ...op, cond: f(op.cond) };
    case 'for':
    case 'ragged':
      return { ...op, lo: f(op.lo), hi: f(op.hi), inits: op.inits.map(f) };
    case 'rows':
      return {
        ...op,
        lo: f(op.lo),
        hi: f(op.hi),
        ...(op.mask && { mask: f(op.mask) }),
        inits: op.inits.map(f),
      };
  }
}

/** The op with its regions mapped, in the order of regionsOf. */
export function mapRegions(op: Op, f: (region: Region) => Region): Op {
  switch (op.op) {
    case 'for':
    case 'rows':
      return { ...op, body: f(op.body) };
    case 'ragged':
      return { ...op, trips: f(op.trips), body: f(op.body) };
    case 'if':
      return { ...op, then: f(op.then), else: f(op.else) };
    default:
      return op;
  }
}

/** The op defining other values. */
export function mapResults(op: Op, f: (v: Value) => Value): Op {
  if (op.op === 'store' || op.op === 'atomic') return op;
  return 'results' in op ? { ...op, results: op.results.map(f) } : { ...op, result: f(op.result) };
}

/**
 * What a pass decides for one op, whose operands are already substituted. It may emit ops before it, replace its results,
 * emit something else, and returns true when it has dealt with the op; otherwise the op is kept (its regions rewritten).
 */
export type Visit = (op: Op, rewriter: Rewriter) => boolean | void;

export class Rewriter {
  #nextId: number;
  readonly #replaced = new Map<Value, Value>();
  #ops: Op[] = [];
  readonly #visit: Visit;

  constructor(kernel: Kernel, visit: Visit) {
    this.#nextId = nextId(kernel);
    this.#visit = visit;
  }

  /** A new value, for an op that the pass makes. */
  fresh(type: TileType, name?: string): Value {
    const id = this.#nextId++;
    return name === undefined ? { id, type } : { id, type, name };
  }

  /** Appends an op at the current place, as it is. */
  emit(op: Op): void {
    this.#ops.push(op);
  }

  /** From here on, uses of `old` read `by`. */
  replace(old: Value, by: Value): void {
    this.#replaced.set(old, by);
  }

  /** What a value has become. */
  lookup(v: Value): Value {
    let value = v;
    for (let next = this.#replaced.get(value); next; next = this.#replaced.get(value)) value = next;
    return value;
  }

  /** Rewrites a region: every op through the visitor, then the yields. */
  region(region: Region): Region {
    const outer = this.#ops;
    this.#ops = [];
    for (const op of region.ops) this.op(op);
    const result = {
      params: region.params,
      ops: this.#ops,
      yields: region.yields.map((v) => this.lookup(v)),
    };
    this.#ops = outer;
    return result;
  }

  /** Rewrites one op at the current place. */
  op(op: Op): void {
    const substituted = mapOperands(op, (v) => this.lookup(v));
    if (!this.#visit(substituted, this)) this.keep(substituted);
  }

  /** Emits the op with its regions rewritten. */
  keep(op: Op): void {
    this.emit(mapRegions(op, (region) => this.region(region)));
  }
}

/** Rewrites every op of a kernel, outside in and in program order. */
export function rewriteKernel(kernel: Kernel, visit: Visit): Kernel {
  return { ...kernel, body: new Rewriter(kernel, visit).region(kernel.body) };
}

/**
 * A copy of ops with new values for everything they define. `substitution` maps the outer values that change (loop
 * variables, carried values) and afterwards also holds old result -> new result.
 */
export function cloneOps(
  ops: readonly Op[],
  substitution: Map<Value, Value>,
  fresh: (type: TileType, name?: string) => Value,
): Op[] {
  const get = (v: Value): Value => substitution.get(v) ?? v;
  const copy = (v: Value): Value => {
    const made = fresh(v.type, v.name);
    substitution.set(v, made);
    return made;
  };
  return ops.map((op) => {
    const inner = mapRegions(mapOperands(op, get), (region) => cloneRegion(region, substitution, fresh));
    return mapResults(inner, copy);
  });
}

/** A copy of a region with new values; see cloneOps. */
export function cloneRegion(
  region: Region,
  substitution: Map<Value, Value>,
  fresh: (type: TileType, name?: string) => Value,
): Region {
  const params = region.params.map((v) => {
    const made = fresh(v.type, v.name);
    substitution.set(v, made);
    return made;
  });
  const ops = cloneOps(region.ops, substitution, fresh);
  return { params, ops, yields: region.yields.map((v) => substitution.get(v) ?? v) };
}
