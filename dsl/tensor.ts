/** Tensors in global memory: gathers, scatters and atomics, all masked where asked. */
import { showType, type AtomicFn, type TensorParam, type Value } from '../compiler/ir/nodes.ts';
import { broadcastShapes, checkAccess, stretches } from '../compiler/ir/rules.ts';
import type { Span } from '../compiler/ir/span.ts';
import { fail } from '../compiler/diagnostics/error.ts';
import type { StorageElement } from './elements.ts';
import type { Gathered, Shaped } from './shapes.ts';
import { Tile } from './tile.ts';
import { describe, type Tracer } from './tracer.ts';

/* eslint-disable @typescript-eslint/no-explicit-any */

/** One index per dimension: an i32 tile, an i32 scalar or a number. */
export type Index = number | Shaped<'i32'>;

export interface LoadOptions<E extends StorageElement> {
  /** Where false, nothing is read and the element is `other`. Broadcasts to the shape of the access. */
  readonly mask?: Shaped<'bool'>;
  /** Default 0. */
  readonly other?: number | Shaped<E>;
  /**
   * Where true, nobody reads the elements again soon: caches may drop them before others. A hint, which tensor copies on
   * Hopper follow; elsewhere it has no effect.
   */
  readonly evictFirst?: boolean | Shaped<'bool', readonly []>;
}

export interface StoreOptions {
  /** Where false, nothing is written. */
  readonly mask?: Shaped<'bool'>;
}

/** A tensor parameter of element E. Errors: PAT0101, PAT0102, PAT0110; PAT0111 for writes where none may be. */
export class Tensor<E extends StorageElement = any> {
  readonly #tracer: Tracer;
  readonly param: TensorParam;

  constructor(tracer: Tracer, param: TensorParam) {
    this.#tracer = tracer;
    this.param = param;
  }

  get element(): E {
    return this.param.element as E;
  }

  /** Gathers the elements at `indices`, one per dimension, broadcast together as elementwise operands are. */
  load<const I extends readonly Index[]>(indices: I, options: LoadOptions<E> = {}): Tile<E, Gathered<I>> {
    return this.#load(indices, options);
  }

  /** The one element at scalar indices. */
  at(...indices: (number | Shaped<'i32', readonly []>)[]): Tile<E, readonly []> {
    return this.#load(indices, {});
  }

