/**
 * Tile IR: every node type, in one file.
 *
 * A kernel is small SSA with structured control flow. It says what ONE program instance (one point of the launch
 * grid) computes, in tiles of static shape. It knows nothing of threads, shared memory, layouts or barriers.
 *
 * Invariants (checked by verify.ts):
 * - a Value is defined once, before its uses, and is visible in the regions nested below its definition;
 * - operands of an elementwise op have the same shape: broadcasting is always an explicit op;
 * - every op has a span; `Value.name` is the author's variable name where it is known.
 */
import type { Span } from './span.ts';

/** What a tile's elements are. Arithmetic in f16 and bf16 rounds to the type after every op. */
export type Element = 'f32' | 'f16' | 'bf16' | 'i32' | 'u32' | 'bool';

export interface TileType {
  readonly element: Element;
  /** Static extents; `[]` is a scalar, the same for the whole program instance. */
  readonly shape: readonly number[];
}

export interface Value {
  readonly id: number;
  readonly type: TileType;
  /** The author's variable name; printers make it unique. */
  name?: string;
}

/** A static extent, or the name of a run-time i32 argument that gives the extent. */
export type Dim = number | string;

/** A tensor in global memory. The element offset of an index is the sum of index * stride. */
export interface TensorParam {
  readonly kind: 'tensor';
  readonly name: string;
  readonly element: Exclude<Element, 'bool'>;
  readonly dims: readonly Dim[];
  /** In elements; absent means row-major and contiguous over `dims`. */
  readonly strides?: readonly Dim[];
  readonly access: 'read' | 'write' | 'readwrite';
  readonly span: Span;
}

/** A run-time number. Named dims and strides are scalar params of element i32, listed like any other. */
export interface ScalarParam {
  readonly kind: 'scalar';
  readonly name: string;
  readonly value: Value;
  readonly span: Span;
}

export type Param = TensorParam | ScalarParam;

export interface Region {
  readonly params: readonly Value[];
  readonly ops: readonly Op[];
  readonly yields: readonly Value[];
}

export interface Kernel {
  readonly name: string;
  readonly params: readonly Param[];
  /** No params and no yields. */
  readonly body: Region;
  /** The spec and tile numbers this specialisation was traced with (for names, comments and reports). */
  readonly spec: Readonly<Record<string, number | string>>;
  readonly tile: Readonly<Record<string, number>>;
  readonly span: Span;
}

export type UnaryFn =
  | 'neg'
  | 'abs'
  | 'exp'
  | 'exp2'
  | 'log'
  | 'log2'
  | 'sqrt'
  | 'rsqrt'
  | 'tanh'
  | 'erf'
  | 'sin'
  | 'cos'
  | 'floor'
  | 'ceil'
  | 'not';

/** Integer div and rem truncate toward zero (as C and WGSL). `and or xor shl shr` take integers; and/or/xor also bool. */
export type BinaryFn =
  'add' | 'sub' | 'mul' | 'div' | 'rem' | 'min' | 'max' | 'and' | 'or' | 'xor' | 'shl' | 'shr';

export type CompareFn = 'lt' | 'le' | 'gt' | 'ge' | 'eq' | 'ne';
export type ReduceFn = 'sum' | 'max' | 'min';
export type AtomicFn = 'add' | 'max' | 'min';

interface Base {
  readonly span: Span;
}
interface One extends Base {
  readonly result: Value;
}

