/** What a kernel function receives as `k`: parameters, sources of tiles, `dot`, and control flow. */
import type { Dim, Element, TensorParam, Value } from '../compiler/ir/nodes.ts';
import type { Span } from '../compiler/ir/span.ts';
import { fail } from '../compiler/diagnostics/error.ts';
import * as control from './control.ts';
import type { TileRecord } from './control.ts';
import { isElement, type StorageElement } from './elements.ts';
import type { Extent, Extents, Shape, Shaped } from './shapes.ts';
import { checkShape, Tile } from './tile.ts';
import { Tensor } from './tensor.ts';
import { describe, type Tracer } from './tracer.ts';

/* eslint-disable @typescript-eslint/no-explicit-any */

/** A scalar i32 tile or a number. */
export type Scalar = number | Shaped<'i32', readonly []>;
export interface Range {
  /** Default 0. */
  readonly from?: Scalar;
  /** Exclusive. */
  readonly to: Scalar;
}

/** Rows of a row region: a range, a mask, or what is in both. */
export type Rows = Range | (Partial<Range> & { readonly where: Shaped<'bool', readonly [number]> });

/** What a region returns for carried values R: the same keys, elements and shapes. */
export type Next<R extends TileRecord> = {
  readonly [K in keyof R]: R[K] extends Shaped<infer E, infer S extends Shape> ? Shaped<E, S> : never;
} & { readonly tracer?: never };

type Result<R extends TileRecord> = { readonly [K in keyof R]: R[K] };
type Returned<R extends TileRecord> = keyof R extends never ? void | Next<R> : Next<R>;

export interface TensorOptions {
  /** In elements; default row-major and contiguous. A string names a run-time i32 argument. */
  readonly strides?: readonly Dim[];
}

const identifier = /^[A-Za-z][A-Za-z0-9_]*$/;

/** Errors of all methods: PAT0101, PAT0102, PAT0108, PAT0109, PAT0110, PAT0111. */
export class KernelContext {
  readonly #tracer: Tracer;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** A tensor that the kernel reads. A string dim names a run-time i32 argument, shared by all tensors that use it. */
  input<E extends StorageElement>(
    name: string,
    element: E,
    dims: readonly Dim[],
    options?: TensorOptions,
  ): Tensor<E> {
    return this.#tensor(name, element, dims, 'read', options);
  }
  /** A tensor that the kernel writes and never reads. */
  output<E extends StorageElement>(
    name: string,
    element: E,
    dims: readonly Dim[],
    options?: TensorOptions,
  ): Tensor<E> {
    return this.#tensor(name, element, dims, 'write', options);
  }
  /** A tensor that the kernel reads and writes. */
  inout<E extends StorageElement>(
    name: string,
    element: E,
    dims: readonly Dim[],
    options?: TensorOptions,
  ): Tensor<E> {
    return this.#tensor(name, element, dims, 'readwrite', options);
  }

  /** A run-time number. */
  scalar<E extends 'f32' | 'i32' | 'u32'>(name: string, element: E): Tile<E, readonly []> {
    const { span } = this.#tracer.place();
    this.#free(name, span);
    return this.#tile(this.#scalar(name, element, span));
  }

  /** The run-time extent or stride of that name, as a scalar. */
  dim(name: string): Tile<'i32', readonly []> {
    const { span } = this.#tracer.place();
    const param = this.#tracer.dims.get(name);
    if (!param) {
      const known = [...this.#tracer.dims.keys()];
      fail('PAT0110', `no tensor has a dimension named \`${name}\``, {
        span,
        help: known.length
          ? `named dimensions: ${known.join(', ')}`
          : 'declare the tensor before its dimension is used',
      });
    }
    return this.#tile(param.value);
  }

  /** This instance's coordinate in the launch grid. */
  programId(axis: 0 | 1 | 2): Tile<'i32', readonly []> {
    const { span, name } = this.#tracer.place();
    return this.#tile(
      this.#tracer.pure({ op: 'programId', axis, span }, { element: 'i32', shape: [] }, name),
    );
  }

