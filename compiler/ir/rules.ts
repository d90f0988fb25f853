/**
 * The typing rules of Tile IR: what each pure op demands of its operands and the type of its result. The tracer, the
 * text parser's verifier and the builder all ask here, so that a rule is written once.
 */
import { fail } from '../diagnostics/error.ts';
import {
  isFloat,
  isScalar,
  sameShape,
  showType,
  sizeOf,
  type BinaryFn,
  type Element,
  type PureOp,
  type TileType,
  type UnaryFn,
  type Value,
} from './nodes.ts';

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A pure op before its result exists. */
export type Draft = DistributiveOmit<PureOp, 'result'>;

const isInt = (e: Element): boolean => e === 'i32' || e === 'u32';
const showShape = (shape: readonly number[]): string => `[${shape.join(', ')}]`;

/** What elements a function accepts. */
const floatUnary: ReadonlySet<UnaryFn> = new Set<UnaryFn>([
  'exp',
  'exp2',
  'log',
  'log2',
  'sqrt',
  'rsqrt',
  'tanh',
  'erf',
  'sin',
  'cos',
  'floor',
  'ceil',
]);

export function unaryAccepts(fn: UnaryFn, e: Element): string | undefined {
  if (floatUnary.has(fn)) return isFloat(e) ? undefined : 'a float (f32, f16, bf16)';
  if (fn === 'not') return e === 'bool' ? undefined : 'bool';
  return e === 'bool' || (fn === 'neg' && e === 'u32') ? 'a signed number (f32, f16, bf16, i32)' : undefined;
}

export function binaryAccepts(fn: BinaryFn, e: Element): string | undefined {
  switch (fn) {
    case 'and':
    case 'or':
    case 'xor':
      return isInt(e) || e === 'bool' ? undefined : 'an integer or bool';
    case 'shl':
    case 'shr':
      return isInt(e) ? undefined : 'an integer (i32, u32)';
    default:
      return e === 'bool' ? 'a number' : undefined;
  }
}

/** The shape that shapes broadcast to together (numpy's rule at equal rank; a scalar fits everything). */
export function broadcastShapes(shapes: readonly (readonly number[])[]): readonly number[] | undefined {
  let result: readonly number[] = [];
  for (const shape of shapes) {
    if (shape.length === 0) continue;
    if (result.length === 0) {
      result = shape;
      continue;
    }
    if (shape.length !== result.length) return undefined;
    const joined: number[] = [];
    for (let i = 0; i < shape.length; i++) {
      const [x, y] = [shape[i]!, result[i]!];
      if (x !== y && x !== 1 && y !== 1) return undefined;
      joined.push(x === 1 ? y : x);
    }
    result = joined;
  }
  return result;
}

/** Whether an index or a tile of shape `from` stretches to `to`. */
export const stretches = (from: readonly number[], to: readonly number[]): boolean =>
  from.length === 0 || (from.length === to.length && from.every((x, i) => x === to[i] || x === 1));

/** A literal as the element type holds it, or the reason why it cannot. */
export function literalProblem(element: Element, value: number | boolean): string | undefined {
  if (element === 'bool') return typeof value === 'boolean' ? undefined : `${value} is not true or false`;
  if (typeof value !== 'number') return `${String(value)} is not a number`;
  if (isFloat(element)) return Number.isNaN(value) ? 'NaN is not allowed' : undefined;
  if (!Number.isInteger(value)) return `${value} is not an integer`;
  const [lo, hi] = element === 'i32' ? [-2147483648, 2147483647] : [0, 4294967295];
  return value < lo || value > hi ? `${value} is outside ${lo} … ${hi}` : undefined;
}

const named = (v: Value): string => (v.name ? `\`${v.name}\`` : 'the value');

function sameElement(what: string, op: Draft, a: Value, b: Value): void {
  if (a.type.element === b.type.element) return;
  fail('PAT0102', `${what}: elements differ, ${a.type.element} and ${b.type.element}`, {
    span: op.span,
    notes: [{ text: `left is ${showType(a.type)}, right is ${showType(b.type)}` }],
    help: `convert one of them: .cast('${a.type.element}')`,
  });
}

function sameShapes(what: string, op: Draft, ...values: Value[]): void {
  const [first, ...rest] = values;
  for (const v of rest)
    if (!sameShape(first!.type.shape, v.type.shape))
      fail('PAT0101', `${what}: shapes differ, ${showType(first!.type)} and ${showType(v.type)}`, {
        span: op.span,
      });
}