/** Same value in every element. Value is stored exactly as the element type rounds it; +-Infinity allowed for floats. */
export interface ConstOp extends One {
  readonly op: 'const';
  readonly value: number | boolean;
}
/** This instance's coordinate in the launch grid; scalar i32. */
export interface ProgramIdOp extends One {
  readonly op: 'programId';
  readonly axis: 0 | 1 | 2;
}
/** 0, 1, … n-1 as i32, shape [n]. */
export interface IotaOp extends One {
  readonly op: 'iota';
}
export interface UnaryOp extends One {
  readonly op: 'unary';
  readonly fn: UnaryFn;
  readonly a: Value;
}
export interface BinaryOp extends One {
  readonly op: 'binary';
  readonly fn: BinaryFn;
  readonly a: Value;
  readonly b: Value;
}
/** Result element bool. */
export interface CompareOp extends One {
  readonly op: 'compare';
  readonly fn: CompareFn;
  readonly a: Value;
  readonly b: Value;
}
/** cond has element bool and the same shape as a and b. */
export interface SelectOp extends One {
  readonly op: 'select';
  readonly cond: Value;
  readonly a: Value;
  readonly b: Value;
}
/** Element conversion: to f16/bf16 rounds to nearest even; float to int truncates; bool to number gives 0 or 1. */
export interface CastOp extends One {
  readonly op: 'cast';
  readonly a: Value;
}
/** From a scalar, or from the same rank with extents 1 stretched. */
export interface BroadcastOp extends One {
  readonly op: 'broadcast';
  readonly a: Value;
}
/** Same elements in row-major order under another shape; moves nothing in the author's view. */
export interface ReshapeOp extends One {
  readonly op: 'reshape';
  readonly a: Value;
}
export interface TransposeOp extends One {
  readonly op: 'transpose';
  readonly a: Value;
  /** Result axis i is operand axis permutation[i]. */
  readonly permutation: readonly number[];
}
/** Removes `axis`. */
export interface ReduceOp extends One {
  readonly op: 'reduce';
  readonly fn: ReduceFn;
  readonly a: Value;
  readonly axis: number;
}
/** [m,k] x [k,n] + acc: a and b share an element (f32, f16, bf16); acc and result are f32 [m,n]. */
export interface DotOp extends One {
  readonly op: 'dot';
  readonly a: Value;
  readonly b: Value;
  readonly acc?: Value;
}
/**
 * A gather: one index per tensor dimension, each a scalar or a tile of exactly the result's rank whose extents are 1
 * or the result's. Where mask is false nothing is read and the element is `other` (default 0). mask: bool, result shape.
 * evictFirst: a bool scalar; where true, nobody reads the elements again soon, and caches may drop them first. A hint.
 */
export interface LoadOp extends One {
  readonly op: 'load';
  readonly tensor: TensorParam;
  readonly indices: readonly Value[];
  readonly mask?: Value;
  readonly other?: Value;
  readonly evictFirst?: Value;
}
/** The scatter that mirrors LoadOp; `value` gives the shape. Two unmasked elements at one address are an error. */
export interface StoreOp extends Base {
  readonly op: 'store';
  readonly tensor: TensorParam;
  readonly indices: readonly Value[];
  readonly value: Value;
  readonly mask?: Value;
}
/** Like StoreOp, combining with what is there; i32, u32, or f32 add. */
export interface AtomicOp extends Base {
  readonly op: 'atomic';
  readonly fn: AtomicFn;
  readonly tensor: TensorParam;
  readonly indices: readonly Value[];
  readonly value: Value;
  readonly mask?: Value;
}
/** body.params = [iv: i32 scalar, ...carried]; runs iv = lo, lo+step, … while iv < hi (step > 0, static). */
export interface ForOp extends Base {
  readonly op: 'for';
  readonly lo: Value;
  readonly hi: Value;
  readonly step: number;
  readonly inits: readonly Value[];
  readonly body: Region;
  readonly results: readonly Value[];
}
/**
 * One flat loop over a ragged iteration space: for e in [lo, hi) by `step`, for t in [0, trips(e)).
 * trips.params = [e], yields one i32 scalar (<= 0 skips e) and may read memory but not carried values.
 * body.params = [e, t, ...carried]. Lowering pipelines it as ONE loop: it does not drain between entries.
 */