  /** 0, 1, … n-1. */
  iota<const N extends number>(n: N): Tile<'i32', readonly [Extent<N>]> {
    const { span, name } = this.#tracer.place();
    const shape = checkShape([n], 'iota', span);
    return this.#tile(this.#tracer.pure({ op: 'iota', span }, { element: 'i32', shape }, name));
  }

  /** The same number in every element. */
  full<const D extends readonly number[], E extends Element = 'f32'>(
    shape: D,
    value: number | boolean,
    element: E = 'f32' as E,
  ): Tile<E, Extents<D>> {
    const { span, name } = this.#tracer.place();
    return this.#constant(checkShape(shape, 'full', span), value, element, span, name);
  }
  zeros<const D extends readonly number[], E extends Element = 'f32'>(
    shape: D,
    element: E = 'f32' as E,
  ): Tile<E, Extents<D>> {
    const { span, name } = this.#tracer.place();
    return this.#constant(
      checkShape(shape, 'zeros', span),
      element === 'bool' ? false : 0,
      element,
      span,
      name,
    );
  }
  /** A scalar constant. */
  const<E extends Element = 'f32'>(value: number | boolean, element: E = 'f32' as E): Tile<E, readonly []> {
    const { span, name } = this.#tracer.place();
    return this.#constant([], value, element, span, name);
  }

  /** Matrix product [m, k] · [k, n] (+ acc), accumulated in f32. */
  dot<E extends 'f32' | 'f16' | 'bf16', M, K, N>(
    a: Shaped<E, readonly [M, K]>,
    b: Shaped<NoInfer<E>, readonly [NoInfer<K>, N]>,
    acc?: Shaped<'f32', readonly [NoInfer<M>, NoInfer<N>]>,
  ): Tile<'f32', readonly [M, N]> {
    const tracer = this.#tracer;
    const { span, name } = tracer.place();
    const x = tracer.use(a, 'the left operand of dot', span);
    const y = tracer.use(b, 'the right operand of dot', span);
    const c = acc === undefined ? undefined : tracer.use(acc, 'the accumulator of dot', span);
    return this.#tile(tracer.pure({ op: 'dot', a: x, b: y, span, ...(c && { acc: c }) }, x.type, name));
  }

  /**
   * for i = from; i < to; i += step. `body` takes the carried record and returns the next one; the loop returns the last.
   * `step` is a positive number known at trace time.
   */
  loop<R extends TileRecord>(
    range: Range & { readonly step?: number },
    carried: R,
    body: (i: Tile<'i32', readonly []>, carried: R) => Returned<R>,
  ): Result<R> {
    return control.loop(this.#tracer, range, carried, body as never) as any;
  }

  /**
   * One flat loop: for e = from; e < to; e += step, for t in [0, trips(e)). `trips` may read memory but not the carried values;
   * `step` is a positive number known at trace time.
   */
  ragged<R extends TileRecord>(
    range: Range & { readonly step?: number; readonly trips: (e: Tile<'i32', readonly []>) => Scalar },
    carried: R,
    body: (e: Tile<'i32', readonly []>, t: Tile<'i32', readonly []>, carried: R) => Returned<R>,
  ): Result<R> {
    return control.ragged(this.#tracer, range, carried, body as never) as any;
  }

  /**
   * Applies `body` to rows [from, to) (axis 0) of the carried tiles, of those only where `where` holds, and leaves their other
   * rows as they were. No stores. Warps that hold no such row skip it.
   */
  rows<R extends TileRecord>(range: Rows, carried: R, body: (carried: R) => Next<R>): Result<R> {
    return control.rows(this.#tracer, range, carried, body as never) as any;
  }

  /** A branch on a scalar bool. Either both sides give records of the same keys and types, or none gives anything. */
  when<R extends TileRecord | void>(
    cond: Shaped<'bool', readonly []>,
    then: () => R,
    ...otherwise: R extends TileRecord ? [otherwise: () => Next<R>] : [otherwise?: () => void]
  ): R extends TileRecord ? Result<R> : void {
    return control.when(this.#tracer, cond, then, otherwise[0]) as any;
  }

  #tile(value: Value): any {
    return new Tile(this.#tracer, value);
  }

  #constant(
    shape: readonly number[],
    value: number | boolean,
    element: Element,
    span: Span,
    name: string | undefined,
  ): any {
    if (!isElement(element)) fail('PAT0110', `${describe(element)} is not an element type`, { span });
    const constant = this.#tracer.constant(value, { element, shape }, span);
    if (name !== undefined) constant.name = name;
    return this.#tile(constant);
  }

  #free(name: unknown, span: Span): void {
    if (typeof name !== 'string' || !identifier.test(name))
      fail('PAT0110', `a parameter is named ${describe(name)}; a name is letters, digits and _`, { span });
    if (this.#tracer.params.some((p) => p.name === name))
      fail('PAT0110', `there is already a parameter named \`${name}\``, { span });
  }

  #scalar(name: string, element: 'f32' | 'i32' | 'u32', span: Span): Value {
    if (element !== 'f32' && element !== 'i32' && element !== 'u32')
      fail('PAT0102', `scalar \`${name}\` is ${describe(element)}; run-time numbers are f32, i32 or u32`, {
        span,
      });
    const value = this.#tracer.builder.value({ element, shape: [] }, name);
    this.#tracer.params.push({ kind: 'scalar', name, value, span });
    return value;
  }

  #tensor(
    name: string,
    element: any,
    dims: readonly Dim[],
    access: TensorParam['access'],
    options: TensorOptions = {},
  ): any {
    const { span } = this.#tracer.place();
    this.#free(name, span);
    if (!isElement(element) || (element as Element) === 'bool')
      fail(
        'PAT0110',
        `tensor \`${name}\`: ${describe(element)} is not a storage type (f32, f16, bf16, i32, u32)`,
        { span },
      );
    if (!Array.isArray(dims) || dims.length === 0)
      fail(
        'PAT0110',
        `tensor \`${name}\`: its dimensions are ${describe(dims)}; a list such as ['n', 128] is needed`,
        { span },
      );
    const { strides } = options;
    if (strides && strides.length !== dims.length)
      fail('PAT0101', `tensor \`${name}\` has ${dims.length} dimensions but ${strides.length} strides`, {
        span,
      });
    for (const dim of dims) this.#extent(name, dim, 1, span);
    for (const stride of strides ?? []) this.#extent(name, stride, 0, span);
    const param: TensorParam = {
      kind: 'tensor',
      name,
      element: element as StorageElement,
      dims: [...dims],
      ...(strides && { strides: [...strides] }),
      access,
      span,
    };
    this.#tracer.params.push(param);
    return new Tensor(this.#tracer, param);
  }

  /** A named extent becomes a scalar parameter on its first mention. */
  #extent(tensor: string, dim: unknown, least: number, span: Span): void {
    if (typeof dim === 'number' && Number.isInteger(dim) && dim >= least) return;
    if (typeof dim !== 'string')
      fail('PAT0110', `tensor \`${tensor}\`: ${describe(dim)} is neither a positive integer nor a name`, {
        span,
      });
    if (this.#tracer.dims.has(dim)) return;
    const existing = this.#tracer.params.find((p) => p.name === dim);
    if (existing?.kind === 'scalar' && existing.value.type.element === 'i32') {
      this.#tracer.dims.set(dim, existing);
      return;
    }
    this.#free(dim, span);
    this.#scalar(dim, 'i32', span);
    const param = this.#tracer.params.at(-1);
    if (param?.kind === 'scalar') this.#tracer.dims.set(dim, param);
  }
}