const wrongElement = (what: string, op: Draft, v: Value, expected: string): never =>
  fail('PAT0102', `${what} takes ${expected}; ${named(v)} is ${showType(v.type)}`, { span: op.span });

function checkIndices(op: Draft & { op: 'load' }, type: TileType): void {
  checkAccess(op.tensor.name, op.tensor.dims.length, op.indices, op.mask, type.shape, op);
  const { evictFirst } = op;
  if (evictFirst && !(evictFirst.type.element === 'bool' && evictFirst.type.shape.length === 0))
    fail('PAT0102', `evictFirst is ${showType(evictFirst.type)}; a bool scalar is needed`, { span: op.span });
}

/** The rules that loads, stores and atomics share. */
export function checkAccess(
  tensor: string,
  rank: number,
  indices: readonly Value[],
  mask: Value | undefined,
  shape: readonly number[],
  at: { readonly span: Draft['span'] },
): void {
  if (indices.length !== rank)
    fail('PAT0101', `\`${tensor}\` has ${rank} dimensions, but ${indices.length} indices are given`, {
      span: at.span,
    });
  indices.forEach((index, i) => {
    if (index.type.element !== 'i32')
      fail('PAT0102', `index ${i} of \`${tensor}\` is ${showType(index.type)}; an index is i32`, {
        span: at.span,
        help: `.cast('i32')`,
      });
    if (!stretches(index.type.shape, shape))
      fail(
        'PAT0101',
        `index ${i} of \`${tensor}\` is ${showType(index.type)}, which does not stretch to ${showShape(shape)}`,
        {
          span: at.span,
          help: 'an index is a scalar, or has the rank of the accessed tile with extents equal to it or 1; see .expand(axis)',
        },
      );
  });
  if (mask && (mask.type.element !== 'bool' || !sameShape(mask.type.shape, shape)))
    fail(
      mask.type.element !== 'bool' ? 'PAT0102' : 'PAT0101',
      `mask is ${showType(mask.type)}; accessing \`${tensor}\` here needs ${showType({ element: 'bool', shape })}`,
      { span: at.span },
    );
}

