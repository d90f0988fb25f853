/**
 * Loads, stores and atomics. The loop nest over the tile's axes is generated for each op, so that an index which does
 * not vary along the inner axes is read and checked once outside of them.
 */
import type { AtomicOp, LoadOp, StoreOp, TensorParam, Value } from '../../../compiler/ir/nodes.ts';
import { fail, type Note } from '../../../compiler/diagnostics/error.ts';
import { decodeF16, encodeBf16, encodeF16, type HostArray } from '../../../compiler/ir/numeric.ts';
import type { Span } from '../../../compiler/ir/span.ts';
import { compileLoop } from './loops.ts';
import { stretchedStrides } from './shape.ts';
import type { Step, TileData } from './storage.ts';

/** A tensor parameter and what it is bound to during a run. */
export interface BoundTensor {
  readonly param: TensorParam;
  data: HostArray;
  extents: number[];
  strides: number[];
  /** For each element, the number of the store that wrote it last in this run; 0 = none. Made by the first store. */
  stamps: Uint32Array | undefined;
}

/** The program instance that runs, and the numbers that tell stores apart. */
export interface Instance {
  id: [number, number, number];
  /** Stores with a greater number belong to this instance. */
  before: number;
  /** Counts every execution of a store op in this run. */
  stores: number;
}

/** What the memory ops need of the planner. */
export interface MemoryContext {
  storage(value: Value): TileData;
  tensor(param: TensorParam): BoundTensor;
  readonly instance: Instance;
}

/** All f16 numbers by their bits. */
let halfTable: Float32Array | undefined;
const f16Table = (): Float32Array =>
  (halfTable ??= Float32Array.from({ length: 65536 }, (_, i) => decodeF16(i)));

const instanceNote = (instance: Instance): Note => ({
  text: `in program instance (${instance.id.join(', ')})`,
});

function outOfBounds(
  op: { span: Span },
  verb: string,
  tensor: BoundTensor,
  at: number[],
  instance: Instance,
) {
  const axis = at.findIndex((index, d) => index < 0 || index >= tensor.extents[d]!);
  const { name, dims } = tensor.param;
  const extent = tensor.extents[axis]!;
  const named = typeof dims[axis] === 'string' ? `${dims[axis]} = ${extent}` : `${extent}`;
  fail('PAT0405', `${verb} ${name}[${at.join(', ')}]: index ${at[axis]} is outside dimension ${axis}`, {
    span: op.span,
    notes: [{ text: `dimension ${axis} of ${name} has extent ${named}` }, instanceNote(instance)],
    help: 'mask the elements that lie outside the tensor',
  });
}

interface Nest {
  /** The generated loops; INNER stands where an element at flat position `at` and element offset `o` is handled. */
  readonly source: string;
  readonly names: readonly string[];
  readonly values: readonly TileData[];
}

/** Loops over `shape`, computing the offset `o` and calling `fault` where an unmasked index is outside its extent. */
function nest(
  indices: readonly Value[],
  shape: readonly number[],
  context: MemoryContext,
  masked: boolean,
  inner: string,
): Nest {
  const strides = indices.map((index) => stretchedStrides(index.type.shape, shape));
  // The innermost loop that changes an index; -1 for a scalar.
  const levels = strides.map((s) => s.reduce((last, stride, axis) => (stride !== 0 ? axis : last), -1));
  const computeAt = (level: number): string => {
    const here = indices.map((_, d) => d).filter((d) => levels[d] === level);
    const parts = here.map((d) => {
      const terms = strides[d]!.flatMap((stride, axis) => (stride ? [`i${axis} * ${stride}`] : []));
      return `const x${d} = n${d}[${terms.join(' + ') || '0'}];`;
    });
    const outside = here.map((d) => `x${d} < 0 || x${d} >= e[${d}]`);
    const offset = here.map((d) => `x${d} * s[${d}]`);
    const outer = level < 0 ? { bad: 'false', o: '0' } : { bad: `bad${level}`, o: `o${level}` };
    parts.push(`const bad${level + 1} = ${[outer.bad, ...outside].join(' || ')};`);
    parts.push(`const o${level + 1} = ${[outer.o, ...offset].join(' + ')};`);
    return parts.join(' ');
  };
  const last = shape.length;
  const all = indices.map((_, d) => `x${d}`).join(', ');
  let source = `${masked ? 'if (mask[at] === 0) { MASKED } else {' : '{'}
    if (bad${last}) fault([${all}]);
    const o = o${last}; ${inner} }`;
  source = `${computeAt(last - 1)} ${source} at++;`;
  for (let axis = last - 1; axis >= 0; axis--) {
    source = `for (let i${axis} = 0; i${axis} < ${shape[axis]}; i${axis}++) { ${source} }`;
    source = `${computeAt(axis - 1)} ${source}`;
  }
  return {
    source: `let at = 0; ${source}`,
    names: indices.map((_, d) => `n${d}`),
    values: indices.map((index) => context.storage(index)),
  };
}