  #load(indices: readonly Index[], options: LoadOptions<E>): any {
    const tracer = this.#tracer;
    const { span, name } = tracer.place();
    const { element } = this.param;
    const values = this.#indices(indices, span);
    const shape = this.#span(values, span);
    const mask = this.#mask(options.mask, shape, span);
    let other: Value | undefined;
    if (options.other !== undefined && mask) {
      other = tracer.operand(options.other, element, '`other`', span);
      if (other.type.shape.length > 0) other = tracer.broadcast(other, shape, span);
    }
    const hint = options.evictFirst ?? false;
    const evictFirst = hint === false ? undefined : tracer.operand(hint, 'bool', '`evictFirst`', span);
    const draft = {
      op: 'load',
      tensor: this.param,
      indices: values,
      span,
      ...(mask && { mask }),
      ...(other && { other }),
      ...(evictFirst && { evictFirst }),
    } as const;
    return new Tile(tracer, tracer.pure(draft, { element, shape }, name));
  }

  /** Scatters `value`. Two unmasked elements at one address are an error of the program. */
  store(indices: readonly Index[], value: number | Shaped<E>, options: StoreOptions = {}): void {
    this.#write('store', indices, value, options);
  }

  /** Adds to what is there; i32, u32 or f32. */
  atomicAdd(indices: readonly Index[], value: number | Shaped<E>, options: StoreOptions = {}): void {
    this.#write('add', indices, value, options);
  }
  atomicMax(indices: readonly Index[], value: number | Shaped<E>, options: StoreOptions = {}): void {
    this.#write('max', indices, value, options);
  }
  atomicMin(indices: readonly Index[], value: number | Shaped<E>, options: StoreOptions = {}): void {
    this.#write('min', indices, value, options);
  }

  #write(fn: 'store' | AtomicFn, indices: readonly Index[], x: unknown, options: StoreOptions): void {
    const tracer = this.#tracer;
    const { span } = tracer.place();
    const { name, element, access, dims } = this.param;
    const what = fn === 'store' ? `a store to \`${name}\`` : `an atomic ${fn} on \`${name}\``;
    const region = tracer.noStores.at(-1);
    if (region)
      fail('PAT0111', `${what} inside ${region}`, {
        span,
        help: 'carry the value out of the region and store it there',
      });
    if (access === 'read' || (fn !== 'store' && access !== 'readwrite'))
      fail('PAT0110', `${what}, which is declared ${access === 'read' ? 'an input' : 'an output'}`, {
        span,
        help: `declare it with ${fn === 'store' ? `k.output or ` : ''}k.inout('${name}', …)`,
      });
    if (fn !== 'store' && !(element === 'i32' || element === 'u32' || (element === 'f32' && fn === 'add')))
      fail('PAT0102', `${what}: atomics take i32 or u32, and add also f32; \`${name}\` holds ${element}`, {
        span,
      });
    const values = this.#indices(indices, span);
    let value = tracer.operand(x, element, 'the stored value', span);
    if (value.type.element !== element)
      fail('PAT0102', `${what}: it holds ${element}, the value is ${showType(value.type)}`, {
        span,
        help: `round explicitly: .cast('${element}')`,
      });
    const spanned = this.#span(values, span);
    if (stretches(value.type.shape, spanned)) value = tracer.broadcast(value, spanned, span);
    const { shape } = value.type;
    const mask = this.#mask(options.mask, shape, span);
    checkAccess(name, dims.length, values, mask, shape, { span });
    const rest = { tensor: this.param, indices: values, value, span, ...(mask && { mask }) };
    tracer.append(fn === 'store' ? { op: 'store', ...rest } : { op: 'atomic', fn, ...rest });
  }

  #indices(indices: unknown, span: Span): Value[] {
    const { name, dims } = this.param;
    if (!Array.isArray(indices))
      fail(
        'PAT0110',
        `indices of \`${name}\` are ${describe(indices)}; an array with one index per dimension is needed`,
        { span },
      );
    const values = indices.map((x, i) => this.#tracer.operand(x, 'i32', `index ${i} of \`${name}\``, span));
    if (values.length !== dims.length)
      fail(
        'PAT0101',
        `\`${name}\` has ${dims.length} dimensions [${dims.join(', ')}], but ${values.length} indices are given`,
        { span },
      );
    return values;
  }

  /** The shape that the indices span together. */
  #span(values: readonly Value[], span: Span): readonly number[] {
    const shape = broadcastShapes(values.map((v) => v.type.shape));
    if (!shape)
      fail(
        'PAT0101',
        `indices of \`${this.param.name}\` do not fit together: ${values.map((v) => showType(v.type)).join(', ')}`,
        {
          span,
          help: 'every index tile has the rank of the result, with extents of 1 where it does not vary; see .expand(axis)',
        },
      );
    return shape;
  }

  #mask(x: unknown, shape: readonly number[], span: Span): Value | undefined {
    if (x === undefined) return undefined;
    const mask = this.#tracer.operand(x, 'bool', 'the mask', span);
    if (mask.type.element !== 'bool')
      fail('PAT0102', `the mask is ${showType(mask.type)}; a bool tile is needed`, {
        span,
        help: 'compare: .lt(…), .ne(0)',
      });
    if (!stretches(mask.type.shape, shape))
      fail(
        'PAT0101',
        `the mask is ${showType(mask.type)}; accessing \`${this.param.name}\` here spans [${shape.join(', ')}]`,
        {
          span,
          help: 'it must have the rank of the access, with extents equal to it or 1; see .expand(axis)',
        },
      );
    return this.#tracer.broadcast(mask, shape, span);
  }
}
