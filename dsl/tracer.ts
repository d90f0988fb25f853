/** The state of one trace, shared by tiles, tensors and the kernel context: the IR builder and the checks on operands. */
import { Builder } from '../compiler/ir/build.ts';
import {
  sameShape,
  showType,
  type Element,
  type Op,
  type Param,
  type Region,
  type ScalarParam,
  type TileType,
  type Value,
} from '../compiler/ir/nodes.ts';
import { roundTo } from '../compiler/ir/numeric.ts';
import { broadcastShapes, literalProblem, type Draft } from '../compiler/ir/rules.ts';
import type { Span } from '../compiler/ir/span.ts';
import { fail, type Note } from '../compiler/diagnostics/error.ts';
import { callSite, type Place } from './location.ts';

/** What is handed where a tile is expected: an untyped look at Tile, which this file cannot import. */
export interface Traced {
  readonly tracer: Tracer;
  readonly value: Value;
}

const isTraced = (x: unknown): x is Traced =>
  typeof x === 'object' && x !== null && 'tracer' in x && 'value' in x && x.tracer instanceof Tracer;

/** How an unexpected argument is named in a message. */
export function describe(x: unknown): string {
  if (x === undefined) return 'undefined';
  if (isTraced(x)) return showType(x.value.type);
  if (typeof x === 'function') return 'a function';
  if (Array.isArray(x)) return 'an array';
  if (typeof x === 'object') return x === null ? 'null' : `an object (${x.constructor?.name ?? 'Object'})`;
  return typeof x === 'string' ? `'${x}'` : String(x);
}

export class Tracer {
  readonly builder = new Builder();
  readonly params: Param[] = [];
  readonly dims = new Map<string, ScalarParam>();
  readonly kernel: string;
  /** Regions in which memory may not be written, innermost last. */
  readonly noStores: string[] = [];

  readonly #made = new WeakMap<Value, Span>();

  constructor(kernel: string) {
    this.kernel = kernel;
  }

  /** The author's call site; the builder's ops carry its span. */
  place(): Place {
    return callSite();
  }

  /** The value behind an operand, checked to be usable here. */
  use(x: unknown, what: string, span: Span): Value {
    if (!isTraced(x)) fail('PAT0110', `${what} is ${describe(x)}; a tile value is needed`, { span });
    const { value, tracer } = x;
    if (tracer !== this)
      fail('PAT0108', `${what} belongs to another trace (kernel \`${tracer.kernel}\`)`, {
        span,
        help: 'make every value inside the kernel function that uses it',
      });
    if (!this.builder.inScope(value))
      fail(
        'PAT0108',
        `${what}${value.name ? ` \`${value.name}\`` : ''} is used outside the region that computes it`,
        {
          span,
          notes: [
            this.madeHere(
              value,
              `it is ${showType(value.type)}, made in a loop, branch or row region that has ended`,
            ),
          ],
          help: 'carry it: return it from the region in the record of carried values, and use the record that the region returns',
        },
      );
    return value;
  }

  /** A note that points at the op that made a value, where there is one. */
  madeHere(value: Value, text: string): Note {
    const span = this.#made.get(value);
    return span ? { text, span } : { text };
  }

  /** A tile, or a JavaScript number (boolean for bool) as a scalar constant of `element`. */
  operand(x: unknown, element: Element, what: string, span: Span): Value {
    if (typeof x === 'number' || typeof x === 'boolean')
      return this.constant(x, { element, shape: [] }, span);
    return this.use(x, what, span);
  }

  constant(value: number | boolean, type: TileType, span: Span): Value {
    const problem = literalProblem(type.element, value);
    if (problem)
      fail('PAT0102', `${value} cannot be of type ${type.element}: ${problem}`, {
        span,
        help:
          type.element === 'bool'
            ? 'use true or false'
            : `.cast('f32') the tile first, or use a number that ${type.element} holds`,
      });
    const stored =
      typeof value === 'number' && type.element !== 'bool' && Number.isFinite(value)
        ? roundTo(type.element, value)
        : value;
    return this.pure({ op: 'const', value: stored, span }, type);
  }

  /** An integer scalar such as a loop bound. */
  integer(x: unknown, what: string, span: Span): Value {
    const value = this.operand(x, 'i32', what, span);
    if (value.type.element !== 'i32' || value.type.shape.length !== 0)
      fail(
        value.type.shape.length ? 'PAT0101' : 'PAT0102',
        `${what} is ${showType(value.type)}; a scalar i32 is needed`,
        { span },
      );
    return value;
  }

  pure(draft: Draft, declared: TileType, name?: string): Value {
    const value = this.builder.pure(draft, declared, name);
    this.#made.set(value, draft.span);
    return value;
  }

  append(op: Op): void {
    this.builder.append(op);
  }

  broadcast(a: Value, shape: readonly number[], span: Span): Value {
    if (sameShape(a.type.shape, shape)) return a;
    return this.pure({ op: 'broadcast', a, span }, { element: a.type.element, shape });
  }

  /** All values stretched to the shape that they span together. */
  broadcastAll(what: string, values: readonly Value[], span: Span): Value[] {
    const shape = broadcastShapes(values.map((v) => v.type.shape));
    if (!shape)
      fail('PAT0101', `${what}: shapes do not fit, ${values.map((v) => showType(v.type)).join(' and ')}`, {
        span,
        notes: values.map((v, i) => ({
          text: `operand ${i + 1}${v.name ? ` \`${v.name}\`` : ''} is ${showType(v.type)}`,
        })),
        help: rankHelp(values),
      });
    return values.map((v) => this.broadcast(v, shape, span));
  }

  region(
    types: readonly { type: TileType; name: string | undefined }[],
    body: (params: Value[]) => readonly Value[],
  ): Region {
    return this.builder.region((b) => types.map((t) => b.value(t.type, t.name)), body);
  }
}

function rankHelp(values: readonly Value[]): string {
  const ranks = new Set(values.filter((v) => v.type.shape.length > 0).map((v) => v.type.shape.length));
  return ranks.size > 1
    ? 'tiles meet at equal rank: insert an extent of 1 with .expand(axis)'
    : 'extents must be equal, or 1 on one side';
}