export function planLoad(op: LoadOp, context: MemoryContext): Step {
  const tensor = context.tensor(op.tensor);
  const { element } = op.tensor;
  const r = context.storage(op.result);
  const mask = op.mask && context.storage(op.mask);
  const other = op.other && context.storage(op.other);
  // A bf16 is the upper half of an f32.
  const words = element === 'bf16' ? new Uint32Array(r.buffer) : undefined;
  const table = element === 'f16' ? f16Table() : undefined;
  const read = words ? 'words[at] = data[o] << 16;' : table ? 'r[at] = table[data[o]];' : 'r[at] = data[o];';
  const skip = other ? `r[at] = other[${other.length === 1 ? '0' : 'at'}];` : 'r[at] = 0;';
  const { source, names, values } = nest(op.indices, op.result.type.shape, context, mask !== undefined, read);
  const loop = compileLoop<(...all: unknown[]) => void>(
    ['data', 'e', 's', 'fault', 'r', 'words', 'table', 'mask', 'other', ...names],
    source.replace('MASKED', skip),
    [r, ...values],
  );
  const fault = (at: number[]) => outOfBounds(op, 'load of', tensor, at, context.instance);
  return () =>
    loop(tensor.data, tensor.extents, tensor.strides, fault, r, words, table, mask, other, ...values);
}

/**
 * Two unmasked elements of one store at one address, or two program instances that leave different values there, have
 * no defined order.
 */
function storeRace(op: StoreOp, tensor: BoundTensor, offset: number, sameStore: boolean, instance: Instance) {
  const where = `element ${offset} of ${tensor.param.name}`;
  const who = sameStore ? 'this store writes' : 'two program instances write different values to';
  fail('PAT0402', `${who} ${where}${sameStore ? ' twice' : ''}`, {
    span: op.span,
    notes: [{ text: 'the order of these writes is not defined' }, instanceNote(instance)],
    help: 'give every element one writer: mask the others, or use an atomic',
  });
}

export function planStore(op: StoreOp, context: MemoryContext): Step {
  const tensor = context.tensor(op.tensor);
  const { element } = op.tensor;
  const { instance } = context;
  const value = context.storage(op.value);
  const mask = op.mask && context.storage(op.mask);
  const encode = element === 'f16' ? encodeF16 : element === 'bf16' ? encodeBf16 : undefined;
  const inner = `const v = ${encode ? 'encode(value[at])' : 'value[at]'}; const seen = stamps[o];
    if (seen !== 0 && (seen === now || (seen <= before && !Object.is(v, data[o])))) race(o, seen === now);
    stamps[o] = now; data[o] = v;`;
  const { source, names, values } = nest(op.indices, op.value.type.shape, context, mask !== undefined, inner);
  const loop = compileLoop<(...all: unknown[]) => void>(
    ['data', 'e', 's', 'fault', 'value', 'encode', 'mask', 'stamps', 'now', 'before', 'race', ...names],
    source.replace('MASKED', ''),
    [value, ...values],
  );
  const fault = (at: number[]) => outOfBounds(op, 'store to', tensor, at, instance);
  const race = (offset: number, sameStore: boolean) => storeRace(op, tensor, offset, sameStore, instance);
  return () => {
    const { data, extents, strides } = tensor;
    const stamps = (tensor.stamps ??= new Uint32Array(data.length));
    const now = ++instance.stores;
    loop(data, extents, strides, fault, value, encode, mask, stamps, now, instance.before, race, ...values);
  };
}

export function planAtomic(op: AtomicOp, context: MemoryContext): Step {
  const tensor = context.tensor(op.tensor);
  const value = context.storage(op.value);
  const mask = op.mask && context.storage(op.mask);
  // The array that takes the result rounds or wraps it.
  const combine = op.fn === 'add' ? 'data[o] + value[at]' : `Math.${op.fn}(data[o], value[at])`;
  const shape = op.value.type.shape;
  const { source, names, values } = nest(
    op.indices,
    shape,
    context,
    mask !== undefined,
    `data[o] = ${combine};`,
  );
  const loop = compileLoop<(...all: unknown[]) => void>(
    ['data', 'e', 's', 'fault', 'value', 'mask', ...names],
    source.replace('MASKED', ''),
    [value, ...values],
  );
  const fault = (at: number[]) => outOfBounds(op, 'atomic on', tensor, at, context.instance);
  return () => loop(tensor.data, tensor.extents, tensor.strides, fault, value, mask, ...values);
}
