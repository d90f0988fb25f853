/** Tile values: what a kernel author computes with. Every method appends one op (and the broadcasts it needs). */
import {
  showType,
  type BinaryFn,
  type CompareFn,
  type Element,
  type ReduceFn,
  type UnaryFn,
  type Value,
} from '../compiler/ir/nodes.ts';
import type { Span } from '../compiler/ir/span.ts';
import { fail } from '../compiler/diagnostics/error.ts';
import { isElement } from './elements.ts';
import type { Expanded, Extents, Joined, Operand, Reduced, Shape, Shaped, Turned } from './shapes.ts';
import { describe, type Tracer } from './tracer.ts';

/* eslint-disable @typescript-eslint/no-explicit-any */

/**
 * A tile of static shape, or a scalar (shape []). Elementwise methods broadcast as numpy does, at equal rank: extents of 1
 * stretch, a scalar or a JavaScript number fits everything.
 *
 * Errors: PAT0101 (shapes), PAT0102 (elements), PAT0104 (JavaScript arithmetic), PAT0108 (scope), PAT0110 (operands).
 */
export class Tile<E extends Element = any, S extends Shape = any> implements Shaped<E, S> {
  /** Internal: the trace this value belongs to. */
  readonly tracer: Tracer;
  /** Internal: its SSA value. */
  readonly value: Value;

  constructor(tracer: Tracer, value: Value) {
    this.tracer = tracer;
    this.value = value;
  }

  get element(): E {
    return this.value.type.element as E;
  }
  get shape(): S {
    return this.value.type.shape as unknown as S;
  }