/** The result type of `op`, given the declared one; throws PatcError PAT0101, PAT0102 or PAT0110. */
export function resultType(op: Draft, declared: TileType): TileType {
  switch (op.op) {
    case 'const': {
      const problem = literalProblem(declared.element, op.value);
      if (problem) fail('PAT0102', `not a ${declared.element} constant: ${problem}`, { span: op.span });
      return declared;
    }
    case 'programId':
      if (op.axis !== 0 && op.axis !== 1 && op.axis !== 2)
        fail('PAT0110', `program id axis is 0, 1 or 2, not ${String(op.axis)}`, { span: op.span });
      return { element: 'i32', shape: [] };
    case 'iota':
      if (declared.shape.length !== 1 || declared.element !== 'i32')
        fail('PAT0101', `iota gives [n] of i32, not ${showType(declared)}`, { span: op.span });
      return declared;
    case 'unary': {
      const expected = unaryAccepts(op.fn, op.a.type.element);
      if (expected) wrongElement(op.fn, op, op.a, expected);
      return op.a.type;
    }
    case 'binary': {
      const expected = binaryAccepts(op.fn, op.a.type.element);
      if (expected) wrongElement(op.fn, op, op.a, expected);
      sameElement(op.fn, op, op.a, op.b);
      sameShapes(op.fn, op, op.a, op.b);
      return op.a.type;
    }
    case 'compare':
      if (op.a.type.element === 'bool') wrongElement(op.fn, op, op.a, 'numbers (for bool use xor and not)');
      sameElement(op.fn, op, op.a, op.b);
      sameShapes(op.fn, op, op.a, op.b);
      return { element: 'bool', shape: op.a.type.shape };
    case 'select':
      if (op.cond.type.element !== 'bool') wrongElement('where', op, op.cond, 'a bool condition');
      sameElement('where', op, op.a, op.b);
      sameShapes('where', op, op.cond, op.a, op.b);
      return op.a.type;
    case 'cast':
      if (!sameShape(op.a.type.shape, declared.shape))
        fail('PAT0101', `cast keeps the shape: ${showType(op.a.type)} to ${showType(declared)}`, {
          span: op.span,
        });
      if (declared.element === 'bool' && op.a.type.element !== 'bool')
        fail('PAT0102', `cast to bool does not exist; ${named(op.a)} is ${showType(op.a.type)}`, {
          span: op.span,
          help: 'compare instead: .ne(0)',
        });
      return declared;
    case 'broadcast':
      if (op.a.type.element !== declared.element || !stretches(op.a.type.shape, declared.shape))
        fail('PAT0101', `${showType(op.a.type)} does not broadcast to ${showType(declared)}`, {
          span: op.span,
          help: 'broadcasting stretches a scalar, or extents of 1 at equal rank; .expand(axis) inserts an extent of 1',
        });
      return declared;
    case 'reshape':
      if (op.a.type.element !== declared.element || sizeOf(op.a.type) !== sizeOf(declared))
        fail(
          'PAT0101',
          `reshape keeps the elements: ${showType(op.a.type)} has ${sizeOf(op.a.type)}, ${showType(declared)} has ${sizeOf(declared)}`,
          { span: op.span },
        );
      return declared;
    case 'transpose': {
      const { shape, element } = op.a.type;
      const sorted = [...op.permutation].sort((x, y) => x - y);
      if (
        !sameShape(
          sorted,
          shape.map((_, i) => i),
        )
      )
        fail(
          'PAT0110',
          `[${op.permutation.join(', ')}] is not a permutation of the axes of ${showType(op.a.type)}`,
          { span: op.span },
        );
      return { element, shape: op.permutation.map((p) => shape[p]!) };
    }
    case 'reduce': {
      const { shape, element } = op.a.type;
      if (!Number.isInteger(op.axis) || op.axis < 0 || op.axis >= shape.length)
        fail('PAT0110', `reduce: ${showType(op.a.type)} has no axis ${String(op.axis)}`, { span: op.span });
      if (element === 'bool') wrongElement('reduce', op, op.a, 'numbers');
      return { element, shape: shape.filter((_, i) => i !== op.axis) };
    }
    case 'dot':
      return dotType(op);
    case 'load': {
      if (op.tensor.access === 'write')
        fail('PAT0110', `\`${op.tensor.name}\` is an output; this kernel may not read it`, {
          span: op.span,
          help: `declare it with k.inout('${op.tensor.name}', …)`,
        });
      if (op.tensor.element !== declared.element)
        fail('PAT0102', `\`${op.tensor.name}\` holds ${op.tensor.element}, not ${declared.element}`, {
          span: op.span,
        });
      checkIndices(op, declared);
      const { other } = op;
      if (other && other.type.element !== declared.element)
        fail(
          'PAT0102',
          `\`other\` is ${showType(other.type)}; \`${op.tensor.name}\` holds ${declared.element}`,
          { span: op.span },
        );
      if (other && !isScalar(other.type) && !sameShape(other.type.shape, declared.shape))
        fail('PAT0101', `\`other\` is ${showType(other.type)}; the load gives ${showType(declared)}`, {
          span: op.span,
        });
      return declared;
    }
  }
}

function dotType(op: Draft & { op: 'dot' }): TileType {
  const [a, b] = [op.a.type, op.b.type];
  if (a.shape.length !== 2 || b.shape.length !== 2)
    fail('PAT0101', `dot multiplies two matrices, not ${showType(a)} and ${showType(b)}`, { span: op.span });
  if (!isFloat(a.element)) wrongElement('dot', op, op.a, 'floats (f32, f16, bf16)');
  sameElement('dot', op, op.a, op.b);
  const [m, k] = a.shape as [number, number];
  const [k2, n] = b.shape as [number, number];
  if (k !== k2)
    fail('PAT0101', `dot: inner extents differ, ${k} and ${k2}`, {
      span: op.span,
      notes: [{ text: `${showType(a)} times ${showType(b)}; [m, k] times [k, n] needs one k` }],
      ...(n === k ? { help: 'the right operand fits when transposed: .T' } : {}),
    });
  const type: TileType = { element: 'f32', shape: [m, n] };
  if (op.acc && op.acc.type.element !== 'f32')
    fail('PAT0102', `dot accumulates in f32; the accumulator is ${showType(op.acc.type)}`, { span: op.span });
  if (op.acc && !sameShape(op.acc.type.shape, type.shape))
    fail('PAT0101', `dot gives ${showType(type)}; the accumulator is ${showType(op.acc.type)}`, {
      span: op.span,
    });
  return type;
}