export interface RaggedOp extends Base {
  readonly op: 'ragged';
  readonly lo: Value;
  readonly hi: Value;
  readonly step: number;
  readonly trips: Region;
  readonly inits: readonly Value[];
  readonly body: Region;
  readonly results: readonly Value[];
}
/** cond: scalar bool. */
export interface IfOp extends Base {
  readonly op: 'if';
  readonly cond: Value;
  readonly then: Region;
  readonly else: Region;
  readonly results: readonly Value[];
}
/**
 * Applies `body` to rows [lo, hi) of the carried tiles (axis 0, one common extent), of those only where `mask` (bool, one
 * element a row) holds, and leaves their other rows as they were. body.params = carried tiles; yields their new values. No
 * stores inside. Warps that hold no such row skip it.
 * With `predicated`, the body by itself leaves the other rows alone (see passes/predicate-rows.ts), so lowering only skips.
 */
export interface RowsOp extends Base {
  readonly op: 'rows';
  readonly lo: Value;
  readonly hi: Value;
  readonly mask?: Value;
  readonly inits: readonly Value[];
  readonly body: Region;
  readonly results: readonly Value[];
  readonly predicated: boolean;
}

export type PureOp =
  | ConstOp
  | ProgramIdOp
  | IotaOp
  | UnaryOp
  | BinaryOp
  | CompareOp
  | SelectOp
  | CastOp
  | BroadcastOp
  | ReshapeOp
  | TransposeOp
  | ReduceOp
  | DotOp
  | LoadOp;
export type RegionOp = ForOp | RaggedOp | IfOp | RowsOp;
export type Op = PureOp | StoreOp | AtomicOp | RegionOp;

export const isRegionOp = (op: Op): op is RegionOp =>
  op.op === 'for' || op.op === 'ragged' || op.op === 'if' || op.op === 'rows';

/** The regions of an op, in the order they are printed. */
export function regionsOf(op: Op): readonly Region[] {
  switch (op.op) {
    case 'for':
    case 'rows':
      return [op.body];
    case 'ragged':
      return [op.trips, op.body];
    case 'if':
      return [op.then, op.else];
    default:
      return [];
  }
}

/** Values an op defines outside its regions. */
export function resultsOf(op: Op): readonly Value[] {
  if (isRegionOp(op)) return op.results;
  return op.op === 'store' || op.op === 'atomic' ? [] : [op.result];
}

/** Values an op reads directly (not those read inside its regions). */
export function operandsOf(op: Op): readonly Value[] {
  switch (op.op) {
    case 'const':
    case 'programId':
    case 'iota':
      return [];
    case 'unary':
    case 'cast':
    case 'broadcast':
    case 'reshape':
    case 'transpose':
    case 'reduce':
      return [op.a];
    case 'binary':
    case 'compare':
      return [op.a, op.b];
    case 'select':
      return [op.cond, op.a, op.b];
    case 'dot':
      return op.acc ? [op.a, op.b, op.acc] : [op.a, op.b];
    case 'load':
      return [...op.indices, ...[op.mask, op.other, op.evictFirst].filter((v) => v !== undefined)];
    case 'store':
    case 'atomic':
      return [...op.indices, op.value, ...(op.mask ? [op.mask] : [])];
    case 'if':
      return [op.cond];
    case 'for':
    case 'ragged':
      return [op.lo, op.hi, ...op.inits];
    case 'rows':
      return [op.lo, op.hi, ...(op.mask ? [op.mask] : []), ...op.inits];
  }
}

export const sizeOf = (t: TileType): number => t.shape.reduce((a, b) => a * b, 1);
/** Far beyond what a block can hold, and what the interpreter can still allocate. */
export const mostElements = 2 ** 24;
export const isScalar = (t: TileType): boolean => t.shape.length === 0;
export const isFloat = (e: Element): boolean => e === 'f32' || e === 'f16' || e === 'bf16';
export const elementBytes = (e: Element): number => (e === 'f16' || e === 'bf16' ? 2 : e === 'bool' ? 1 : 4);
export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);
export const showType = (t: TileType): string =>
  t.shape.length === 0 ? t.element : `tile<${t.shape.join('x')}x${t.element}>`;