  add<B extends Operand<E, S>>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'add', b);
  }
  sub<B extends Operand<E, S>>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'sub', b);
  }
  mul<B extends Operand<E, S>>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'mul', b);
  }
  /** Integers truncate toward zero. */
  div<B extends Operand<E, S>>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'div', b);
  }
  /** The remainder of `div`; it has the sign of the dividend. */
  rem<B extends Operand<E, S>>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'rem', b);
  }
  min<B extends Operand<E, S>>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'min', b);
  }
  max<B extends Operand<E, S>>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'max', b);
  }
  /** Bitwise on integers, logical on bool; so are `or` and `xor`. */
  and<B extends Operand<E, S> | boolean>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'and', b);
  }
  or<B extends Operand<E, S> | boolean>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'or', b);
  }
  xor<B extends Operand<E, S> | boolean>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'xor', b);
  }
  shl<B extends Operand<E, S>>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'shl', b);
  }
  shr<B extends Operand<E, S>>(b: B): Tile<E, Joined<S, B>> {
    return binary(this, 'shr', b);
  }

  lt<B extends Operand<E, S>>(b: B): Tile<'bool', Joined<S, B>> {
    return compare(this, 'lt', b);
  }
  le<B extends Operand<E, S>>(b: B): Tile<'bool', Joined<S, B>> {
    return compare(this, 'le', b);
  }
  gt<B extends Operand<E, S>>(b: B): Tile<'bool', Joined<S, B>> {
    return compare(this, 'gt', b);
  }
  ge<B extends Operand<E, S>>(b: B): Tile<'bool', Joined<S, B>> {
    return compare(this, 'ge', b);
  }
  eq<B extends Operand<E, S>>(b: B): Tile<'bool', Joined<S, B>> {
    return compare(this, 'eq', b);
  }
  ne<B extends Operand<E, S>>(b: B): Tile<'bool', Joined<S, B>> {
    return compare(this, 'ne', b);
  }

  neg(): Tile<E, S> {
    return unary(this, 'neg');
  }
  abs(): Tile<E, S> {
    return unary(this, 'abs');
  }
  exp(): Tile<E, S> {
    return unary(this, 'exp');
  }
  exp2(): Tile<E, S> {
    return unary(this, 'exp2');
  }
  log(): Tile<E, S> {
    return unary(this, 'log');
  }
  log2(): Tile<E, S> {
    return unary(this, 'log2');
  }
  sqrt(): Tile<E, S> {
    return unary(this, 'sqrt');
  }
  rsqrt(): Tile<E, S> {
    return unary(this, 'rsqrt');
  }
  tanh(): Tile<E, S> {
    return unary(this, 'tanh');
  }
  erf(): Tile<E, S> {
    return unary(this, 'erf');
  }
  sin(): Tile<E, S> {
    return unary(this, 'sin');
  }
  cos(): Tile<E, S> {
    return unary(this, 'cos');
  }
  floor(): Tile<E, S> {
    return unary(this, 'floor');
  }
  ceil(): Tile<E, S> {
    return unary(this, 'ceil');
  }
  /** Logical; bool only. */
  not(): Tile<E, S> {
    return unary(this, 'not');
  }

  /** Elementwise choice: `this ? a : b`; this is bool. A number takes the other side's element type. */
  where<A extends Shaped | number, B extends Shaped | number>(
    a: A,
    b: B,
  ): Tile<A extends Shaped<infer X> ? X : B extends Shaped<infer Y> ? Y : any, Joined<Joined<S, A>, B>> {
    const { span, name } = this.tracer.place();
    const cond = this.tracer.use(this, 'the condition', span);
    const typed = [a, b].find((x) => typeof x !== 'number') as Tile | undefined;
    if (!typed)
      fail('PAT0110', 'where: one of the two sides must be a tile', {
        span,
        help: `write k.const(${describe(a)}, 'f32')`,
      });
    const element = this.tracer.use(typed, 'a side of where', span).type.element;
    const sides = [a, b].map((x) => this.tracer.operand(x, element, 'a side of where', span));
    const [c, x, y] = this.tracer.broadcastAll('where', [cond, ...sides], span);
    return make(this.tracer, this.tracer.pure({ op: 'select', cond: c!, a: x!, b: y!, span }, x!.type, name));
  }

  /** Conversion: halves round to nearest even, float to int truncates, bool gives 0 or 1. */
  cast<T extends Element>(element: T): Tile<T, S> {
    const { span, name } = this.tracer.place();
    const a = this.tracer.use(this, 'the operand', span);
    if (!isElement(element)) fail('PAT0110', `cast: ${describe(element)} is not an element type`, { span });
    if (a.type.element === element) return unchanged(this, name);
    return make(
      this.tracer,
      this.tracer.pure({ op: 'cast', a, span }, { element, shape: a.type.shape }, name),
    );
  }

  /** Inserts an extent of 1 before `axis` (0 … rank). */
  expand<const A extends number>(axis: A): Tile<E, Expanded<S, A>> {
    const { span, name } = this.tracer.place();
    const a = this.tracer.use(this, 'the operand', span);
    const { shape, element } = a.type;
    if (!Number.isInteger(axis) || axis < 0 || axis > shape.length)
      fail('PAT0110', `expand: axis ${axis} of ${showType(a.type)} must be 0 … ${shape.length}`, { span });
    const to = [...shape.slice(0, axis), 1, ...shape.slice(axis)];
    return make(this.tracer, this.tracer.pure({ op: 'reshape', a, span }, { element, shape: to }, name));
  }

  /** Stretches a scalar, or extents of 1, to `shape`. */
  broadcast<const D extends readonly number[]>(shape: D): Tile<E, Extents<D>> {
    const { span, name } = this.tracer.place();
    const a = this.tracer.use(this, 'the operand', span);
    const to = { element: a.type.element, shape: checkShape(shape, 'broadcast', span) };
    if (showType(to) === showType(a.type)) return unchanged(this, name);
    return make(this.tracer, this.tracer.pure({ op: 'broadcast', a, span }, to, name));
  }

  /** The same elements in row-major order under another shape. */
  reshape<const D extends readonly number[]>(shape: D): Tile<E, Extents<D>> {
    const { span, name } = this.tracer.place();
    const a = this.tracer.use(this, 'the operand', span);
    const to = { element: a.type.element, shape: checkShape(shape, 'reshape', span) };
    if (showType(to) === showType(a.type)) return unchanged(this, name);
    return make(this.tracer, this.tracer.pure({ op: 'reshape', a, span }, to, name));
  }

  /** Result axis i is operand axis permutation[i]. */
  transpose(permutation: readonly number[]): Tile<E, any> {
    const { span, name } = this.tracer.place();
    const a = this.tracer.use(this, 'the operand', span);
    if (!Array.isArray(permutation))
      fail('PAT0110', `transpose takes a permutation such as [1, 0], not ${describe(permutation)}`, { span });
    return make(
      this.tracer,
      this.tracer.pure({ op: 'transpose', a, permutation: [...permutation], span }, a.type, name),
    );
  }

  /** The transpose of a matrix. */
  get T(): Tile<E, Turned<S>> {
    const { span, name } = this.tracer.place();
    const a = this.tracer.use(this, 'the operand', span);
    if (a.type.shape.length !== 2)
      fail('PAT0101', `.T is of matrices; this is ${showType(a.type)}`, {
        span,
        help: 'use .transpose(permutation)',
      });
    return make(
      this.tracer,
      this.tracer.pure({ op: 'transpose', a, permutation: [1, 0], span }, a.type, name),
    );
  }

  /** Reductions remove `axis`. */
  reduceSum<const A extends number>(axis: A): Tile<E, Reduced<S, A>> {
    return reduce(this, 'sum', axis);
  }
  reduceMax<const A extends number>(axis: A): Tile<E, Reduced<S, A>> {
    return reduce(this, 'max', axis);
  }
  reduceMin<const A extends number>(axis: A): Tile<E, Reduced<S, A>> {
    return reduce(this, 'min', axis);
  }

  /** `+`, `<`, template strings and the like end here; `if (tile)` cannot be trapped (`patc check` finds it). */
  [Symbol.toPrimitive](hint: string): never {
    const { span } = this.tracer.place();
    const text = hint === 'string' ? 'as a string' : 'in JavaScript arithmetic or comparison';
    fail('PAT0104', `a traced value (${showType(this.value.type)}) is used ${text}`, {
      span,
      notes: [{ text: 'while the kernel is traced its tiles have no numbers yet' }],
      help: 'use the methods: a.add(b), a.mul(b), a.lt(b), cond.where(a, b)',
    });
  }

  /** What console.log shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `Tile ${this.value.name ?? `%${this.value.id}`}: ${showType(this.value.type)}`;
  }
}

const make = (tracer: Tracer, value: Value): any => new Tile(tracer, value);

/** A conversion that changes nothing still names an unnamed value. */
function unchanged(tile: Tile, name: string | undefined): any {
  if (name !== undefined) tile.value.name ??= name;
  return tile;
}

export function checkShape(shape: unknown, what: string, span: Span): readonly number[] {
  if (!Array.isArray(shape))
    fail('PAT0110', `${what}: the shape is ${describe(shape)}; an array is needed`, { span });
  for (const extent of shape as unknown[])
    if (typeof extent !== 'number' || !Number.isInteger(extent) || extent < 1)
      fail(
        'PAT0110',
        `${what}: extent ${describe(extent)} in [${shape.map(describe).join(', ')}] is not a positive integer`,
        {
          span,
          help: 'tile shapes are static: use spec and tile numbers, and a mask for what lies outside',
        },
      );
  return [...(shape as number[])];
}

function binary(self: Tile, fn: BinaryFn, b: unknown): any {
  const { tracer } = self;
  const { span, name } = tracer.place();
  const left = tracer.use(self, 'the left operand', span);
  const right = tracer.operand(b, left.type.element, `the right operand of ${fn}`, span);
  const [x, y] = tracer.broadcastAll(fn, [left, right], span);
  return make(tracer, tracer.pure({ op: 'binary', fn, a: x!, b: y!, span }, x!.type, name));
}

function compare(self: Tile, fn: CompareFn, b: unknown): any {
  const { tracer } = self;
  const { span, name } = tracer.place();
  const left = tracer.use(self, 'the left operand', span);
  const right = tracer.operand(b, left.type.element, `the right operand of ${fn}`, span);
  const [x, y] = tracer.broadcastAll(fn, [left, right], span);
  return make(tracer, tracer.pure({ op: 'compare', fn, a: x!, b: y!, span }, x!.type, name));
}

function unary(self: Tile, fn: UnaryFn): any {
  const { tracer } = self;
  const { span, name } = tracer.place();
  const a = tracer.use(self, 'the operand', span);
  return make(tracer, tracer.pure({ op: 'unary', fn, a, span }, a.type, name));
}

function reduce(self: Tile, fn: ReduceFn, axis: number): any {
  const { tracer } = self;
  const { span, name } = tracer.place();
  const a = tracer.use(self, 'the operand', span);
  return make(tracer, tracer.pure({ op: 'reduce', fn, a, axis, span }, a.type, name));
}
